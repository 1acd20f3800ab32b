import datetime

import mne
import numpy as np
import pytest
from edfio import Patient, Recording

from cerebro.simulation.formats import write_bdf, write_edf, write_set
from cerebro.simulation.head import TEN_TWENTY, electrode_directions
from cerebro.simulation.timeline import Event

NAMES = ("Fp1", "C3", "Cz", "Oz")


@pytest.fixture
def signal():
    return (30 * np.random.default_rng(0).standard_normal((len(NAMES), 1500))).astype(np.float32)


def test_bdf_keeps_microvolts_to_a_hundredth(tmp_path, signal):
    write_bdf(tmp_path / "x.bdf", signal, names=NAMES, sfreq=100)
    raw = mne.io.read_raw_bdf(tmp_path / "x.bdf", verbose="error")
    assert tuple(raw.ch_names) == NAMES
    assert raw.info["sfreq"] == 100
    np.testing.assert_allclose(1e6 * raw.get_data(), signal, atol=0.0051)


def test_set_keeps_signals_events_and_electrode_places(tmp_path, signal):
    cap = electrode_directions(TEN_TWENTY)
    directions = {name: cap[name] for name in NAMES}
    events = [Event(0.0, "9999", "9999"), Event(1.25, "video_start", "83")]
    write_set(tmp_path / "x.set", signal, directions=directions, sfreq=500, events=events)
    raw = mne.io.read_raw_eeglab(tmp_path / "x.set", verbose="error")
    assert raw.info["sfreq"] == 500
    np.testing.assert_allclose(1e6 * raw.get_data(), signal, rtol=1e-5, atol=1e-5)
    assert list(raw.annotations.description) == ["9999", "video_start"]
    np.testing.assert_allclose(raw.annotations.onset, [0, 1.25])
    for name, place in raw.get_montage().get_positions()["ch_pos"].items():
        np.testing.assert_allclose(place / np.linalg.norm(place), cap[name], atol=1e-6)


def test_edf_keeps_signals_and_the_patient_field(tmp_path, signal):
    write_edf(
        tmp_path / "x.edf",
        dict(zip(NAMES, signal, strict=True)),
        sfreq=250,
        patient=Patient(code="aaaaaaaa", sex="F", name="aaaaaaaa", additional=("Age:42",)),
        recording=Recording(startdate=datetime.date(2010, 5, 6)),
    )
    raw = mne.io.read_raw_edf(tmp_path / "x.edf", verbose="error")
    np.testing.assert_allclose(1e6 * raw.get_data(), signal, atol=0.08)
    assert (tmp_path / "x.edf").read_bytes()[8:88].decode().split() == [
        "aaaaaaaa", "F", "X", "aaaaaaaa", "Age:42",
    ]  # fmt: skip
