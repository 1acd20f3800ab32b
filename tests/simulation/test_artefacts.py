import numpy as np
import pytest
from scipy.signal import welch

from cerebro.simulation import artefacts, effects, timeline
from cerebro.simulation.brain import activity
from cerebro.simulation.head import NET, electrode_directions
from cerebro.simulation.recording import subject_lead_field
from cerebro.simulation.sources import GENERATORS
from cerebro.simulation.subjects import child_name, draw_child

NAMES = list(electrode_directions(NET))
DIRECTIONS = np.array(list(electrode_directions(NET).values()))
SFREQ = 250.0


@pytest.fixture
def silence():
    return np.zeros((len(NAMES), round(120 * SFREQ)), dtype=np.float32)


def test_failing_channels_are_flat_or_pop_or_are_noisy_and_the_reference_never_fails():
    rng = np.random.default_rng(0)
    signal = 10 * rng.standard_normal((40, 10_000)).astype(np.float32)
    kinds = {"flat": 0, "popping": 0, "noisy": 0, "intact": 0}
    for _ in range(20):
        data = signal.copy()
        artefacts.break_channels(data, mean=6, spared=39, sfreq=SFREQ, rng=rng)
        np.testing.assert_array_equal(data[39], signal[39])
        for before, after in zip(signal, data, strict=True):
            if (after == 0).all():
                kinds["flat"] += 1
            elif (after == before).all():
                kinds["intact"] += 1
            elif np.mean(after != before) > 0.99 and after.std() > 40:
                kinds["noisy"] += 1
            else:
                kinds["popping"] += 1
                assert abs(after).max() > abs(before).max()
    assert kinds["intact"] > 600
    assert min(kinds.values()) > 10


def test_muscle_bursts_are_fast_and_stay_near_the_temples(silence):
    artefacts.add_muscle(
        silence, directions=DIRECTIONS, microvolts=25.0, sfreq=SFREQ, rng=np.random.default_rng(0)
    )
    size = silence.std(axis=1)
    temples = [NAMES.index(name) for name in ("E45", "E108", "E33", "E122")]
    assert size[temples].mean() > 5 * size[NAMES.index("Cz")]
    assert (silence == 0).mean() > 0.5
    frequencies, power = welch(silence[temples], SFREQ, nperseg=500)
    assert power[:, frequencies > 30].sum() > 3 * power[:, frequencies < 15].sum()


def test_drift_is_slow(silence):
    artefacts.add_drift(silence, sfreq=SFREQ, rng=np.random.default_rng(0))
    assert silence.std(axis=1).mean() == pytest.approx(effects.DRIFT_UV, rel=0.3)
    assert np.abs(np.diff(silence, axis=1)).max() < 1


def test_blinks_are_largest_on_the_forehead_and_absent_while_the_eyes_are_closed():
    child = draw_child(0, child_name("R5", 0))
    eyes = [row for row, name in enumerate(GENERATORS) if name.startswith("eye_")]
    sources = {}
    for state, closed in (("open", ()), ("closed", ((0.0, 60.0),))):
        course = timeline.Timeline(seconds=60, closed=closed)
        sources[state] = activity(child, course, sfreq=100, seed=0, rng=np.random.default_rng(0))[eyes]
    assert abs(sources["closed"][:, 100:-100]).max() < 1e-3
    field = subject_lead_field(child, electrode_directions(NET), seed=0)[:, eyes]
    peaks = np.ptp((field - field.mean(axis=0)) @ sources["open"], axis=1)
    forehead = [NAMES.index(name) for name in ("E22", "E9", "E14", "E21", "E15")]
    assert 70 < peaks[forehead].mean() < 400
    assert peaks[forehead].mean() > 3 * peaks[NAMES.index("E62")]
