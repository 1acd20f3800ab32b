"""`cerebro check` says what the run itself would find, in seconds, and writes nothing."""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cerebro.check.lengths import HEADERS
from cerebro.check.survey import survey
from cerebro.cli import main
from cerebro.config import Dataset, Preprocessing, Quality
from cerebro.recordings.inventory import build_inventory
from cerebro.shards.build import build_shard

Check = Callable[..., tuple[int, str]]
HBN = {"hbn": Dataset(reader="hbn", roots=(Path("data/hbn"),), max_failed_share=1)}


def cells(said: str, start: str) -> list[str]:
    """The columns of the printed line that begins with these words."""
    (line,) = [line for line in said.splitlines() if " ".join(line.split()).startswith(start)]
    return re.split(r"\s{2,}", line.strip())


def problems(said: str) -> list[str]:
    return [line.removeprefix("PROBLEM: ") for line in said.splitlines() if line.startswith("PROBLEM")]


def damage(archive: Path) -> None:
    """Break one file of each kind in release 1, and leave two that were never downloaded."""
    eeg = {n: archive / f"data/hbn/R1_L100_bdf/sub-A{n}/eeg" for n in range(6)}
    run = "task-contrastChangeDetection_run-1_eeg.bdf"
    whole = (eeg[0] / f"sub-A0_{run}").read_bytes()
    (eeg[0] / f"sub-A0_{run}").write_bytes(whole[: len(whole) // 2])
    (eeg[1] / f"sub-A1_{run}").write_bytes(b"")
    (eeg[2] / f"sub-A2_{run}").write_bytes(b"<html>not found</html>" * 20)
    (eeg[3] / f"sub-A3_{run}").unlink()
    (eeg[3] / f"sub-A3_{run}").symlink_to("../../.git/annex/objects/gone")
    (eeg[4] / f"sub-A4_{run}").write_bytes(b"/annex/objects/SHA256E-s123--abc.bdf\n")


def test_a_sound_archive_is_described_and_nothing_stands_in_the_way(archive: Path, check: Check) -> None:
    code, said = check()
    assert code == 0
    assert said.rstrip().endswith("Nothing stands in the way of a run.")
    assert cells(said, "hbn data/hbn")[:4] == ["hbn", "data/hbn", "8", "16"]
    assert cells(said, "hbn data/hbn")[4] == f"{(8 * 42) / 3600:.2f}"  # 30 s and 12 s of 8 subjects
    assert cells(said, "tuh data/tuh")[:4] == ["tuh", "data/tuh", "3", "3"]
    assert cells(said, "contrastChangeDetection")[1:3] == ["8", "8"]
    assert cells(said, "hbn age") == ["hbn", "age", "people", "8", "0", "9.5 to 9.5"]
    assert cells(said, "sex people 8") == ["sex", "people", "8", "0", "female 8"]
    assert cells(said, "externalizing people") == ["externalizing", "people", "6", "2", "0.1 to 0.4"]
    tasks = ["16", "0", "DespicableMe 8, contrastChangeDetection 8"]
    assert cells(said, "task recordings") == ["task", "recordings", *tasks]
    assert cells(said, "tuh age") == ["tuh", "age", "people", "3", "0", "65 to 65"]
    assert "note: labels.sex.classes: nobody is male: column sex holds 'F'" in said
    assert cells(said, "reaction_time") == ["reaction_time", "finetune", "yes", "5", "1", "2"]
    assert cells(said, "externalizing finetune")[3:] in (["4", "1", "1"], ["5", "", "1"])


def test_a_file_that_the_disk_does_not_give_would_stop_the_run(archive: Path, check: Check) -> None:
    path = next((archive / "data/hbn/R1_L100_bdf/sub-A0/eeg").glob("*.bdf"))
    path.unlink()
    path.symlink_to("/proc/self/mem")  # every read fails, for root too
    code, said = check()
    assert code == 1
    (problem,) = problems(said)
    assert re.match(r"1 of hbn's recordings can't be read \(first: .*sub-A0.*running again may help", problem)


def test_nothing_is_written_and_no_file_is_changed(archive: Path, check: Check) -> None:
    before = {path: path.lstat().st_mtime_ns for path in (archive / "data").rglob("*")}
    check()
    assert {path: path.lstat().st_mtime_ns for path in (archive / "data").rglob("*")} == before
    assert sorted(path.name for path in archive.iterdir()) == ["data", "mine.yaml"]


def test_what_it_finds_is_what_the_inventory_finds(archive: Path) -> None:
    damage(archive)
    found = survey("hbn", HBN["hbn"], HBN["hbn"].roots, ("A5",)).rows.set_index("recording")
    build_inventory(HBN, raw=None, excluded_subjects=("A5",), output=archive / "inventory.parquet")
    inventory = pd.read_parquet(archive / "inventory.parquet").set_index("recording")
    assert inventory["status"].value_counts().to_dict() == {
        "ok": 9,
        "quarantined": 3,
        "missing": 2,
        "excluded": 2,
    }
    columns = ["status", "reason", "release", "subject", "task", "person", "facts", "folder"]
    pd.testing.assert_frame_equal(found[columns], inventory[columns])
    usable = inventory["status"] == "ok"
    pd.testing.assert_series_equal(found.loc[usable, "duration"], inventory.loc[usable, "duration"])


def test_broken_files_are_named_with_their_reason_and_stop_where_they_would_stop_the_run(
    archive: Path, check: Check
) -> None:
    damage(archive)
    code, said = check()
    assert code == 1
    for reason in (
        "truncated: its header promises more",
        "the file is empty",
        "wrong first bytes",
        "not downloaded",
    ):
        assert reason in said
    for subject in (0, 1, 2):
        assert f"sub-A{subject}_task-contrastChangeDetection_run-1_eeg.bdf" in said
    assert problems(said)[0].startswith(
        "3 of 14 recordings of hbn are quarantined, more than datasets.hbn.max_fail"
    )
    _, said = check({"datasets": {"hbn": {"max_failed_share": 0.3}}})
    assert not any("quarantined" in problem for problem in problems(said))


def test_the_expected_size_of_the_shards_is_the_one_that_they_get(archive: Path, check: Check) -> None:
    _, said = check()
    build_inventory(HBN, raw=None, excluded_subjects=(), output=archive / "inventory.parquet")
    build_shard(
        Preprocessing(),
        Quality(),
        inventory=archive / "inventory.parquet",
        group="hbn-0",
        output=archive / "hbn-0.npy",
        table=archive / "hbn-0.parquet",
    )
    megabytes = float(cells(said, "shards of hbn")[1].split()[0])
    assert megabytes * 1e6 == pytest.approx((archive / "hbn-0.npy").stat().st_size, rel=0.01)


def test_of_many_files_only_some_are_opened_and_the_other_lengths_follow_from_sizes(
    archive: Path, tuh_patient: Callable[..., Path]
) -> None:
    seconds = {f"bbbbbb{a}{b}": 10 + (7 * n) % 50 for n, (a, b) in enumerate(_pairs(130))}
    for patient, length in seconds.items():
        tuh_patient(archive / "many", patient, seconds=length)
    found = survey("tuh", Dataset(reader="tuh"), [archive / "many"], ())
    assert len(found.rows) == 130
    assert len(found.lengths.headers) == found.rows["opened"].sum() == HEADERS
    expected = found.rows["subject"].map(seconds)
    rest = ~found.rows["opened"]
    # The header, 1.5 kB of some 50 kB, counts as signal: of no account in a real file.
    assert (found.rows.loc[rest, "duration"] / expected[rest] - 1).abs().max() < 0.15
    assert found.rows["duration"].sum() == pytest.approx(expected.sum(), rel=0.02)


def _pairs(count: int) -> list[tuple[str, str]]:
    letters = "abcdefghijklmnopqrst"
    return [(a, b) for a in letters for b in letters][:count]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"datasets": {"hbn": {"roots": ["data/hbn", "data/a", "data/b"]}}},
            "datasets.hbn.roots: there is no folder data/a, data/b; docs/getting_data.md says how",
        ),
        (
            {
                "datasets": {"hbn": {"roots": ["data/R2_L100_bdf"]}},
                "download": {"releases": ["R2"], "folder": "data"},
            },
            "there is no folder data/R2_L100_bdf; `snakemake --cores 1 download --configfile ",
        ),
        (
            {"datasets": {"tuh": {"roots": ["data/nowhere"]}}},
            "datasets.tuh.roots: there is no folder data/nowhere; the TUH EEG corpus can't be fetched by",
        ),
        (
            {"datasets": {"hbn": {"tasks": ["Restingstate"]}}},
            "datasets.hbn: no recording of datasets.hbn.tasks in data/hbn, which holds DespicableMe, co",
        ),
        (
            {"datasets": {"tuh": {"reader": "hbn"}}},
            "datasets.tuh: no recording in data/tuh",
        ),
        (
            {"datasets": {"tuh": {"exclude_evaluation_of": ["data/tuab"]}}},
            "datasets.tuh.exclude_evaluation_of: there is no folder data/tuab",
        ),
        (
            {"datasets": {"hbn": {"tasks": ["DespicableMe"]}}},
            "splits.test: nothing to score challenge 1 on: it needs labels.reaction_time: events target with",
        ),
        (
            {"datasets": {"hbn": {"tasks": ["contrastChangeDetection"]}}},
            "phases.contrast: no train windows: they need labels.movie: events with a movie; 5 recordings",
        ),
        (
            {"phases": {"contrast": {"subjects_per_moment": 6}}},
            "phases.contrast: 0 moments of source movie are shared by 6 training subjects, 2 are needed",
        ),
    ],
)
def test_what_would_stop_the_run_is_a_problem_that_names_its_key(
    archive: Path, check: Check, changes: Mapping[str, Any], sentence: str
) -> None:
    code, said = check(changes)
    assert code == 1
    assert any(sentence in line for line in problems(said)), said
    assert "Traceback" not in said
    assert re.search(r"cerebro check: the run would fail: (one problem|\d+ problems), listed above", said)


