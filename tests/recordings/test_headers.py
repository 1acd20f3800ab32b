"""Headers: what MNE says of the same files, each opened once; nothing that is wrong with one raises."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import edfio
import mne
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cerebro.recordings.failures import kind_of_reason
from cerebro.recordings.headers import Header, glance, read_headers
from cerebro.recordings.signals import FORMATS, open_raw

WriteSignals = Callable[..., Path]
NET = [*(f"E{number}" for number in range(1, 129)), "Cz"]


def header(path: Path, state: Path | None = None) -> Header:
    (only,) = read_headers([path], state=state)
    return only


def write_set(path: Path, labels: Sequence[str], *, sfreq: float = 500, seconds: float = 4) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    signal = np.random.default_rng(0).standard_normal((len(labels), int(sfreq * seconds))) * 1e-5
    raw = mne.io.RawArray(signal, mne.create_info(list(labels), sfreq, "eeg"), verbose="error")
    mne.export.export_raw(path, raw, verbose="error")
    return path


def with_same_size_and_time(path: Path, content: bytes) -> None:
    """Replace a file's content behind the back of whoever looks at sizes and times alone."""
    before = path.stat()
    path.write_bytes(content.ljust(before.st_size, b"x")[: before.st_size])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("suffix", ["edf", "bdf"])
@pytest.mark.parametrize(
    ("sfreq", "record_seconds"), [(250, 1), (256, 2), (400, 0.5), (512, 1), (1000, 0.1), (1024, 5)]
)
def test_rate_length_and_channels_are_those_that_mne_reads(
    tmp_path: Path, suffix: str, sfreq: int, record_seconds: float
) -> None:
    path = tmp_path / f"a.{suffix}"
    kind, signal = (edfio.Bdf, edfio.BdfSignal) if suffix == "bdf" else (edfio.Edf, edfio.EdfSignal)
    labels = ["EEG FP1-REF", "EEG T3-REF", "EEG EKG1-REF", "EEG 26-REF", "EEG A2-LE", "IBI"]
    kind(
        [
            signal(np.zeros(10 * sfreq), sfreq, label=label, physical_dimension="uV", physical_range=(-9, 9))
            for label in labels
        ],
        data_record_duration=record_seconds,
    ).write(path)
    found = header(path)
    raw = open_raw(path)
    assert (found.status, found.sfreq, found.duration) == ("ok", raw.info["sfreq"], 10)
    assert found.duration == raw.n_times / raw.info["sfreq"]
    assert list(found.channels) == raw.ch_names == ["Fp1", "T7", "A2"]


def test_a_real_eeglab_file_and_its_signals_beside_it(real_recordings: Path) -> None:
    path = real_recordings / "eeglab_data.set"
    found, raw = header(path), mne.io.read_raw_eeglab(path, verbose="error")
    assert (found.sfreq, found.duration) == (128, raw.n_times / 128)
    assert found.size_bytes == path.stat().st_size + path.with_suffix(".fdt").stat().st_size


def test_originals_of_hbn_at_500_hz_keep_129_channels(tmp_path: Path) -> None:
    found = header(write_set(tmp_path / "a.set", NET))
    assert (found.sfreq, found.duration, list(found.channels)) == (500, 4, NET)


