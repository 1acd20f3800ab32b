"""What happens in a recording: the task's events as HBN codes them, and the behaviour behind them.

Decoding by task, irregular first and last events, and late, early and repeated presses are as in the real
sidecars; the reaction times are what the sidecars' events say, to the sample.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from cerebro.simulation import effects
from cerebro.simulation.subjects import Subject

CLOCK = 0.002
"""Seconds between two samples of the original 500 Hz recording, on which all events lie."""
MOVIES = {  # code of video_start (video_stop is 20 more), true duration in seconds
    "DiaryOfAWimpyKid": (81, 117.396),
    "FunwithFractals": (82, 162.990),
    "DespicableMe": (83, 170.546),
    "ThePresent": (84, 203.070),
}
CODES = {
    "resting_start": 90,
    "instructed_toOpenEyes": 20,
    "instructed_toCloseEyes": 30,
    "contrastChangeB1_start": 94,
    "contrastTrial_start": 5,
    "left_target": 8,
    "right_target": 9,
    "left_buttonPress": 12,
    "right_buttonPress": 13,
}
OPEN_SECONDS, CLOSED_SECONDS = 20.0, 40.0


@dataclass(frozen=True)
class Event:
    """A row of ``events.tsv``; its code is the value's own, or the value itself for marks without one."""

    onset: float
    value: str
    code: str
    feedback: str = "n/a"


@dataclass(frozen=True)
class Trial:
    """One target of contrast change detection and what the subject did; NaN where there was no press."""

    target: float
    """Onset in s."""
    side: str
    """Which grating became stronger: left or right."""
    reaction_time: float
    """From target to press, s; NaN when no press came before the target's end."""
    press: float
    """Onset of the press that ends the decision, even when it came too late; NaN if there was none."""
    press_side: str
    feedback: str
    """Shown when the target ends: smiley_face or sad_face."""


@dataclass(frozen=True)
class Timeline:
    """Events, and the states between them."""

    seconds: float
    events: tuple[Event, ...] = ()
    trials: tuple[Trial, ...] = ()
    closed: tuple[tuple[float, float], ...] = ()
    """Intervals with closed eyes, s."""
    movie: str = ""
    movie_onset: float = 0.0
    watching: tuple[float, float] = field(default=(0.0, 0.0))
    """From when to when the flickering gratings or the movie are on the screen, s."""