def test_a_disk_too_small_for_the_shards_is_a_problem(
    archive: Path, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(archive)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
    code, said = check()
    assert code == 1
    assert problems(said)[0].startswith("the shards need more than is free in ")


def test_what_is_left_out_is_counted_under_its_key(archive: Path, check: Check) -> None:
    _, said = check(
        {
            "datasets": {"hbn": {"tasks": ["contrastChangeDetection"], "exclude": ["A1"]}},
            "splits": {"excluded_subjects": ["sub-A2"]},
        }
    )
    left_out = said[said.index("Left out") :]
    assert cells(left_out, "hbn unwanted")[1:] == [
        "unwanted",
        "task not among datasets.hbn.tasks: DespicableMe",
        "8",
    ]
    assert cells(left_out, "excluded subject excluded by datasets")[1:] == [
        "subject excluded by datasets.hbn.exclude",
        "1",
        "1",
    ]
    assert "subject excluded by the configuration" in left_out


def test_labels_that_a_table_does_not_have_are_noted(archive: Path, check: Check) -> None:
    table = archive / "data/hbn/R1_L100_bdf/participants.tsv"
    table.write_text(
        "participant_id\trelease_number\tage\n" + "".join(f"sub-A{n}\tR1\t{99}\n" for n in range(6))
    )
    _, said = check()
    assert cells(said, "hbn age")[3:5] == ["2", "6"]
    assert cells(said, "externalizing people")[2:4] == ["1", "7"]
    assert "hbn/R1_L100_bdf/participants.tsv: taken as missing: values of age out of range 6" in said


def test_a_study_that_is_not_simulated_yet_says_so(
    tmp_path: Path, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    simulation = {"releases": {"R1": {"subjects": 2}}, "movies": ["ThePresent"]}
    code, said = check({"simulation": simulation, "datasets": {"hbn": {"roots": []}, "tuh": {"roots": []}}})
    assert code == 0
    assert "note: datasets.hbn: simulated, and not yet written" in said


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("datasets: {hbn: {root: [data]}}", "configuration: unknown key 'datasets.hbn.root'; did you mean"),
        ("datasets: [", "mine.yaml: "),
        (
            "phases: {x: {kind: finetune, target: externalizing, encoder: {braindecode: EEGNex}}}",
            "configuration: phases.x.encoder: braindecode has no model 'EEGNex'; nearest: EEGNeX",
        ),
        (None, "there is no configuration "),
    ],
)
def test_a_configuration_that_is_none_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, sentence: str
) -> None:
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_text(content)
    assert main(["check", str(path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("cerebro check: ")
    assert sentence in error
    assert error.count("\n") == 1


def test_variants_of_the_base_are_not_a_studys_own(archive: Path, check: Check) -> None:
    """One of the challenge's leaves out the dataset `tuh`, which this study calls by another name."""
    renamed = {
        "datasets": {"tuh": None, "clinic": {"reader": "tuh", "roots": ["data/tuh"]}},
        "phases": {"pretrain": {"mix": {"tuh": None, "clinic": 0.3}}},
    }
    _, said = check(renamed)
    assert "ablations" not in said
    own = {"ablations": {"variants": {"odd": {"no_such_phase": {"temperature": 0.2}}}}}
    _, said = check(renamed | own)
    assert "note: snakemake ablations would stop: " in said
