"""What the sources do in a recording: ongoing activity, and what task, movie and eyes add to it."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import uniform_filter1d

from cerebro.simulation import effects
from cerebro.simulation.signals import Signal, aperiodic, rhythm
from cerebro.simulation.sources import GENERATORS
from cerebro.simulation.subjects import Subject, subject_rng
from cerebro.simulation.timeline import MOVIES, Timeline

_ROW = {name: row for row, name in enumerate(GENERATORS)}
_ALPHA = ("alpha_left", "alpha_right", "alpha_medial")
_FILM = ("visual", "lateral_left", "lateral_right", "auditory_left", "auditory_right")
_FILM_RATE = 100.0
# What the best electrode of an average head sees when sources that overlap on the scalp act together, each at
# unit strength: the RMS of the three alpha generators, and the amplitude of both eyes.
_ALPHA_TOGETHER = 1.8
_EYES_TOGETHER = 1.25


def activity(
    subject: Subject, timeline: Timeline, *, sfreq: float, seed: int, rng: np.random.Generator
) -> Signal:
    """Time courses of all sources.

    Parameters
    ----------
    sfreq
        Hz.
    seed
        Of the population; the movies' shared activity depends on it and on the movie only.

    Returns
    -------
    array, shape (n_generators + n_background, n_times)
        In the units of :func:`cerebro.simulation.sources.average_sources`.
    """
    n_times = round(timeline.seconds * sfreq)
    out = np.empty((len(GENERATORS) + effects.BACKGROUND_SOURCES, n_times), dtype=np.float32)
    out[: len(GENERATORS)] = 0
    out[len(GENERATORS) :] = aperiodic(
        rng, count=effects.BACKGROUND_SOURCES, n_times=n_times, sfreq=sfreq, exponent=subject.exponent
    )
    out[len(GENERATORS) :] *= np.float32(subject.background_uv)
    closed = _eyes_closed(timeline, n_times, sfreq)
    _add_alpha(out, subject, closed, sfreq, rng)
    _add_sensorimotor(out, subject, timeline, sfreq, rng)
    if timeline.trials:
        _add_flicker(out, timeline, sfreq)
        _add_decisions(out, subject, timeline, sfreq, rng)
    if timeline.movie:
        _add_film(out, subject, timeline, sfreq, seed)
    _add_eyes(out, subject, closed, sfreq, rng)
    return out


def _eyes_closed(timeline: Timeline, n_times: int, sfreq: float) -> Signal:
    """Return 1 where eyes are closed, 0 where open, with transitions of half a second."""
    closed = np.zeros(n_times, dtype=np.float32)
    for start, stop in timeline.closed:
        closed[round(start * sfreq) : round(stop * sfreq)] = 1
    return uniform_filter1d(closed, max(round(0.5 * sfreq), 1))


def _add_alpha(out: Signal, subject: Subject, closed: Signal, sfreq: float, rng: np.random.Generator) -> None:
    """Posterior alpha: one rhythm common to the three generators and one of each, equally strong."""
    waves = rhythm(
        rng,
        count=len(_ALPHA) + 1,
        n_times=out.shape[1],
        sfreq=sfreq,
        frequency=subject.alpha_hz,
        bandwidth=effects.ALPHA_BANDWIDTH_HZ,
        harmonic=effects.ALPHA_HARMONIC,
    )
    left = subject.effects.alpha_eyes_open
    gain = left + (1 - left) * closed
    gain = gain * np.float32(subject.alpha_uv / _ALPHA_TOGETHER)
    for row, name in enumerate(_ALPHA):
        out[_ROW[name]] += gain * (waves[row] + waves[-1]) * np.float32(np.sqrt(0.5))


def _add_sensorimotor(
    out: Signal, subject: Subject, timeline: Timeline, sfreq: float, rng: np.random.Generator
) -> None:
    """Mu and beta of both hemispheres, which fall before each press and of which beta rebounds after it."""
    n_times = out.shape[1]
    mu = rhythm(
        rng,
        count=2,
        n_times=n_times,
        sfreq=sfreq,
        frequency=subject.alpha_hz + effects.MU_HZ_ABOVE_ALPHA,
        bandwidth=effects.ALPHA_BANDWIDTH_HZ,
    )
    beta = rhythm(
        rng,
        count=2,
        n_times=n_times,
        sfreq=sfreq,
        frequency=effects.BETA_HZ,
        bandwidth=effects.BETA_BANDWIDTH_HZ,
    )
    grown = min(subject.age, effects.ADULT_AGE) - 10
    strength = subject.effects
    rebound = strength.rebound_at_10 * (1 + effects.REBOUND_PER_YEAR * grown)
    presses = [
        (event.onset, event.value.split("_")[0])
        for event in timeline.events
        if event.value.endswith("_buttonPress")
    ]
    for index, side in enumerate(("left", "right")):
        desynchronised = np.zeros(n_times, dtype=np.float32)
        rebounding = np.zeros(n_times, dtype=np.float32)
        for press, hand in presses:
            depth = strength.erd_ipsilateral if hand == side else strength.erd_contralateral
            _raise(desynchronised, sfreq, press, (-effects.ERD_SECONDS, 0.4), _before_press(depth))
            if hand != side:
                _raise(rebounding, sfreq, press, (0.1, 1.8), _after_press(rebound))
                _add(out[_ROW[f"motor_{side}"]], sfreq, press, (-effects.MOTOR_SECONDS, 0.3), _readiness)
        out[_ROW[f"mu_{side}"]] = strength.mu_uv * mu[index] * (1 - desynchronised)
        out[_ROW[f"beta_{side}"]] = subject.beta_uv * beta[index] * (1 - desynchronised + rebounding)


def _add_flicker(out: Signal, timeline: Timeline, sfreq: float) -> None:
    """Steady-state responses to the two gratings, each following its contrast."""
    times = np.arange(out.shape[1]) / sfreq
    on = (times >= timeline.watching[0]) & (times < timeline.watching[1])
    change = np.zeros(len(times))  # +.5: the left-tilted grating at full contrast, the other gone
    for trial in timeline.trials:
        rise, whole = effects.CONTRAST_RISE_SECONDS, effects.TARGET_SECONDS
        shape = np.interp(times, trial.target + np.array([0, rise, whole]), [0, 0.5, 0], left=0, right=0)
        change += shape if trial.side == "left" else -shape
    left, right = effects.SSVEP_LEFT_HZ, effects.SSVEP_RIGHT_HZ
    waves = (0.5 + change) * np.sin(2 * np.pi * left * times)
    waves += (0.5 - change) * np.sin(2 * np.pi * right * times)
    out[_ROW["visual"]] += (effects.SSVEP_UV * on * waves).astype(np.float32)


def _add_decisions(
    out: Signal, subject: Subject, timeline: Timeline, sfreq: float, rng: np.random.Generator
) -> None:
    """The centro-parietal positivity of each decision, and the response to the feedback on it."""
    for trial in timeline.trials:
        begin = trial.target + effects.CPP_ONSET
        size = subject.cpp_uv * np.exp(effects.CPP_LOG_SD_TRIAL * rng.standard_normal())
        # a press that comes with the change itself was a guess: nothing has been accumulated
        if trial.press - begin > 0.1:
            _add(
                out[_ROW["centro_parietal"]],
                sfreq,
                trial.press,
                (begin - trial.press, 4 * effects.CPP_DECAY),
                _positivity(size, trial.press - begin),
            )
        end = trial.target + effects.TARGET_SECONDS
        _add(out[_ROW["visual"]], sfreq, end, (0.0, 0.6), _feedback_response)
        if trial.feedback == "sad_face":
            _add(out[_ROW["medial_frontal"]], sfreq, end, (0.0, 0.6), _feedback_negativity)


def _add_film(out: Signal, subject: Subject, timeline: Timeline, sfreq: float, seed: int) -> None:
    """What the movie drives in everyone, at the moments at which this subject saw them."""
    times = np.arange(out.shape[1]) / sfreq
    film_time = times - timeline.movie_onset - subject.film_delay
    watched = (times >= timeline.movie_onset) & (film_time >= 0) & (times < timeline.watching[1])
    courses = film_courses(seed, timeline.movie)(film_time[watched])
    for row, name in enumerate(_FILM):
        share = 1.0 if name == "visual" else 0.7
        out[_ROW[name], watched] += (share * subject.film_uv * courses[row]).astype(np.float32)


@lru_cache
def film_courses(seed: int, name: str) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Activity that a movie drives in an average child, as a function of movie time.

    Returns
    -------
    callable
        Takes movie times (n,) in s, returns courses (5, n) with unit variance over the movie, stronger in
        some scenes than in others.
    """
    rng = subject_rng(seed, name, "film")
    n_times = round((MOVIES[name][1] + 2) * _FILM_RATE)
    noise = aperiodic(rng, count=len(_FILM), n_times=n_times, sfreq=_FILM_RATE, exponent=1.0)
    spectrum = np.fft.rfft(noise, axis=1)
    frequencies = np.fft.rfftfreq(n_times, 1 / _FILM_RATE)
    low, high = effects.FILM_BAND_HZ
    spectrum[:, (frequencies < low) | (frequencies > high)] = 0
    waves = np.fft.irfft(spectrum, n_times, axis=1)
    scenes = np.exp(0.4 * rng.standard_normal(int(n_times / _FILM_RATE / 8) + 2))
    waves *= np.interp(np.arange(n_times) / _FILM_RATE, 8 * np.arange(len(scenes)), scenes)
    waves /= waves.std(axis=1, keepdims=True)
    return CubicSpline(np.arange(n_times) / _FILM_RATE, waves, axis=1)


