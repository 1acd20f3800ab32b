"""HBN as it lies on disks: layouts, subsets, links, several roots. No header is read: files may be empty."""

import shutil
import warnings
from pathlib import Path

import pytest

from cerebro.recordings import hbn
from cerebro.recordings.recording import Recording

TASKS = {
    "RestingState": ("",),
    "DespicableMe": ("",),
    "DiaryOfAWimpyKid": ("",),
    "FunwithFractals": ("",),
    "ThePresent": ("",),
    "contrastChangeDetection": ("1", "2", "3"),
    "surroundSupp": ("1", "2"),
    "seqLearning6target": ("",),
    "seqLearning8target": ("",),
    "symbolSearch": ("",),
}
HEADER = "participant_id\trelease_number\tsex\tage\tp_factor\tattention\tinternalizing\texternalizing\n"


def release(root: Path, *, subject: str = "sub-NDARAA111AAA", suffix: str = "bdf") -> Path:
    """A subject with every recording that HBN has."""
    eeg = root / subject / "eeg"
    eeg.mkdir(parents=True)
    for task, runs in TASKS.items():
        for run in runs:
            stem = f"{subject}_task-{task}" + (f"_run-{run}" if run else "")
            (eeg / f"{stem}_eeg.{suffix}").touch()
            for beside in ("events.tsv", "channels.tsv", "eeg.json"):
                (eeg / f"{stem}_{beside}").touch()
            if suffix == "set":
                (eeg / f"{stem}_eeg.fdt").touch()
    number = hbn.release_of_folder(root.name)
    (root / "participants.tsv").write_text(f"{HEADER}{subject}\t{number}\tF\t9.5\t0.1\t0.2\t0.3\t0.4\n")
    (root / "derivatives" / "eeglab").mkdir(parents=True)
    (root / "derivatives" / "eeglab" / f"{subject}_task-RestingState_eeg.{suffix}").touch()
    return root


def scan(*roots: Path) -> list[Recording]:
    return list(hbn.scan(roots))


@pytest.mark.parametrize(
    ("folder", "suffix"),
    [
        ("ds005509", "set"),
        ("R5_L100", "set"),
        ("R5_mini_L100", "set"),
        ("R5_L100_bdf", "bdf"),
        ("R5_mini_L100_bdf", "bdf"),
        ("EEG2025r5", "bdf"),
        ("EEG2025r5mini", "bdf"),
        ("ds005509-bdf", "bdf"),
        ("ds005509-bdf-mini", "bdf"),
    ],
)
def test_all_ten_tasks_are_found_in_every_layout(tmp_path: Path, folder: str, suffix: str) -> None:
    found = scan(release(tmp_path / "cache" / folder, suffix=suffix))
    assert sorted((one.task, one.run) for one in found) == sorted(
        (task, run) for task, runs in TASKS.items() for run in runs
    )
    assert {one.release for one in found} == {"R5"}
    assert {one.filtered for one in found} == {folder != "ds005509"}
    assert {one.reference for one in found} == {"Cz"}
    assert {one.person["externalizing"] for one in found} == {"0.4"}
    assert len({one.name for one in found}) == 13


def test_one_folder_above_and_several_roots_give_the_same_and_nothing_twice(tmp_path: Path) -> None:
    one = release(tmp_path / "hbn" / "R1_L100_bdf", subject="sub-A")
    two = release(tmp_path / "hbn" / "deeper" / "R2_L100_bdf", subject="sub-B")
    above = scan(tmp_path / "hbn")
    assert {(found.release, found.subject) for found in above} == {("R1", "sub-A"), ("R2", "sub-B")}
    assert sorted(found.path for found in scan(one, two)) == sorted(found.path for found in above)
    assert len(scan(tmp_path / "hbn", one, two)) == len(above) == 26


def test_symbolic_links_are_followed_each_folder_once_and_circles_end(tmp_path: Path) -> None:
    store = release(tmp_path / "store" / "R1_L100_bdf", subject="sub-A")
    root = tmp_path / "data" / "R1_L100_bdf"
    root.mkdir(parents=True)
    shutil.copy(store / "participants.tsv", root)
    (root / "sub-A").symlink_to(store / "sub-A")
    (store / "sub-A" / "eeg" / "circle").symlink_to(store)
    found = scan(tmp_path / "data")
    assert len(found) == 13
    assert {one.path.parent for one in found} == {root / "sub-A" / "eeg"}


def test_a_clone_by_git_annex_lists_what_is_not_downloaded_too(tmp_path: Path) -> None:
    root = release(tmp_path / "ds005505", suffix="set")
    for path in root.rglob("*_eeg.set"):
        path.unlink()
        path.symlink_to("../../.git/annex/objects/gone")
    assert len(scan(root)) == 13


