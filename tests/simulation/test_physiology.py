"""What an analyst finds in the simulated signals, against the latents that made them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt, welch

from cerebro.simulation import timeline
from cerebro.simulation.brain import activity
from cerebro.simulation.head import NET, TEN_TWENTY, electrode_directions, lead_field
from cerebro.simulation.recording import Amplifier, record, subject_lead_field
from cerebro.simulation.sources import AVERAGE_RADIUS, GENERATORS, average_sources
from cerebro.simulation.subjects import child_name, draw_child, subject_rng

NAMES = list(electrode_directions(NET))
CHALLENGE = Amplifier(
    directions=electrode_directions(NET), reference=("Cz",), sfreq=100, band_limited=True, faulty_channels=0
)
ORIGINAL = replace(CHALLENGE, sfreq=500, band_limited=False)
OCCIPITAL = [NAMES.index(name) for name in ("E70", "E75", "E83", "E67", "E77")]
CHILDREN = [draw_child(0, child_name("R5", index)) for index in range(6)]


def _average_reference(data):
    return data - data.mean(axis=0)


@pytest.fixture(scope="module")
def resting():
    """Spectra (children, eyes open and closed, frequencies) over the back of the head, 1 µV²/Hz."""
    spectra = []
    for child in CHILDREN:
        course = timeline.resting_state(cycles=2, rng=subject_rng(0, child.name, "rest"))
        data = _average_reference(record(child, course, amplifier=CHALLENGE, name="rest", seed=0))
        parts = {"closed": course.closed, "open": [(stop - 60, stop - 40) for _, stop in course.closed]}
        for state in ("open", "closed"):
            power = [
                welch(data[OCCIPITAL, round(100 * start) : round(100 * stop)], 100, nperseg=400)[1].mean(
                    axis=0
                )
                for start, stop in parts[state]
            ]
            spectra.append(np.mean(power, axis=0))
    return np.fft.rfftfreq(400, 0.01), np.array(spectra).reshape(len(CHILDREN), 2, -1)


def test_closing_the_eyes_raises_alpha_in_every_child(resting):
    frequencies, spectra = resting
    for child, (opened, closed) in zip(CHILDREN, spectra, strict=True):
        near = abs(frequencies - child.alpha_hz) < 1.5
        assert 1.3 < closed[near].sum() / opened[near].sum() < 6


def test_the_peak_of_the_spectrum_lies_at_the_child_s_alpha_frequency(resting):
    frequencies, spectra = resting
    band = (frequencies >= 6) & (frequencies <= 13)
    for child, (_, closed) in zip(CHILDREN, spectra, strict=True):
        whitened = closed * frequencies**child.exponent
        assert frequencies[band][whitened[band].argmax()] == pytest.approx(child.alpha_hz, abs=0.8)


def test_the_spectrum_away_from_the_rhythms_falls_with_the_child_s_exponent():
    child = replace(CHILDREN[0], alpha_uv=0.0, beta_uv=0.0, blinks_per_minute=0.0)
    for exponent in (1.3, 2.0):
        data = record(
            replace(child, exponent=exponent),
            timeline.Timeline(seconds=120),
            amplifier=CHALLENGE,
            name="empty",
            seed=0,
        )
        frequencies, power = welch(_average_reference(data), 100, nperseg=400)
        power = np.median(power, axis=0)
        used = ((frequencies > 1.5) & (frequencies < 6)) | ((frequencies > 12) & (frequencies < 18))
        slope = np.polyfit(np.log(frequencies[used]), np.log(power[used]), 1)[0]
        assert -slope == pytest.approx(exponent, abs=0.25)


def test_amplitudes_are_those_of_scalp_eeg():
    for child in CHILDREN:
        course = timeline.resting_state(cycles=1, rng=subject_rng(0, child.name, "rest"))
        data = _average_reference(record(child, course, amplifier=CHALLENGE, name="rest", seed=0))
        assert 6 < np.median(data.std(axis=1)) < 45


@pytest.fixture(scope="module")
def decisions():
    """Response-locked trials (n, channels, 3.5 s at 100 Hz) of four children, and the hands that pressed."""
    trials, sides = [], []
    for child in CHILDREN[:4]:
        course = timeline.contrast_change(child, trials=24, rng=subject_rng(0, child.name, "run"))
        data = _average_reference(record(child, course, amplifier=CHALLENGE, name="run", seed=0))
        for trial in course.trials:
            if trial.reaction_time > 0.9:
                middle = round(100 * trial.press)
                trials.append(data[:, middle - 200 : middle + 150])
                sides.append(trial.press_side)
    return np.array(trials), np.array(sides)


def test_a_positivity_over_the_centro_parietal_scalp_peaks_at_the_press(decisions):
    trials, _ = decisions
    average = np.median(trials, axis=0)
    average -= average[:, 60:110].mean(axis=1, keepdims=True)  # 1.4 to 0.9 s before the press
    at_press = average[:, 190:210].mean(axis=1)
    middle = [NAMES.index(name) for name in ("E55", "E54", "E79", "E62", "E61", "E78", "Cz")]
    elsewhere = [NAMES.index(name) for name in ("E22", "E9", "E33", "E122", "E49", "E113")]
    assert at_press[middle].mean() > 3
    assert at_press[middle].mean() > 2 * abs(at_press[elsewhere].mean())  # the average reference's rest
    course = np.convolve(average[middle].mean(axis=0), np.ones(10) / 10, mode="same")
    assert abs(course[20:-20].argmax() + 20 - 200) < 20


def test_beta_over_the_motor_cortex_falls_before_a_press_and_rebounds_contralaterally(decisions):
    trials, sides = decisions
    beta = abs(sosfiltfilt(butter(4, [16, 24], "bandpass", fs=100, output="sos"), trials, axis=2))
    left, right = ([NAMES.index(name) for name in names] for names in (("E36", "E30"), ("E104", "E105")))
    base, fall, rebound = slice(20, 100), slice(150, 205), slice(245, 310)
    change = {"fall": [], "rebound": []}
    for side, opposite in (("left", right), ("right", left)):
        some = beta[sides == side][:, opposite]
        change["fall"].append(some[..., fall].mean() / some[..., base].mean())
        change["rebound"].append(some[..., rebound].mean() / some[..., base].mean())
    assert np.mean(change["fall"]) < 0.92
    assert np.mean(change["rebound"]) > 1.1


def test_a_film_drives_the_same_activity_in_all_who_watch_it():
    courses = []
    for child in CHILDREN:
        course = timeline.movie("DespicableMe", seconds=50, rng=subject_rng(0, child.name, "film"))
        data = _average_reference(record(child, course, amplifier=CHALLENGE, name="movie", seed=0))
        start = round(100 * course.movie_onset)
        part = data[:, start : start + 4900]
        courses.append((part - part.mean(axis=1, keepdims=True)) / part.std(axis=1, keepdims=True))
    same = _correlation_between_subjects(courses)
    shifted = _correlation_between_subjects(
        [np.roll(course, 600 * index, axis=1) for index, course in enumerate(courses)]
    )
    assert np.sort(same)[-10:].mean() > 0.03
    assert np.sort(same)[-10:].mean() > 2 * np.sort(shifted)[-10:].mean()
    assert same.max() < 0.3


def _correlation_between_subjects(courses):
    count = len(courses)
    return ((sum(courses) ** 2).mean(axis=1) - count) / (count * (count - 1))


def test_an_original_recording_has_hum_and_drift_and_a_challenge_copy_has_neither():
    child = CHILDREN[0]
    course = timeline.Timeline(seconds=40)
    original = record(child, course, amplifier=ORIGINAL, name="x", seed=0)
    copy = record(child, course, amplifier=CHALLENGE, name="x", seed=0)
    frequencies, power = welch(original[:-1], 500, nperseg=2000)  # without the reference
    hum, near = power[:, frequencies == 60], power[:, (frequencies > 55) & (frequencies < 58)]
    assert np.median(hum / near.mean(axis=1, keepdims=True)) > 3
    slow = np.abs(np.fft.rfft(copy, axis=1)[:, np.fft.rfftfreq(4000, 0.01) < 0.2])
    assert slow.max() < 1e-3 * np.abs(np.fft.rfft(copy, axis=1)).max()
    assert np.median(original.std(axis=1)) > np.median(copy.std(axis=1))


def test_the_reference_electrode_is_flat():
    data = record(CHILDREN[0], timeline.Timeline(seconds=5), amplifier=CHALLENGE, name="x", seed=0)
    assert (data[NAMES.index("Cz")] == 0).all()
    assert (data.std(axis=1) > 0).sum() == 128


def test_one_child_s_sources_reach_both_montages_alike():
    child = CHILDREN[0]
    net, cap = electrode_directions(NET), electrode_directions(TEN_TWENTY)
    pairs = {"C3": "E36", "C4": "E104", "O1": "E70", "O2": "E83", "F3": "E24", "F4": "E124", "Pz": "E62"}
    ours = subject_lead_field(child, {name: net[name] for name in pairs.values()}, seed=0)
    theirs = subject_lead_field(child, {name: cap[name] for name in pairs}, seed=0)
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.9


def test_strengths_are_microvolts_at_the_best_electrode_of_an_average_head():
    sources = average_sources()
    cap = electrode_directions(TEN_TWENTY)
    field = sources.moments * lead_field(
        np.array([direction for name, direction in cap.items() if name not in ("A1", "A2")]),
        positions=sources.positions,
        orientations=sources.orientations,
        radius=AVERAGE_RADIUS,
    )
    field -= field.mean(axis=0)
    child = replace(CHILDREN[0], alpha_uv=20.0, background_uv=10.0, blinks_per_minute=0.0)
    course = timeline.Timeline(seconds=200, closed=((0.0, 200.0),))
    everything = activity(child, course, sfreq=100, seed=0, rng=np.random.default_rng(0))
    rows = [row for row, name in enumerate(GENERATORS) if name.startswith("alpha")]
    assert (field[:, rows] @ everything[rows]).std(axis=1).max() == pytest.approx(20, rel=0.12)
    background = field[:, len(GENERATORS) :] @ everything[len(GENERATORS) :]
    frequencies, power = welch(background, 100, nperseg=1000)
    in_band = power[:, frequencies >= 0.5].sum(axis=1) * frequencies[1]
    assert np.sqrt(in_band.mean()) == pytest.approx(10, rel=0.1)
