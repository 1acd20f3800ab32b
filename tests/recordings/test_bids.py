"""Any dataset of BIDS is read by its names, sidecars and tables, wherever it lies."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import mne
import numpy as np
import pandas as pd
import pytest

from cerebro.config import Dataset
from cerebro.errors import UserError
from cerebro.recordings.bids import read_events, scan
from cerebro.recordings.inventory import build_inventory
from cerebro.recordings.recording import Recording

pytestmark = pytest.mark.filterwarnings("ignore:.*participants.tsv. nothing is known:UserWarning")
WriteSignals = Callable[..., Path]
NAMES = ("Fp1", "Fp2", "C3", "C4", "O1", "O2", "ECG")


def touch(root: Path, *files: str) -> None:
    """Empty files: a reader goes by names."""
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def write(path: Path, content: object) -> None:
    """A table, as lines of cells that are separated by blanks, or an object of JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        path.write_text("\n".join("\t".join(line.split()) for line in content.strip().splitlines()) + "\n")
    else:
        path.write_text(json.dumps(content))


def found(*roots: Path) -> dict[str, Recording]:
    """Recordings by file name."""
    return {one.path.name: one for one in scan(roots)}


def inventory(tmp_path: Path, **settings: object) -> pd.DataFrame:
    """The inventory of one dataset `d`, by file name."""
    output = tmp_path / "inventory.parquet"
    dataset = Dataset(reader="bids", **settings)
    build_inventory({"d": dataset}, raw=None, excluded_subjects=(), output=output)
    rows = pd.read_parquet(output)
    return rows.set_index(rows["path"].map(lambda path: Path(path).name))


def test_entities_of_a_name_are_read_in_any_combination(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "sub-01/eeg/sub-01_eeg.edf",
        "sub-01/eeg/sub-01_task-rest_eeg.EDF",
        "sub-01/ses-b/eeg/sub-01_ses-b_task-rest_acq-dry_run-02_eeg.bdf",
        "sub-01/ses-b/eeg/sub-01_ses-b_acq-dry_task-rest_run-03_eeg.set",
        "sub-01/eeg/sub-01_task-rest_proc-raw_recording-low_split-01_eeg.vhdr",
        "sub-01/eeg/sub-01_task-rest_proc-raw_recording-low_split-01_eeg.vmrk",
        "sub-01/eeg/sub-01_task-rest_proc-raw_recording-low_split-01_eeg.eeg",
    )
    recordings = found(tmp_path)
    said = {
        name: (one.session, one.task, one.acquisition, one.run, "/".join(one.name))
        for name, one in recordings.items()
    }
    assert said == {
        "sub-01_eeg.edf": ("", "", "", "", "sub-01"),
        "sub-01_task-rest_eeg.EDF": ("", "rest", "", "", "sub-01/task-rest"),
        "sub-01_task-rest_proc-raw_recording-low_split-01_eeg.vhdr": (
            *("", "rest", "", ""),
            "sub-01/task-rest/proc-raw/recording-low/split-01",
        ),
        "sub-01_ses-b_task-rest_acq-dry_run-02_eeg.bdf": (
            *("b", "rest", "dry", "02"),
            "sub-01/ses-b/task-rest/acq-dry/run-02",
        ),
        "sub-01_ses-b_acq-dry_task-rest_run-03_eeg.set": (
            *("b", "rest", "dry", "03"),
            "sub-01/ses-b/acq-dry/task-rest/run-03",
        ),
    }
    assert {one.subject for one in recordings.values()} == {"sub-01"}


def test_derivatives_and_hidden_folders_are_no_recordings(tmp_path: Path) -> None:
    name = "sub-01/eeg/sub-01_task-rest_eeg.edf"
    touch(tmp_path, name, *(f"{folder}/{name}" for folder in ("derivatives/p", "sourcedata", "code", ".git")))
    assert [one.path for one in scan([tmp_path])] == [tmp_path / name]


def test_what_is_no_recording_of_bids_is_counted_in_a_warning(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "sub-01/eeg/sub-01_task-rest_eeg.edf",
        "sub-01/eeg/rest.edf",
        "sub-01/eeg/sub-01_tsk-rest_eeg.edf",
        "sub-01/sub-01_task-rest_eeg.edf",
        "sub-01/eeg/sub-02_task-rest_eeg.edf",
    )
    with pytest.warns(UserWarning, match="first: ") as warned:
        assert len(list(scan([tmp_path]))) == 1
    said = [str(one.message) for one in warned]
    assert any("name is none of BIDS's EEG, sub-*_eeg.*: 2 (first: " in line for line in said)
    assert any("outside sub-*/[ses-*/]eeg of their subject: 2 (first: " in line for line in said)