def test_an_unchanged_file_is_not_opened_again_and_a_changed_one_is(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    path, state = write_signals(tmp_path / "a.edf", ["Fp1", "Cz"]), tmp_path / "state"
    first = header(path, state)
    with_same_size_and_time(path, b"garbage")
    assert header(path, state) == first
    assert header(path).status == "quarantined"
    os.utime(path)
    assert header(path, state).status == "quarantined"


def test_a_quarantined_file_is_not_retried_until_it_changes(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    path, state = write_signals(tmp_path / "a.edf", ["Fp1", "Cz"]), tmp_path / "state"
    good = path.read_bytes()
    with_same_size_and_time(path, b"garbage")
    assert "wrong first bytes" in header(path, state).reason
    with_same_size_and_time(path, good)
    assert header(path, state).status == "quarantined"
    os.utime(path)
    assert header(path, state).status == "ok"


def test_what_came_to_be_downloaded_is_read_the_next_time(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    path, state = tmp_path / "a.edf", tmp_path / "state"
    path.symlink_to("annex/a.edf")
    assert header(path, state).status == "missing"
    write_signals(tmp_path / "annex" / "a.edf", ["Fp1"])
    assert header(path, state).status == "ok"


def test_a_scan_that_was_interrupted_goes_on_where_it_was(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    paths = [write_signals(tmp_path / f"{name}.edf", ["Fp1"]) for name in "abc"]
    state = tmp_path / "state"
    scan = read_headers(paths, state=state)
    next(scan), next(scan)
    scan.close()
    with (state / "headers.jsonl").open("a") as stream:
        stream.write('["half a li')  # cut off by a power failure
    for path in paths:
        with_same_size_and_time(path, b"garbage")
    assert [one.status for one in read_headers(paths, state=state)] == ["ok", "ok", "quarantined"]


def test_memory_forgets_files_that_are_gone(tmp_path: Path, write_signals: WriteSignals) -> None:
    kept, gone = (write_signals(tmp_path / f"{name}.edf", ["Fp1"]) for name in ("kept", "gone"))
    state = tmp_path / "state"
    list(read_headers([kept, gone], state=state))
    gone.unlink()
    list(read_headers([kept], state=state))
    assert [line.split('"')[1] for line in (state / "headers.jsonl").read_text().splitlines()] == [str(kept)]


def test_headers_come_in_the_order_of_the_paths_whatever_the_threads(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    labels = ["Fp1", "Fp2", "C3", "C4", "O1", "O2", "Cz", "Pz"]
    paths = [write_signals(tmp_path / f"{number}.edf", labels[: number + 1]) for number in range(8)]
    counts = [len(one.channels) for one in read_headers(paths, threads=4)]
    assert counts == list(range(1, 9))


def test_signals_beside_that_are_not_downloaded_are_missing_and_too_short_ones_are_broken(
    tmp_path: Path, real_recordings: Path
) -> None:
    path = tmp_path / "eeglab_data.set"
    path.write_bytes((real_recordings / "eeglab_data.set").read_bytes())
    signals = path.with_suffix(".fdt")
    assert header(path).status == "missing"
    signals.symlink_to("../.git/annex/objects/gone")
    assert (header(path).status, glance(path).status) == ("missing", "missing")
    signals.unlink()
    signals.write_bytes((real_recordings / "eeglab_data.fdt").read_bytes()[:-100_000])
    found = header(path)
    assert found.status == "quarantined"
    assert "eeglab_data.fdt" in found.reason


@pytest.mark.parametrize(
    "pointer",
    [
        b"/annex/objects/SHA256E-s93--abc.set\n",
        b"../../.git/annex/objects/zJ/1w/MD5E-s93--abc.set/MD5E-s93--abc.set",
    ],
)
def test_a_pointer_of_git_annex_is_missing_not_broken(tmp_path: Path, pointer: bytes) -> None:
    (tmp_path / "a.set").write_bytes(pointer)
    assert header(tmp_path / "a.set").status == glance(tmp_path / "a.set").status == "missing"


def test_a_link_to_itself_is_broken_and_no_fault_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "a.edf").symlink_to("a.edf")
    assert header(tmp_path / "a.edf").status == glance(tmp_path / "a.edf").status == "quarantined"


def test_a_truncated_file_says_how_much_it_holds(tmp_path: Path, write_signals: WriteSignals) -> None:
    path = write_signals(tmp_path / "a.bdf", NET)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    found = header(path)
    assert found.status == "quarantined"
    assert "truncated: its header promises 10 data records, the file holds 6" in found.reason


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("truncated: a.eeg holds 5 of 10 samples", "truncated: sub-1_eeg.fdt holds 7.5 of 20 samples"),
        (
            "its record stamps jump from 2 s to 30 s, while a record lasts 1 s",
            "its record stamps jump from 0.5 s to 1e+03 s, while a record lasts 0.5 s",
        ),
        ("spread by less than 0.013 µV; EEG spreads by", "spread by less than 1.5e-07 µV; EEG spreads by"),
        ("not there: a.fdt, which belongs to it", "not there: b.edf, a link to ../annex/b.edf"),
    ],
)
def test_like_reasons_are_counted_together(one: str, other: str) -> None:
    assert kind_of_reason(one) == kind_of_reason(other)


@settings(max_examples=150, deadline=None, print_blob=True)
@given(
    content=st.binary(max_size=600),
    suffix=st.sampled_from(FORMATS),
    start=st.sampled_from(
        [
            b"",
            b"0       ",
            b"\xffBIOSEMI",
            b"MATLAB 5.0 MAT-file",
            b"Brain Vision Data Exchange Header File Version 1.0\n",
        ]
    ),
)
def test_no_content_of_a_file_raises(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str, start: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / f"generated.{suffix}"
    path.write_bytes(start + content)
    found = header(path)
    assert found.status in ("quarantined", "missing")
    assert found.reason
    assert "\n" not in found.reason
