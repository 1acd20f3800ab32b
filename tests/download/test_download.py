"""`cerebro download` against a real S3 server on loopback: what it asks for, what it writes, what it says."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cerebro.recordings import hbn

Command = Any
Store = Any


def wanted(store: Store) -> dict[str, bytes]:
    """What a download of everything must leave behind."""
    return {key: body for key, body in store.content.items() if "derivatives" not in key}


def local(command: Command, key: str) -> Path:
    """Where an object lies after the download."""
    return command.folder / key.removeprefix("NeurIPS25/")


def test_a_release_arrives_whole_and_is_read_as_that_release(command: Command, store: Store) -> None:
    assert command() == 0
    assert command.files() == wanted(store)
    found = list(hbn.scan([command.folder]))
    assert len(found) == 6
    assert {recording.release for recording in found} == {"R5"}


def test_sidecars_come_before_signals(command: Command, store: Store) -> None:
    command()
    objects = [path for method, path, _ in store.wire.requests if method == "GET" and path.count("/") > 2]
    signals = [path.endswith(".bdf") for path in objects]
    assert signals == sorted(signals)


def test_files_come_side_by_side(command: Command, store: Store) -> None:
    store.wire.seconds_per_block = 0.002
    assert command(connections=4) == 0
    assert 2 <= store.wire.most_at_once <= 4


def test_a_second_run_asks_for_nothing_but_the_listing(command: Command, store: Store) -> None:
    command()
    store.wire.forget()
    assert command() == 0
    assert [path for _, path, _ in store.wire.requests] == ["/nmdatasets"]


def test_a_file_killed_half_way_continues_from_its_last_byte(
    command: Command, store: Store, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    """A killed process gets no chance to tidy up: what it wrote to the disk is all that the next one has."""
    store.wire.seconds_per_block = 0.02
    line = [sys.executable, "-m", "cerebro.cli", *command.arguments(connections=1)]
    running = subprocess.Popen(line, stdout=subprocess.DEVNULL)
    parts = f".{Path(store.large).name}.*.part"
    eventually(lambda: any(path.stat().st_size > 1 << 20 for path in command.folder.rglob(parts)))
    running.send_signal(signal.SIGKILL)
    running.wait()

    (part,) = command.folder.rglob(parts)
    have, size = part.stat().st_size, len(store.content[store.large])
    assert 0 < have < size
    assert not local(command, store.large).exists()
    eventually(lambda: store.wire.at_once == 0)
    store.wire.seconds_per_block = 0.0
    store.wire.forget()
    assert command() == 0
    ranges = [(path, asked) for method, path, asked in store.wire.requests if method == "GET" and asked]
    assert ranges == [(f"/nmdatasets/{store.large}", f"bytes={have}-")]
    assert store.wire.sent[f"/nmdatasets/{store.large}"] == size - have
    assert command.files() == wanted(store)


def test_an_answer_that_breaks_off_is_continued_within_the_run(command: Command, store: Store) -> None:
    path = f"/nmdatasets/{store.small}"
    store.wire.break_after[path] = 1_234_567
    assert command() == 0
    assert store.wire.sent[path] == len(store.content[store.small])
    assert (("GET", path, "bytes=1234567-")) in store.wire.requests
    assert command.files() == wanted(store)


@pytest.mark.parametrize("which", ["small", "large"])
def test_content_garbled_on_the_wire_is_detected_and_fetched_again(
    command: Command, store: Store, which: str
) -> None:
    key = getattr(store, which)
    store.wire.garble[f"/nmdatasets/{key}"] = 1
    assert command() == 0
    assert store.wire.sent[f"/nmdatasets/{key}"] == 2 * len(store.content[key])
    assert command.files() == wanted(store)
    assert command.outcomes()["fetched again, since its checksum did not match"] == 1


def test_content_that_is_always_garbled_never_gets_its_name_and_the_rest_is_kept(
    command: Command, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    store.wire.garble[f"/nmdatasets/{store.small}"] = 99
    assert command() == 1
    error = capsys.readouterr().err
    assert error.startswith(
        "cerebro download: 1 files could not be fetched (first: R5_mini_L100_bdf/sub-NDARBB"
    )
    assert "does not match its checksum" in error
    expected = wanted(store)
    del expected[store.small]
    assert command.files() == expected
    store.wire.garble.clear()
    assert command() == 0
    assert command.files() == wanted(store)


@pytest.mark.parametrize("which", ["small", "large"])
def test_a_local_file_that_was_damaged_is_fetched_again(command: Command, store: Store, which: str) -> None:
    command()
    key = getattr(store, which)
    damaged = bytearray(store.content[key])
    damaged[1000] ^= 255
    local(command, key).write_bytes(damaged)
    store.wire.forget()
    assert command() == 0
    assert command.files() == wanted(store)
    assert store.wire.contents() == {Path(key).name: len(store.content[key])}


def test_a_file_that_was_only_touched_is_compared_and_not_fetched(command: Command, store: Store) -> None:
    command()
    os.utime(local(command, store.large))
    store.wire.forget()
    assert command() == 0
    assert command.outcomes() == {"compared": 1}
    assert not store.wire.contents()
    store.wire.forget()
    assert command() == 0
    assert not command.outcomes()


def test_files_that_came_in_another_way_are_compared_and_not_fetched(command: Command, store: Store) -> None:
    """For instance by `aws s3 cp`: there is no manifest."""
    for key, body in wanted(store).items():
        local(command, key).parent.mkdir(parents=True, exist_ok=True)
        local(command, key).write_bytes(body)
    assert command() == 0
    assert not store.wire.contents()


def test_a_line_cut_off_in_the_manifest_costs_one_comparison(command: Command, store: Store) -> None:
    command()
    (manifest,) = command.folder.rglob(".cerebro-verified.jsonl")
    manifest.write_bytes(manifest.read_bytes()[:-30])
    assert command() == 0
    assert command.outcomes() == {"compared": 1}
    assert command() == 0
    assert not command.outcomes()


def test_a_new_version_in_the_bucket_replaces_the_old_one(command: Command, store: Store) -> None:
    command()
    store.put("nmdatasets", store.small, b"a better recording")
    assert command() == 0
    assert command.outcomes() == {"replaced": 1}
    assert local(command, store.small).read_bytes() == b"a better recording"


def test_the_beginning_of_an_old_version_is_not_continued_with_a_new_one(
    command: Command, store: Store
) -> None:
    target = local(command, store.small)
    target.parent.mkdir(parents=True)
    stale = target.with_name(f".{target.name}.{'0' * 32}.part")
    stale.write_bytes(b"of an older version")
    assert command() == 0
    assert target.read_bytes() == store.content[store.small]
    assert not stale.exists()


def test_a_dangling_link_is_replaced_by_its_file(command: Command, store: Store) -> None:
    """A clone made by git-annex holds links to what has not been fetched."""
    target = local(command, store.small)
    target.parent.mkdir(parents=True)
    target.symlink_to("../../.git/annex/objects/nowhere")
    assert command() == 0
    assert target.read_bytes() == store.content[store.small]


def test_chosen_tasks_and_a_number_of_subjects(command: Command, store: Store) -> None:
    assert command(tasks=["RestingState"], subjects=2) == 0
    names = {Path(key).name for key in command.files()}
    assert names == {
        "participants.tsv",
        "dataset_description.json",
        "task-RestingState_events.json",
        *(f"{subject}_task-RestingState_eeg.bdf" for subject in store.subjects[:2]),
        *(f"{subject}_task-RestingState_events.tsv" for subject in store.subjects[:2]),
    }


def test_chosen_subjects_with_or_without_their_prefix(command: Command, store: Store) -> None:
    assert command(subjects=["NDARBB222BBB", "sub-NDARCC333CCC"]) == 0
    assert {recording.subject for recording in hbn.scan([command.folder])} == set(store.subjects[1:])


def test_the_originals_lie_on_openneuro_under_their_accession_number(command: Command, store: Store) -> None:
    store.create("openneuro.org")
    stem = "ds005509/sub-NDARAA111AAA/eeg/sub-NDARAA111AAA_task-RestingState_eeg"
    for suffix in (".set", ".fdt", ".json"):
        store.put("openneuro.org", stem + suffix, suffix.encode())
    assert command(format="set") == 0
    (recording,) = hbn.scan([command.folder])
    assert recording.release == "R5"
    assert recording.path == command.folder / f"{stem}.set"
    assert recording.path.with_suffix(".fdt").read_bytes() == b".fdt"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"releases": ["R13"]}, "download.releases: HBN has no public release 'R13'; there are R1 to R11"),
        (
            {"releases": ["R4"]},
            "download.releases: s3://nmdatasets/NeurIPS25/R4_mini_L100_bdf/ holds nothing",
        ),
        ({"format": "set"}, "s3://openneuro.org/ds005509/ can't be listed: NoSuchBucket"),
        ({"tasks": ["Restingstate"]}, "R5 (bdf_mini) has no 'Restingstate'; did you mean 'RestingState'?"),
        ({"subjects": ["sub-NDARXX"]}, "download.subjects: R5 (bdf_mini) has no 'sub-NDARXX'"),
        ({"endpoint": "http://127.0.0.1:1"}, "can't be listed: Could not connect to the endpoint"),
    ],
)
def test_what_is_not_there_is_one_sentence(
    command: Command, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], sentence: str
) -> None:
    assert command(**changes) == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert error.startswith("cerebro download: ")
    assert error.count("\n") == 1
    assert not command.folder.exists()


def test_the_size_is_said_before_anything_comes(
    command: Command, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    command()
    said = capsys.readouterr().out
    size = sum(map(len, wanted(store).values())) / 1e6
    assert f"{size:.1f} MB to fetch into {command.folder}" in said.replace("\n", "")


def test_a_disk_too_small_stops_before_anything_comes(
    command: Command, store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(command.folder.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=20_000_000))
    assert command() == 1
    assert "has 20.0 MB free and 27.0 MB are to be fetched" in capsys.readouterr().err
    assert not store.wire.contents()


def test_a_tuh_dataset_without_files_says_that_it_needs_a_licence(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command.tuh = {"tuh": [str(tmp_path / "tuh_eeg")]}
    assert command(subjects=1) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "datasets.tuh: no EDF file in" in said
    assert "licence" in said
    assert "docs/getting_data.md" in said


def test_a_tuh_dataset_with_files_says_nothing(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "tuh_eeg" / "edf" / "000"
    folder.mkdir(parents=True)
    (folder / "aaaaaaaa_s001_t000.edf").touch()
    command.tuh = {"tuh": [str(tmp_path / "tuh_eeg")]}
    assert command(subjects=1) == 0
    assert "licence" not in capsys.readouterr().out


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait until something holds, for at most half a minute."""

    def wait(holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not holds():
            assert time.monotonic() < deadline, "it never came to hold"
            time.sleep(0.01)

    return wait