def _add_eyes(out: Signal, subject: Subject, closed: Signal, sfreq: float, rng: np.random.Generator) -> None:
    """Blinks and small horizontal saccades, while the eyes are open."""
    n_times = out.shape[1]
    minutes = n_times / sfreq / 60
    left, right = (out[_ROW[name]] for name in ("eye_left", "eye_right"))
    for onset in rng.uniform(0, n_times / sfreq, rng.poisson(subject.blinks_per_minute * minutes)):
        if closed[int(onset * sfreq)] > 0.5:
            continue
        size = subject.effects.blink_uv / _EYES_TOGETHER * np.exp(0.25 * rng.standard_normal())
        for eye in (left, right):
            _add(eye, sfreq, onset, (0.0, 1.5 * effects.BLINK_SECONDS), _blink(size))
    turns = np.sort(rng.integers(0, n_times, rng.poisson(effects.SACCADES_PER_MINUTE * minutes)))
    positions = rng.normal(0, effects.SACCADE_UV, len(turns) + 1)
    gaze = np.repeat(positions, np.diff(np.concatenate([[0], turns, [n_times]]))).astype(np.float32)
    gaze = uniform_filter1d(gaze, max(round(0.04 * sfreq), 1)) * (1 - closed)
    # turning right brings the right eye's positive front towards its temple and the left eye's away from it
    left -= gaze
    right += gaze