@pytest.mark.parametrize("below", [".", "..", "sub-01", "sub-01/eeg"])
def test_a_root_is_a_dataset_or_above_it_or_a_subject_s_folder(tmp_path: Path, below: str) -> None:
    dataset = tmp_path / "archive/study"
    touch(dataset, "sub-01/eeg/sub-01_task-rest_eeg.edf")
    write(dataset / "participants.tsv", "participant_id age\n01 33")
    write(dataset / "task-rest_eeg.json", {"PowerLineFrequency": 50})
    (one,) = scan([(dataset / below).resolve()])
    assert (one.subject, one.person, one.mains_hz) == ("sub-01", {"age": "33"}, 50)


def test_a_folder_without_subjects_is_named_with_what_lies_there(tmp_path: Path) -> None:
    touch(tmp_path, "anna/rest.edf", "notes.txt")
    with pytest.raises(UserError, match=r"no folder sub-\* .*anna, notes.txt; .*files"):
        list(scan([tmp_path]))
    touch(tmp_path / "study", "sub-01/meg/sub-01_task-rest_meg.fif", "sub-01/anat/sub-01_T1w.nii.gz")
    with pytest.raises(UserError, match="holds subjects of BIDS, but no sub-"):
        list(scan([tmp_path / "study"]))


def test_people_of_two_datasets_are_two_and_those_of_two_parts_of_one_are_one(tmp_path: Path) -> None:
    for folder in ("one", "two", "more/two"):
        touch(tmp_path / folder, "sub-01/eeg/sub-01_task-rest_eeg.edf")
    people = {one.subject for one in scan([tmp_path])}
    assert people == {"one_sub-01", "two_sub-01", "more-two_sub-01"}
    for folder in ("two", "more/two"):
        write(tmp_path / folder / "dataset_description.json", {"Name": "Two"})
    people = {one.path.relative_to(tmp_path).parts[0]: one.subject for one in scan([tmp_path])}
    assert people["two"] == people["more"] != people["one"]
    write(tmp_path / "one/dataset_description.json", {"Name": "Two"})
    assert {one.subject for one in scan([tmp_path])} == {"sub-01"}


def test_a_file_below_two_roots_is_one_recording(tmp_path: Path) -> None:
    touch(tmp_path, "study/sub-01/eeg/sub-01_task-rest_eeg.edf")
    (tmp_path / "link").symlink_to(tmp_path / "study")
    below_two = [tmp_path / "study", tmp_path / "study/sub-01", tmp_path / "link"]
    (one,) = scan(below_two)
    assert one.subject == "sub-01"


def test_json_is_merged_key_by_key_from_the_top_and_the_nearest_wins(tmp_path: Path) -> None:
    name = "sub-01_ses-a_task-rest"
    folder = tmp_path / "sub-01/ses-a/eeg"
    touch(folder, f"{name}_run-1_eeg.edf", f"{name}_run-2_eeg.edf", "sub-01_ses-a_task-sleep_eeg.edf")
    write(tmp_path / "task-rest_eeg.json", {"EEGReference": "Cz", "PowerLineFrequency": 60})
    write(tmp_path / "sub-01/sub-01_eeg.json", {"PowerLineFrequency": 50})
    write(tmp_path / "sub-01/ses-a/sub-01_ses-a_task-sleep_eeg.json", {"EEGReference": "FCz"})
    write(folder / f"{name}_run-2_eeg.json", {"EEGReference": "common average"})
    write(tmp_path / "sub-02/sub-02_eeg.json", {"EEGReference": "Pz"})
    said = {name: (one.reference, one.mains_hz) for name, one in found(tmp_path).items()}
    assert said == {
        f"{name}_run-1_eeg.edf": ("Cz", 50),
        f"{name}_run-2_eeg.edf": ("average", 50),
        "sub-01_ses-a_task-sleep_eeg.edf": ("FCz", 50),
    }


@pytest.mark.parametrize(
    ("stated", "reference"),
    [
        ("Cz", "Cz"),
        ("placed on T3", "T7"),
        ("average", "average"),
        ("Common Average Reference", "average"),
        ("linked earlobes", "linked ears"),
        ("CMS/DRL", "CMS/DRL"),
        ("A1 and A2", "A1 and A2"),
        ("n/a", "unknown"),
        (7, "unknown"),
    ],
)
def test_the_reference_is_an_electrode_or_a_kind_or_what_was_written(
    tmp_path: Path, stated: object, reference: str
) -> None:
    touch(tmp_path, "sub-01/eeg/sub-01_task-rest_eeg.edf")
    write(tmp_path / "task-rest_eeg.json", {"EEGReference": stated})
    (one,) = found(tmp_path).values()
    assert one.reference == reference


