import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import edfio
import pandas as pd
import pytest

from cerebro.config import Dataset
from cerebro.errors import UserError
from cerebro.recordings.hbn import release_of_folder
from cerebro.recordings.inventory import SCHEMA, build_inventory

WriteSignals = Callable[..., Path]
NET = [*(f"E{number}" for number in range(1, 129)), "Cz"]


def inventory(
    tmp_path: Path, datasets: dict[str, Dataset], *, excluded: tuple[str, ...] = ()
) -> pd.DataFrame:
    output = tmp_path / "inventory.parquet"
    build_inventory(datasets, raw=tmp_path / "raw", excluded_subjects=excluded, output=output)
    return pd.read_parquet(output).set_index("recording")


def hbn_file(root: Path, subject: str, entities: str, suffix: str = "bdf") -> Path:
    return root / subject / "eeg" / f"{subject}_task-{entities}_eeg.{suffix}"


def test_both_archives_become_rows_that_say_who_what_and_where(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    release = tmp_path / "raw/hbn/R2_L100_bdf"
    path = write_signals(hbn_file(release, "sub-A", "contrastChangeDetection_run-1"), NET)
    (release / "participants.tsv").write_text(
        "participant_id\trelease_number\tsex\tage\texternalizing\nsub-A\tR2\tM\t8.25\t-0.5\n"
    )
    write_signals(
        tmp_path / "raw/tuh/edf/000/aaaaaaaa/s001_2015_12_30/02_tcp_le/aaaaaaaa_s001_t000.edf",
        ["EEG FP1-LE", "EEG T3-LE", "EEG EKG1-LE", "IBI"],
        sfreq=256,
        patient=edfio.Patient(
            code="aaaaaaaa", sex="F", birthdate=date(1950, 1, 1), name="aaaaaaaa", additional=["Age:65"]
        ),
    )
    rows = inventory(tmp_path, {"hbn": Dataset(reader="hbn"), "tuh": Dataset(reader="tuh")})
    hbn = rows.loc["hbn/R2/sub-A/contrastChangeDetection/run-1"]
    assert hbn[["release", "subject", "task", "run", "path"]].to_list() == [
        "R2",
        "sub-A",
        "contrastChangeDetection",
        "1",
        str(path),
    ]
    assert hbn[["sfreq", "duration", "n_chans", "reference", "filtered"]].to_list() == [
        100,
        10,
        129,
        "Cz",
        True,
    ]
    assert json.loads(hbn["channels"]) == NET
    assert json.loads(hbn["person"]) == {
        "release_number": "R2",
        "sex": "M",
        "age": "8.25",
        "externalizing": "-0.5",
    }
    assert hbn[["group", "status", "facts"]].to_list() == ["hbn-0", "ok", "{}"]
    assert hbn["folder"] == "hbn/R2_L100_bdf/sub-A/eeg"
    assert pd.isna(hbn["mains_hz"])
    assert hbn["size_bytes"] == path.stat().st_size
    tuh = rows.loc["tuh/aaaaaaaa/s001/t000"]
    assert json.loads(tuh["channels"]) == ["Fp1", "T7"]
    assert tuh[["release", "subject", "session", "reference"]].to_list() == [
        "",
        "aaaaaaaa",
        "s001_2015_12_30",
        "linked ears",
    ]
    assert json.loads(tuh["person"]) == {"age": "65", "sex": "F"}
    assert tuh[["sfreq", "filtered"]].to_list() == [256, False]
    assert list(pd.read_parquet(tmp_path / "inventory.parquet").columns) == SCHEMA.names


def test_the_layout_of_tuab_is_found_as_well(tmp_path: Path, write_signals: WriteSignals) -> None:
    write_signals(
        tmp_path / "raw/tuh/edf/train/normal/01_tcp_ar/aaaaaaaq_s004_t000.edf", ["EEG FP1-REF", "EEG FP2-REF"]
    )
    rows = inventory(tmp_path, {"tuh": Dataset(reader="tuh")})
    assert list(rows.index) == ["tuh/aaaaaaaq/s004/t000"]
    assert rows["reference"].item() == "average"
    assert rows["folder"].item() == "tuh/edf/train/normal/01_tcp_ar"


@pytest.mark.parametrize(
    ("folder", "release"),
    [
        ("R5", "R5"),
        ("R11_L100_bdf", "R11"),
        ("R5_mini_L100_bdf", "R5"),
        ("EEG2025r5", "R5"),
        ("EEG2025r5mini", "R5"),
        ("ds005509", "R5"),
        ("ds005509-bdf-mini", "R5"),
        ("ds005516", "R11"),
        ("download", ""),
        ("HBN_R5x", ""),
    ],
)
def test_a_folder_tells_its_release(folder: str, release: str) -> None:
    assert release_of_folder(folder) == release


def test_one_bad_file_costs_one_file_and_says_why(tmp_path: Path, write_signals: WriteSignals) -> None:
    release = tmp_path / "raw/hbn/R1_L100_bdf"
    write_signals(hbn_file(release, "sub-A", "RestingState"), NET)
    write_signals(hbn_file(release, "sub-B", "RestingState"), ["Status", "EKG1"])
    write_signals(hbn_file(release, "sub-C", "RestingState"), ["Cz", "E129"])
    empty = hbn_file(release, "sub-D", "RestingState")
    empty.parent.mkdir(parents=True)
    empty.touch()
    text = hbn_file(release, "sub-E", "RestingState", "set")
    text.parent.mkdir(parents=True)
    text.write_text("/annex/objects/SHA256E-s123")
    link = hbn_file(release, "sub-F", "RestingState")
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "nowhere.bdf")
    rows = inventory(tmp_path, {"hbn": Dataset(reader="hbn", max_failed_share=1)}).set_index("subject")
    assert rows["status"].to_dict() == {
        "sub-A": "ok",
        **{f"sub-{letter}": "quarantined" for letter in "BCD"},
        **{f"sub-{letter}": "missing" for letter in "EF"},
    }
    assert "no EEG channel" in rows.loc["sub-B", "reason"]
    assert "Cz appears twice" in rows.loc["sub-C", "reason"]
    assert "the file is empty" in rows.loc["sub-D", "reason"]
    assert "not downloaded" in rows.loc["sub-E", "reason"]
    assert rows.loc["sub-F", "reason"] == f"not there: {link.name}, a link to {tmp_path}/nowhere.bdf"