Shape = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _window(
    course: Signal, sfreq: float, onset: float, span: tuple[float, float]
) -> tuple[slice, NDArray[np.float64]]:
    start = max(int(np.ceil((onset + span[0]) * sfreq)), 0)
    stop = min(int(np.floor((onset + span[1]) * sfreq)) + 1, len(course))
    return slice(start, stop), np.arange(start, max(stop, start)) / sfreq - onset


def _add(course: Signal, sfreq: float, onset: float, span: tuple[float, float], shape: Shape) -> None:
    """Add ``shape``, a function of the time since ``onset``, over ``span`` (s around the onset)."""
    where, times = _window(course, sfreq, onset, span)
    course[where] += shape(times)


def _raise(course: Signal, sfreq: float, onset: float, span: tuple[float, float], shape: Shape) -> None:
    """Let ``course`` be at least ``shape``: presses in quick succession do not add up."""
    where, times = _window(course, sfreq, onset, span)
    course[where] = np.maximum(course[where], shape(times))


def _before_press(depth: float) -> Shape:
    return lambda t: depth * np.interp(t, [-effects.ERD_SECONDS, -0.05, 0.15, 0.4], [0, 1, 1, 0])


def _after_press(size: float) -> Shape:
    return lambda t: size * _bell(t, effects.REBOUND_PEAK, effects.REBOUND_WIDTH)


def _readiness(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return -effects.MOTOR_UV * np.interp(t, [-effects.MOTOR_SECONDS, 0, 0.3], [0, 1, 0])


def _positivity(size: float, build_up: float) -> Shape:
    def shape(t: NDArray[np.float64]) -> NDArray[np.float64]:
        rising = np.clip(1 + t / build_up, 0, 1)
        return size * np.where(t < 0, rising, _bell(t, 0, effects.CPP_DECAY))

    return shape


def _feedback_response(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return effects.FEEDBACK_UV * (_bell(t, 0.12, 0.02) - _bell(t, 0.19, 0.03) + 0.7 * _bell(t, 0.29, 0.05))


def _feedback_negativity(t: NDArray[np.float64]) -> NDArray[np.float64]:
    return -effects.FEEDBACK_NEGATIVITY_UV * _bell(t, 0.28, 0.05)


def _blink(size: float) -> Shape:
    rise, whole = 0.35 * effects.BLINK_SECONDS, 1.5 * effects.BLINK_SECONDS
    return lambda t: size * np.sin(np.pi / 2 * np.interp(t, [0, rise, whole], [0, 1, 2])) ** 2


def _bell(t: NDArray[np.float64], centre: float, width: float) -> NDArray[np.float64]:
    return np.exp(-0.5 * ((t - centre) / width) ** 2)