@pytest.mark.parametrize(
    ("filters", "filtered"),
    [
        ({"High-pass": {"Cutoff (Hz)": 0.5}, "Low-pass": {"Cutoff (Hz)": 50}}, True),
        ({"FIR": {"highpass": "0.5 Hz", "lowpass": "50 Hz", "order": 330}}, True),
        ({"FIR": {"highpass": 0.1, "lowpass": 50}}, False),
        ({"Low-pass": {"Cutoff (Hz)": 50}}, False),
        ({"Low-pass": {"order": 50}, "High-pass": {"order": 0.5}}, False),
        ({"Anti-aliasing filter": {"half-amplitude cutoff (Hz)": 50}}, False),
        ("0.5 to 50 Hz", False),
        ("n/a", False),
    ],
)
def test_signals_are_filtered_only_where_numbers_say_so(
    tmp_path: Path, filters: object, filtered: bool
) -> None:
    touch(tmp_path, "sub-01/eeg/sub-01_task-rest_eeg.edf")
    both = {"highpass": 0.5, "lowpass": 50}
    write(tmp_path / "eeg.json", {"SoftwareFilters": filters, "HardwareFilters": {"amplifier": both}})
    (one,) = found(tmp_path).values()
    assert one.filtered is filtered


def test_mains_that_are_none_and_a_sidecar_that_is_no_json_are_warned_of(tmp_path: Path) -> None:
    touch(tmp_path, *(f"sub-0{number}/eeg/sub-0{number}_task-rest_eeg.edf" for number in (1, 2, 3)))
    write(tmp_path / "sub-01/sub-01_eeg.json", {"PowerLineFrequency": 16.7})
    write(tmp_path / "sub-02/sub-02_eeg.json", {"PowerLineFrequency": "n/a"})
    (tmp_path / "sub-03/sub-03_eeg.json").write_text("{'EEGReference': 'Cz'}")
    with pytest.warns(UserWarning, match="first: ") as warned:
        assert all(math.isnan(one.mains_hz) for one in scan([tmp_path]))
    said = [str(one.message) for one in warned]
    assert any("neither 50 nor 60 Hz: 1 (first: PowerLineFrequency 16.7" in line for line in said)
    assert any("sub-03_eeg.json is no JSON" in line for line in said)


def test_tables_say_what_is_known_of_people_sessions_and_scans(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "sub-01/ses-a/eeg/sub-01_ses-a_task-rest_eeg.edf",
        "sub-01/ses-b/eeg/sub-01_ses-b_task-rest_eeg.edf",
        "sub-02/eeg/sub-02_task-rest_eeg.edf",
        "sub-03/eeg/sub-03_task-rest_eeg.edf",
    )
    write(tmp_path / "participants.tsv", "participant_id group age\nsub-01 control 30\n02 n/a 31")
    write(
        tmp_path / "sub-01/sub-01_sessions.tsv", "session_id drug quality\nses-a placebo good\nb verum poor"
    )
    scans = "filename quality\neeg/sub-01_ses-b_task-rest_eeg.edf fair"
    write(tmp_path / "sub-01/ses-b/sub-01_ses-b_scans.tsv", scans)
    scans = "filename acq_time\neeg/sub-02_task-rest_eeg.edf 2020-01-01T10:00:00"
    write(tmp_path / "sub-02/sub-02_scans.tsv", scans)
    with pytest.warns(UserWarning, match=r"subjects without a row in .*: 1 \(first: .*sub-03"):
        said = [(dict(one.person), dict(one.facts)) for one in scan([tmp_path])]
    assert said == [
        ({"group": "control", "age": "30"}, {"drug": "placebo", "quality": "good"}),
        ({"group": "control", "age": "30"}, {"drug": "verum", "quality": "fair"}),
        ({"age": "31"}, {"acq_time": "2020-01-01T10:00:00"}),
        ({}, {}),
    ]


def test_a_table_without_participants_is_warned_of(tmp_path: Path) -> None:
    touch(tmp_path, "sub-01/eeg/sub-01_task-rest_eeg.edf")
    write(tmp_path / "participants.tsv", "subject age\nsub-01 30")
    with pytest.warns(UserWarning, match="participants.tsv: .*no column participant_id"):
        assert [one.person for one in scan([tmp_path])] == [{}]