def test_what_a_folder_and_its_table_say_must_agree(tmp_path: Path) -> None:
    root = release(tmp_path / "R2_L100_bdf")
    table = root / "participants.tsv"
    table.write_text(table.read_text().replace("\tR2\t", "\tR5\t"))
    for one in scan(root):
        assert one.release == ""
        assert one.problem == "release unclear: participants.tsv and the folder's name say R2 and R5"
    moved = root.rename(tmp_path / "copy")
    assert {one.release for one in scan(moved)} == {"R5"}


def test_a_subject_that_the_table_does_not_list_has_its_folders_release_and_no_label(tmp_path: Path) -> None:
    root = release(tmp_path / "R3_L100_bdf")
    (root / "participants.tsv").write_text(HEADER)
    one = scan(root)[0]
    assert one.release == "R3"
    assert one.person == {}


def test_sessions_and_acquisitions_become_part_of_the_name(tmp_path: Path) -> None:
    eeg = tmp_path / "R1" / "sub-A" / "ses-2" / "eeg"
    eeg.mkdir(parents=True)
    (eeg / "sub-A_ses-2_task-RestingState_acq-x_run-01_eeg.bdf").touch()
    (eeg / "notes_eeg.bdf").touch()
    with pytest.warns(UserWarning, match="it is not there"):
        (one,) = scan(tmp_path)
    assert one.name == ("R1", "sub-A", "2", "RestingState", "x", "run-01")
    assert (one.session, one.acquisition, one.run) == ("2", "x", "01")


def test_every_real_sidecar_belongs_to_a_recording_that_would_be_found(
    sidecars: Path, tmp_path: Path
) -> None:
    root = tmp_path / "ds005505"
    root.mkdir()
    shutil.copy(sidecars / "participants.tsv", root)
    names = set()
    for path in sidecars.glob("sub-*/eeg/*_events.tsv"):
        recording = root / path.relative_to(sidecars).with_name(path.name.replace("_events.tsv", "_eeg.set"))
        recording.parent.mkdir(parents=True, exist_ok=True)
        recording.touch()
        names.add(recording)
    found = scan(root)
    assert {one.path for one in found} == names
    assert len(found) == 393
    assert all(not one.problem and one.release == "R1" for one in found)
    assert all(hbn.events_path(one.path).name.endswith("_events.tsv") for one in found)


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        ("R5", "R5"),
        ("5", "R5"),
        ("r05", "R5"),
        ("Release 5", "R5"),
        ("5.0", "R5"),
        ("R11", "R11"),
        ("n/a", ""),
    ],
)
def test_a_release_is_known_however_the_table_spells_it(tmp_path: Path, stated: str, told: str) -> None:
    root = release(tmp_path / "copy")
    table = root / "participants.tsv"
    table.write_text(HEADER + f"sub-NDARAA111AAA\t{stated}\tF\t9.5\t0.1\t0.2\t0.3\t0.4\n")
    assert {one.release for one in scan(root)} == {told}


def test_a_release_that_nobody_can_read_is_counted(tmp_path: Path) -> None:
    root = release(tmp_path / "copy")
    table = root / "participants.tsv"
    table.write_text(HEADER + "sub-NDARAA111AAA\tfifth\tF\t9.5\t0.1\t0.2\t0.3\t0.4\n")
    with pytest.warns(UserWarning, match="values of release_number unreadable 1"):
        assert {one.problem for one in scan(root)} == {
            "release unknown: neither participants.tsv nor the folder's name says"
        }


def test_rows_of_one_subject_that_name_two_releases_leave_it_in_doubt(tmp_path: Path) -> None:
    root = release(tmp_path / "copy")
    rows = "".join(f"sub-NDARAA111AAA\t{name}\tM\t9\t0\t0\t0\t0\n" for name in ("R1", "R5"))
    (root / "participants.tsv").write_text(HEADER + rows)
    with pytest.warns(UserWarning, match="release_number on which rows of one entry disagree 1"):
        assert {one.problem for one in scan(root)} == {
            "release unclear: participants.tsv and the folder's name say R1 and R5"
        }


@pytest.mark.parametrize(("age", "kept"), [("9.5", True), ("22.0", True), ("99", False), ("-3", False)])
def test_an_age_that_hbn_cannot_have_is_left_out_and_counted(tmp_path: Path, age: str, kept: bool) -> None:
    root = release(tmp_path / "R1_L100_bdf")
    (root / "participants.tsv").write_text(HEADER + f"sub-NDARAA111AAA\tR1\tF\t{age}\t0\t0\t0\tn/a\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        one = scan(root)[0]
    assert one.person.get("age") == (age if kept else None)
    assert "externalizing" not in one.person
    counted = [str(warning.message) for warning in caught]
    assert len(counted) == (not kept)
    assert all("values of age out of range 1" in said for said in counted)