def contrast_change(subject: Subject, *, trials: int, rng: np.random.Generator) -> Timeline:
    """One run of contrast change detection, from the lead-in to the marks that follow it.

    Parameters
    ----------
    trials
        Number of targets; one more trial starts after the last one, and never has a response.
    """
    block = _tick(np.clip(36 + rng.gamma(1.2, 10), 30, 75))
    start = _tick(block + rng.choice([5.98, 6.95, 10.5], p=[0.6, 0.15, 0.25]) + rng.normal(0, 0.02))
    events = [_mark(0.0, "break cnt"), _event(block, "contrastChangeB1_start")]
    count = -(-trials // len(effects.TARGET_DELAYS))
    delays = rng.permutation(np.repeat(effects.TARGET_DELAYS, count)[:trials])
    sides = rng.permutation(np.resize(["left", "right"], trials))
    times, wrong = _reaction_times(subject, trials, rng)
    answered: list[Trial] = []
    for delay, side, time, is_wrong in zip(delays, sides, times, wrong, strict=True):
        target = _tick(start + delay)
        end = _tick(target + effects.TARGET_SECONDS)
        events.append(_event(start, "contrastTrial_start"))
        events.append(_event(target, f"{side}_target"))
        if rng.random() < effects.EARLY_SHARE:
            # after the time in which a late press of the trial before may come
            early = _tick(start + rng.uniform(0.9, delay - 0.1))
            events.append(_event(early, f"{rng.choice(['left', 'right'])}_buttonPress", "non_target"))
        trial = _answer(target, side, time, bool(is_wrong), rng)
        if not np.isnan(trial.reaction_time):
            events.append(_event(trial.press, f"{trial.press_side}_buttonPress", trial.feedback))
            again = _tick(trial.press + rng.uniform(0.12, 0.5))
            if rng.random() < effects.REPEAT_SHARE and again < end:
                events.append(_event(again, f"{trial.press_side}_buttonPress", "non_target"))
        elif not np.isnan(trial.press):
            events.append(_event(trial.press, f"{trial.press_side}_buttonPress", "non_target"))
        answered.append(trial)
        start = end
    events.append(_event(start, "contrastTrial_start"))
    watched = (block, start + 4)
    end = start + rng.uniform(8, 40)
    if rng.random() < 0.1:  # the next task's file began before this one was cut
        code, _ = MOVIES["FunwithFractals"]
        events.append(Event(_tick(end - 3), "video_start", str(code)))
    return _finish(end, events, rng, trials=tuple(answered), watching=watched)


def resting_state(*, cycles: int, rng: np.random.Generator) -> Timeline:
    """Resting state: eyes open for 20 s, closed for 40 s, and so on; the last open interval has no end."""
    events = [_mark(0.0, "break cnt"), _event(_tick(rng.uniform(1.2, 2.8)), "resting_start")]
    onset = _tick(rng.uniform(4, 9))
    closed = []
    for _ in range(cycles):
        events.append(_event(onset, "instructed_toOpenEyes"))
        onset = _tick(onset + OPEN_SECONDS)
        events.append(_event(onset, "instructed_toCloseEyes"))
        closed.append((onset, onset + CLOSED_SECONDS))
        onset = _tick(onset + CLOSED_SECONDS)
    events.append(_event(onset, "instructed_toOpenEyes"))
    return _finish(onset + 4.6, events, rng, closed=tuple(closed))


def movie(name: str, *, seconds: float, rng: np.random.Generator) -> Timeline:
    """A movie, or its first ``seconds``: then the recording ends without ``video_stop``."""
    code, duration = MOVIES[name]
    onset = _tick(rng.choice([1.03, 2.05]) + rng.uniform(0, 0.03))
    events = [_mark(0.0, "9999"), Event(onset, "video_start", str(code))]
    end = onset + seconds
    if seconds >= duration:
        stop = _tick(onset + duration)
        events.append(Event(stop, "video_stop", str(code + 20)))
        end = stop + 0.5
    return _finish(end, events, rng, movie=name, movie_onset=onset, watching=(onset, end))


def clinical(*, seconds: float, rng: np.random.Generator) -> Timeline:
    """A routine clinical recording: eyes mostly closed, opened now and then on request."""
    closed, time = [], 0.0
    while time < seconds:
        stop = min(time + rng.uniform(15, 60), seconds)
        closed.append((time, stop))
        time = stop + rng.uniform(5, 20)
    return Timeline(seconds=seconds, closed=tuple(closed))


def _reaction_times(subject: Subject, trials: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Reaction times (trials,) in s and whether each answer is wrong.

    A score of the subject and one of the trial, which depends on the trial before, add up to a standard
    normal score; the measured quantiles turn it into seconds. So the distribution over all trials, its skew
    and its limit come out as measured, and so does the share of variance between subjects.
    """
    scores = rng.standard_normal(trials)
    for trial in range(1, trials):
        scores[trial] = effects.LAG_1 * scores[trial - 1] + np.sqrt(1 - effects.LAG_1**2) * scores[trial]
    total = np.sqrt(effects.SUBJECT_SHARE) * subject.speed + np.sqrt(1 - effects.SUBJECT_SHARE) * scores
    ranks, seconds = zip(*effects.REACTION_TIME_QUANTILES, strict=True)
    times = np.interp(stats.norm.cdf(total), ranks, seconds)
    wrong = rng.random(trials) < effects.WRONG_SHARE
    times -= effects.WRONG_FASTER * (wrong - effects.WRONG_SHARE)
    return np.clip(times, seconds[0], seconds[-1]), wrong


def _answer(target: float, side: str, time: float, wrong: bool, rng: np.random.Generator) -> Trial:
    pressed = {"left": "right", "right": "left"}[side] if wrong else side
    if rng.random() < effects.MISS_SHARE:
        late = rng.random() < effects.LATE_SHARE
        press = _tick(target + effects.TARGET_SECONDS + rng.uniform(0.02, 0.6)) if late else np.nan
        return Trial(target, side, np.nan, press, pressed if late else "", "sad_face")
    press = _tick(target + time)
    return Trial(
        target, side, round(press - target, 3), press, pressed, "sad_face" if wrong else "smiley_face"
    )


def _finish(seconds: float, events: list[Event], rng: np.random.Generator, **states: object) -> Timeline:
    """Round the length up to whole seconds, as BDF needs it, and close with one of the usual marks."""
    whole = float(np.ceil(seconds))
    ending = rng.random()
    if ending < 0.4:
        # a cut lies between two samples, hence the half tick
        events.append(Event(round(whole - CLOCK / 2, 3), "boundary", "boundary"))
    elif ending < 0.7:
        events.append(_mark(_tick(whole - 0.1), "break cnt"))
    events.sort(key=lambda event: event.onset)
    return Timeline(seconds=whole, events=tuple(events), **states)  # type: ignore[arg-type]


def _event(onset: float, value: str, feedback: str = "n/a") -> Event:
    return Event(onset, value, str(CODES[value]), feedback)


def _mark(onset: float, value: str) -> Event:
    return Event(onset, value, value)


def _tick(seconds: float) -> float:
    return round(round(float(seconds) / CLOCK) * CLOCK, 3)
