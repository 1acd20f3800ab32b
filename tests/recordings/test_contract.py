"""The contract of every recording: what can be EEG passes, what can't be is refused with the number."""

import re
from collections.abc import Sequence
from pathlib import Path

import mne
import numpy as np
import pytest

from cerebro.config import Preprocessing
from cerebro.recordings.contract import refuse_no_eeg, refuse_times
from cerebro.recordings.failures import BrokenRecording
from cerebro.recordings.signals import open_raw
from cerebro.shards.preprocess import preprocess

SFREQ, SECONDS = 100, 120
EIGHT = ("Fp1", "Fp2", "C3", "C4", "O1", "O2", "T7", "T8")


def eeg(random: np.random.Generator, n_chans: int = 8, scale: float = 15.0) -> np.ndarray:
    """A rhythm and noise, µV, shape (n_chans, n_times)."""
    times = np.arange(SECONDS * SFREQ) / SFREQ
    return scale * (random.standard_normal((n_chans, times.size)) + np.sin(2 * np.pi * 10 * times))


def judge(signal_uv: np.ndarray, names: Sequence[str] = EIGHT) -> None:
    """As the shard step does."""
    info = mne.create_info(list(names[: len(signal_uv)]), SFREQ, "eeg")
    raw = mne.io.RawArray(signal_uv / 1e6, info, verbose="error")
    refuse_no_eeg(preprocess(raw, Preprocessing(), filtered=False), sfreq=SFREQ)


def test_field_recordings_pass_with_all_that_happens_in_the_field() -> None:
    random = np.random.default_rng(0)
    quiet, loud = eeg(random, scale=2), eeg(random, scale=120)
    offsets = eeg(random) + np.linspace(-9000, 9000, 8)[:, None]
    drifts = eeg(random) + 3000 * np.sin(np.arange(SECONDS * SFREQ) / 2000)
    saturated = eeg(random)
    saturated[:, : SECONDS * SFREQ // 2] = 4000
    walking = eeg(random) + 400 * random.standard_normal((8, 1)) * np.sin(np.arange(SECONDS * SFREQ) / 20)
    loose = eeg(random)
    loose[:5] = 5000 * random.standard_normal((5, SECONDS * SFREQ))
    unplugged = eeg(random)
    unplugged[1:] = 0
    paused = eeg(random)
    paused[:, SFREQ * 20 :] = 0
    for signal in (quiet, loud, offsets, drifts, saturated, walking, loose, unplugged, paused):
        judge(signal)


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (1e-3, r"less than 0\.01\d µV"),
        (1e-6, r"no second of any channel spreads by more than \S+ µV"),
        (0, "no second of any channel spreads by more than 0 µV"),
        (1e3, r"more than 1\d000 µV"),
        (1e40, r"some of its samples lie beyond 3e\+38 µV"),
        (1e6, r"more than 1\.\d+e\+07 µV"),
    ],
)
def test_another_unit_is_refused_with_what_was_seen(factor: float, words: str) -> None:
    random = np.random.default_rng(1)
    with pytest.raises(BrokenRecording, match=rf"{words}; EEG spreads by 0\.5 to 1000 µV"):
        judge(factor * eeg(random, scale=12))


def test_one_value_throughout_and_samples_out_of_step_are_no_eeg() -> None:
    with pytest.raises(BrokenRecording, match="no EEG"):
        judge(np.full((8, SECONDS * SFREQ), 1234.5))
    stored = np.rint(eeg(np.random.default_rng(2)) * 10).astype("<i2").tobytes()
    misread = np.frombuffer(stored[1:] + b"\x00", "<i2").reshape(8, -1).astype(float)  # one byte late
    with pytest.raises(BrokenRecording, match=r"spread by more than \S+ µV"):
        judge(misread)


def test_rates_and_lengths_that_are_none_of_eeg_are_refused() -> None:
    assert refuse_times(n_times=80, rates=(128, 128)) == 128
    for n_times, rates, words in (
        (10_000, (1e-3,), "a sampling rate of 0.001 Hz; that of EEG is 50 to 100000 Hz"),
        (10_000, (100, 200), "uneven sampling rates: 100, 200 Hz"),
        (60, (128,), "only 60 samples, 0.47 s"),
    ):
        with pytest.raises(BrokenRecording, match=words):
            refuse_times(n_times=n_times, rates=rates)


def test_real_recordings_pass_and_none_of_them_in_another_unit(real_recordings: Path) -> None:
    paths = [real_recordings / "eeglab_data.set", *sorted(real_recordings.rglob("*.edf"))[::9]]
    for path in paths:
        signal = preprocess(open_raw(path), Preprocessing(), filtered=False)
        refuse_no_eeg(signal, sfreq=SFREQ)
        for factor in (1e-6, 1e-3, 1e3, 1e6):
            with pytest.raises(BrokenRecording, match="no EEG, or of another unit"):
                refuse_no_eeg(signal * np.float32(factor), sfreq=SFREQ)


def test_what_is_no_eeg_in_odd_files_is_refused(real_recordings: Path) -> None:
    odd = real_recordings.parent / "odd_files"
    if not odd.is_dir():
        pytest.skip("needs real files in ../shared/odd_files")
    refused = {
        "S001R01_mangled_crlf.edf": "more than 2600 µV",
        "sub-01_20120706T190216.gdf": "less than 0.013 µV",
        "sub-01_20120706T190216_raw.fif": "more than 4100 µV",
    }
    for path in sorted(file for file in odd.iterdir() if file.is_file()):
        signal = preprocess(open_raw(path), Preprocessing(), filtered=False)
        if path.name in refused:
            with pytest.raises(BrokenRecording, match=re.escape(refused[path.name])):
                refuse_no_eeg(signal, sfreq=SFREQ)
        else:
            refuse_no_eeg(signal, sfreq=SFREQ)