def test_a_recording_of_unknown_release_is_never_used(tmp_path: Path, write_signals: WriteSignals) -> None:
    write_signals(hbn_file(tmp_path / "raw/hbn/somewhere", "sub-A", "RestingState"), NET)
    write_signals(hbn_file(tmp_path / "raw/hbn/R1_L100_bdf", "sub-B", "RestingState"), NET)
    rows = inventory(tmp_path, {"hbn": Dataset(reader="hbn")}).set_index("subject")
    assert rows.loc["sub-A", "status"] == "quarantined"
    assert "release unknown" in rows.loc["sub-A", "reason"]


def test_the_same_recording_in_two_folders_is_used_once(tmp_path: Path, write_signals: WriteSignals) -> None:
    for folder in ("R5_L100_bdf", "R5_mini_L100_bdf"):
        write_signals(hbn_file(tmp_path / "raw/hbn" / folder, "sub-A", "RestingState"), NET)
    rows = inventory(tmp_path, {"hbn": Dataset(reader="hbn")})
    assert rows["status"].to_dict() == {
        "hbn/R5/sub-A/RestingState": "ok",
        "hbn/R5/sub-A/RestingState#2": "excluded",
    }


def test_excluded_subjects_and_unwanted_tasks_are_left_out(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    release = tmp_path / "raw/hbn/R1_L100_bdf"
    for subject in ("sub-A", "sub-B"):
        for task in ("RestingState", "ThePresent"):
            write_signals(hbn_file(release, subject, task), NET)
    rows = inventory(
        tmp_path, {"hbn": Dataset(reader="hbn", tasks=("ThePresent",))}, excluded=("A",)
    ).reset_index()
    assert list(rows["task"].unique()) == ["ThePresent"]
    assert rows.set_index("subject")["status"].to_dict() == {"sub-A": "excluded", "sub-B": "ok"}


def test_groups_depend_on_the_subject_alone(tmp_path: Path, write_signals: WriteSignals) -> None:
    release = tmp_path / "raw/hbn/R1_L100_bdf"
    datasets = {"hbn": Dataset(reader="hbn", groups=3)}
    for letter in "ABCDEF":
        write_signals(hbn_file(release, f"sub-{letter}", "RestingState"), ["Cz"])
    before = inventory(tmp_path, datasets).set_index("subject")["group"].to_dict()
    for task in ("ThePresent", "DespicableMe"):
        write_signals(hbn_file(release, "sub-A", task), ["Cz"])
    after = inventory(tmp_path, datasets).groupby("subject")["group"].unique()
    assert {subject: [group] for subject, group in before.items()} == after.map(list).to_dict()
    assert len(set(before.values())) > 1


def test_a_missing_folder_names_the_key(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"datasets\.hbn\.roots: there is no folder .*nowhere"):
        inventory(tmp_path, {"hbn": Dataset(reader="hbn", roots=(tmp_path / "nowhere",))})
    with pytest.raises(UserError, match=r"datasets\.hbn\.roots"):
        build_inventory(
            {"hbn": Dataset(reader="hbn")}, raw=None, excluded_subjects=(), output=tmp_path / "x.parquet"
        )


def test_no_recording_at_all_is_an_error_that_says_where_was_searched(tmp_path: Path) -> None:
    (tmp_path / "raw/hbn").mkdir(parents=True)
    with pytest.raises(UserError, match=r"no usable recordings in hbn: .*raw/hbn"):
        inventory(tmp_path, {"hbn": Dataset(reader="hbn")})
    assert not (tmp_path / "inventory.parquet").exists()
