"""Who stays out: lists of subjects, and the evaluation patients of TUAB and TUEV."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import edfio
import pandas as pd
import pytest

from cerebro.config import Dataset
from cerebro.errors import UserError
from cerebro.recordings.exclusions import evaluation_patients, read_exclusions
from cerebro.recordings.inventory import build_inventory

WriteSignals = Callable[..., Path]


def reasons(*subjects: str, excluded: tuple[str, ...] = (), **settings: Any) -> dict[str, str]:
    exclusions = read_exclusions("tuh", Dataset(reader="tuh", **settings), excluded)
    return {subject: exclusions.reason(subject) for subject in subjects}


def test_subjects_are_left_out_by_name_and_by_list_with_or_without_sub(tmp_path: Path) -> None:
    listed = tmp_path / "patients.txt"
    listed.write_text("# of another study\naaaaaaab\nsub-aaaaaaac  # twice\n\n")
    found = reasons(
        *("aaaaaaaa", "sub-aaaaaaab", "aaaaaaac", "aaaaaaad", "aaaaaaae"),
        exclude=("aaaaaaaa", str(listed)),
        excluded=("sub-aaaaaaad",),
    )
    assert found == {
        **dict.fromkeys(("aaaaaaaa", "sub-aaaaaaab", "aaaaaaac"), "subject excluded by datasets.tuh.exclude"),
        "aaaaaaad": "subject excluded by the configuration",
        "aaaaaaae": "",
    }


def test_a_list_to_keep_leaves_everybody_else_out_and_exclusions_still_hold() -> None:
    found = reasons("a", "b", "c", keep=("a", "b"), exclude=("b",))
    assert found == {
        "a": "",
        "b": "subject excluded by datasets.tuh.exclude",
        "c": "subject not on the dataset's list to keep",
    }


def test_a_list_that_is_not_there_names_its_key(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"datasets\.tuh\.keep: the list .*nowhere\.txt can't be read"):
        reasons(keep=(str(tmp_path / "nowhere.txt"),))


def test_evaluation_patients_of_tuab_are_those_below_eval(tmp_path: Path) -> None:
    for name in ("train/normal/01_tcp_ar/aaaaaaaa", "eval/normal/01_tcp_ar/aaaaaaab"):
        path = tmp_path / f"edf/{name}_s001_t000.edf"
        path.parent.mkdir(parents=True)
        path.touch()
    assert evaluation_patients(tmp_path) == {"aaaaaaab"}
    assert evaluation_patients(tmp_path / "edf/eval") == {"aaaaaaab"}


def test_numbered_files_of_tuev_tell_their_patient_in_the_header(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    write_signals(
        tmp_path / "edf/eval/032/bckg_032_a_.edf", ["EEG FP1-REF"], patient=edfio.Patient(code="aaaaaabc")
    )
    (tmp_path / "edf/eval/033").mkdir()
    (tmp_path / "edf/eval/033/bckg_033_a_.edf").touch()
    with pytest.warns(
        UserWarning, match="1 evaluation files tell their patient neither by name nor by header"
    ):
        assert evaluation_patients(tmp_path) == {"aaaaaabc"}


def test_no_evaluation_patient_is_missed_because_the_disk_did_not_give_a_header(tmp_path: Path) -> None:
    folder = tmp_path / "edf/eval/032"
    folder.mkdir(parents=True)
    (folder / "aaaaaaaa_s001_t000.edf").touch()
    (folder / "bckg_032_a_.edf").symlink_to("gone.edf")
    with pytest.warns(UserWarning, match="1 evaluation files tell their patient neither"):
        assert evaluation_patients(tmp_path) == {"aaaaaaaa"}
    (folder / "bckg_032_b_.edf").symlink_to("/proc/self/mem")  # every read fails, for root too
    with pytest.raises(UserError, match=r"bckg_032_b_\.edf can't be read .*running again may help"):
        evaluation_patients(tmp_path)


def test_a_folder_without_evaluation_patients_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no evaluation patient is found .* should hold a folder 'eval'"):
        evaluation_patients(tmp_path)
    with pytest.raises(UserError, match=r"datasets\.tuh\.exclude_evaluation_of: there is no folder"):
        reasons(exclude_evaluation_of=(tmp_path / "tuab",))


def test_evaluation_patients_of_tuab_never_reach_pretraining_on_tueg(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    for patient in ("aaaaaaaa", "aaaaaaab"):
        write_signals(
            tmp_path / f"tueg/edf/000/{patient}/s001_2015/01_tcp_ar/{patient}_s001_t000.edf", ["EEG FP1-REF"]
        )
    evaluated = tmp_path / "tuab/edf/eval/normal/01_tcp_ar/aaaaaaab_s009_t000.edf"
    evaluated.parent.mkdir(parents=True)
    evaluated.touch()
    dataset = Dataset(reader="tuh", roots=(tmp_path / "tueg",), exclude_evaluation_of=(tmp_path / "tuab",))
    output = tmp_path / "inventory.parquet"
    build_inventory({"tuh": dataset}, raw=None, excluded_subjects=(), output=output)
    rows = pd.read_parquet(output).set_index("subject")
    assert rows["status"].to_dict() == {"aaaaaaaa": "ok", "aaaaaaab": "excluded"}
    assert rows.loc["aaaaaaab", "reason"] == f"an evaluation patient of {tmp_path / 'tuab'}"


def test_a_list_of_another_version_of_the_archive_is_noticed(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    write_signals(tmp_path / "edf/000/aaaaaaaa/s001_2015/01_tcp_ar/aaaaaaaa_s001_t000.edf", ["EEG FP1-REF"])
    dataset = Dataset(reader="tuh", roots=(tmp_path,), keep=("aaaaaaaa", "00000012"))
    with pytest.warns(UserWarning, match=r"datasets\.tuh\.keep names 1 subjects .* for instance 00000012"):
        build_inventory({"tuh": dataset}, raw=None, excluded_subjects=(), output=tmp_path / "i.parquet")