def test_events_are_those_of_the_nearest_table_alone(tmp_path: Path) -> None:
    touch(tmp_path, *(f"sub-0{one}/eeg/sub-0{one}_task-eyes_eeg.edf" for one in (1, 2)))
    touch(tmp_path, "sub-01/eeg/sub-01_task-rest_eeg.edf")
    write(tmp_path / "task-eyes_events.tsv", "onset duration trial_type\n5 10 closed\n1 n/a open")
    write(
        tmp_path / "sub-02/eeg/sub-02_task-eyes_events.tsv",
        "onset duration trial_type response_time\n2 0 press 0.31",
    )
    events = {name: read_events(one.path) for name, one in found(tmp_path).items() if "eyes" in name}
    inherited, own = events["sub-01_task-eyes_eeg.edf"], events["sub-02_task-eyes_eeg.edf"]
    assert inherited["onset"].tolist() == [1.0, 5.0]
    assert inherited["trial_type"].tolist() == ["open", "closed"] == inherited["value"].tolist()
    assert own[["onset", "trial_type", "response_time"]].to_numpy().tolist() == [[2.0, "press", "0.31"]]
    with pytest.raises(FileNotFoundError):
        read_events(tmp_path / "sub-01/eeg/sub-01_task-rest_eeg.edf")
    write(tmp_path / "task-rest_events.tsv", "time value\n1 go")
    with pytest.raises(ValueError, match=r"task-rest_events\.tsv has no column onset"):
        read_events(tmp_path / "sub-01/eeg/sub-01_task-rest_eeg.edf")


def test_the_inventory_takes_a_dataset_by_its_section_alone(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    for subject in ("sub-01", "sub-02", "sub-03"):
        for task in ("rest", "sleep"):
            write_signals(tmp_path / f"d/{subject}/eeg/{subject}_task-{task}_eeg.edf", NAMES)
    link = tmp_path / "d/sub-03/eeg/sub-03_task-rest_eeg.edf"
    link.unlink()
    link.symlink_to("../../.git/annex/objects/xx/key")
    write(tmp_path / "d/task-rest_eeg.json", {"PowerLineFrequency": 50, "EEGReference": "A1"})
    rows = inventory(tmp_path, roots=[tmp_path / "d"], tasks=["rest"], exclude=["02"])
    assert rows["status"].tolist() == ["ok", "excluded", "missing"]
    assert "sub-03_task-rest_eeg.edf, a link to" in rows["reason"].iloc[2]
    first = rows.iloc[0]
    assert (first["recording"], first["reference"], first["mains_hz"]) == ("d/sub-01/task-rest", "A1", 50)
    assert json.loads(first["channels"]) == list(NAMES[:-1])
    rows = inventory(tmp_path, roots=[tmp_path / "d"], keep=["sub-01"], mains_hz=60)
    assert rows[rows["status"] == "ok"]["mains_hz"].tolist() == [60, 60]


def test_every_format_of_bids_is_read_and_a_split_file_is_one_recording(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    folder = tmp_path / "d/sub-01/eeg"
    names = list(NAMES[:-1])
    noise = np.random.default_rng(0).normal(0, 2e-5, (len(names), 4000))
    raw = mne.io.RawArray(noise, mne.create_info(names, 100, "eeg"), verbose="error")
    for task, suffix in (("a", "edf"), ("b", "BDF"), ("c", "EDF")):
        path = write_signals(folder / f"sub-01_task-{task}_eeg.{suffix.lower()}", names)
        path.rename(path.with_suffix(f".{suffix}"))
    mne.export.export_raw(folder / "sub-01_task-d_eeg.set", raw, verbose="error")
    header = (
        "Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\nDataFile=old name.eeg\n"
        "DataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=6\nSamplingInterval=10000\n\n"
        "[Binary Infos]\nBinaryFormat=INT_16\n\n[Channel Infos]\n"
    ) + "".join(f"Ch{index}={name},,0.1,µV\n" for index, name in enumerate(names, start=1))
    (folder / "sub-01_task-e_eeg.vhdr").write_text(header, encoding="utf-8")
    (noise.T / 1e-7).astype("<i2").tofile(folder / "sub-01_task-e_eeg.eeg")
    long = mne.io.RawArray(np.tile(noise, 60), raw.info, verbose="error")
    long.save(folder / "sub-01_task-f_eeg.fif", split_size="3MB", split_naming="bids", verbose="error")
    assert (folder / "sub-01_task-f_split-02_eeg.fif").is_file()
    rows = inventory(tmp_path, roots=[tmp_path / "d"])
    assert [Path(name).name for name in rows["recording"]] == [f"task-{letter}" for letter in "abcdef"]
    assert (rows["status"] == "ok").all()
    assert (rows["n_chans"] == 6).all()
    assert rows["duration"].iloc[-1] == pytest.approx(40 * 60)
