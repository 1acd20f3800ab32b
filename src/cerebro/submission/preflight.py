"""Try a submission before anyone scores it: in a clean process, against everything that broke real entries.

26 of the challenge's 184 final entries scored like zeros. Each check here is one way to get there.
"""

import ast
import io
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import decode_source
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cerebro.errors import UserError
from cerebro.files import write_json
from cerebro.scoring.clean_process import CleanProcess, SubmissionError
from cerebro.scoring.sandbox import NETWORK
from cerebro.scoring.windows import CHANNELS, N_TIMES, SFREQ

SCORER_PYTHON = (3, 10)
"""Python of the scorer's machine."""
N_WINDOWS = 64
PLAUSIBLE = {1: (0.0, 2.6), 2: (-5.0, 5.0)}
"""Range of sound answers: seconds (presses are accepted for 2.4 s), and factor scores, about N(0, 0.8)."""
SAME = 1e-4
"""Largest difference that batching may make: float32 sums in another order."""
CONSTANT = 1e-6
"""Largest spread of answers that counts as a constant."""

Windows = NDArray[np.float32]


class CheckFailed(Exception):
    """A check found a fault; the message says which."""


@dataclass
class Trial:
    """What the checks look at: the zip, its process, test windows, and the first answers per challenge."""

    zip: Path
    process: CleanProcess
    windows: Windows
    answers: dict[int, Windows]
    milliseconds: dict[int, float]


def preflight(zip: Path, *, output: Path, python: Path | None = None) -> None:
    """Run all checks on a submission and write what each found.

    Parameters
    ----------
    zip : Path
        The submission.
    output : Path
        JSON: ``{"passed": bool, "checks": [{"check", "passed", "detail"}]}``; written in either case. Checks
        after the first failure are not run, since each rests on the ones before.
    python : Path, optional
        The interpreter that runs it, as of an environment with the scorer's versions; this one without it.

    Raises
    ------
    UserError
        Naming the first check that failed and what it found.
    """
    results: list[dict[str, str | bool]] = []
    with CleanProcess(zip, python=python) as process:
        trial = Trial(zip, process, eeg_like_windows(N_WINDOWS), answers={}, milliseconds={})
        for name, check in CHECKS.items():
            try:
                detail, passed = check(trial), True
            except (CheckFailed, SubmissionError) as error:
                detail, passed = str(error), False
            results.append({"check": name, "passed": passed, "detail": detail})
            print(f"{'passed' if passed else 'FAILED'}  {name}: {detail}", flush=True)
            if not passed:
                break
    write_json(output, {"passed": all(result["passed"] for result in results), "checks": results})
    if not results[-1]["passed"]:
        raise UserError(f"{zip} failed the check '{results[-1]['check']}': {results[-1]['detail']}")


def eeg_like_windows(count: int) -> Windows:
    """Windows as different as real ones: alpha, slow and broad-band activity in varying shares and levels.

    Parameters
    ----------
    count : int

    Returns
    -------
    array, shape (count, 129, 200)
        Volts, 10 to 60 µV of standard deviation, Cz flat. The same at each call.
    """
    generator = np.random.default_rng(0)
    seconds = np.arange(N_TIMES) / SFREQ
    windows = np.zeros((count, len(CHANNELS), N_TIMES))
    for window in windows:
        n_sources = 8
        frequency = generator.uniform([[1.0]] * 4 + [[8.0]] * 4, [[4.0]] * 4 + [[30.0]] * 4)
        phase = generator.uniform(0, 2 * np.pi, (n_sources, 1))
        sources = generator.exponential(10, (n_sources, 1)) * np.sin(2 * np.pi * frequency * seconds + phase)
        window += generator.standard_normal((len(CHANNELS), n_sources)) @ sources
        window += generator.uniform(2, 8) * generator.standard_normal(window.shape)
        window *= generator.uniform(10, 60) / window.std()
    windows[:, CHANNELS.index("Cz")] = 0
    return (windows * 1e-6).astype(np.float32)


def _layout(trial: Trial) -> str:
    with zipfile.ZipFile(trial.zip) as archive:
        names = archive.namelist()
    if nested := [name for name in names if "/" in name]:
        raise CheckFailed(f"'{nested[0]}' lies in a folder; the scorer wants a flat zip")
    if "submission.py" not in names:
        raise CheckFailed("there is no submission.py")
    return f"{len(names)} files, {trial.zip.stat().st_size / 1e6:.2f} MB"


def _syntax(trial: Trial) -> str:
    with zipfile.ZipFile(trial.zip) as archive:
        sources = {name: archive.read(name) for name in archive.namelist() if name.endswith(".py")}
    for name, source in sources.items():
        try:
            text = decode_source(source)
        except (SyntaxError, UnicodeDecodeError):
            raise CheckFailed(
                f"{name} holds letters that are no UTF-8, and names no other encoding"
            ) from None
        try:
            ast.parse(text, feature_version=SCORER_PYTHON)
        except SyntaxError as error:
            raise CheckFailed(f"{name}, line {error.lineno}: {error.msg}") from None
    return f"{len(sources)} modules"


def _weights(trial: Trial) -> str:
    return f"{len(_weight_files(trial.zip))} files hold tensors and plain values only"


def _weight_files(zip: Path) -> dict[str, object]:
    contents: dict[str, object] = {}
    with zipfile.ZipFile(zip) as archive:
        for name in archive.namelist():
            if name.endswith((".pt", ".pth", ".ckpt")):
                try:
                    contents[name] = torch.load(
                        io.BytesIO(archive.read(name)), map_location="cpu", weights_only=True
                    )
                except Exception as error:  # torch raises whatever unpickling does
                    reason = str(error).splitlines()[0]
                    raise CheckFailed(f"{name} does not load with weights_only=True: {reason}") from None
    return contents


def _constructs(trial: Trial) -> str:
    for _ in range(2):
        versions = trial.process.construct(sfreq=SFREQ)
    with zipfile.ZipFile(trial.zip) as archive:
        needed = "torch, numpy and braindecode" if NETWORK in archive.namelist() else "torch and numpy only"
    return f"twice, without cerebro, with {needed} ({versions})"


def _shapes(trial: Trial) -> str:
    for challenge in (1, 2):
        started = time.perf_counter()
        single = trial.process.predict(challenge, trial.windows, batch_size=1)
        trial.milliseconds[challenge] = 1000 * (time.perf_counter() - started) / len(trial.windows)
        batch = trial.process.predict(challenge, trial.windows, batch_size=len(trial.windows))
        for size, answer in ((1, single), (len(trial.windows), batch)):
            if answer.shape != (len(trial.windows), 1):
                raise CheckFailed(
                    f"challenge {challenge}: {len(trial.windows)} windows in batches of {size} gave shape "
                    f"{answer.shape}, not ({len(trial.windows)}, 1)"
                )
        trial.answers[challenge] = single
        _finite(challenge, single, "EEG-like windows")
        difference = float(np.abs(single - batch).max())
        if not difference <= SAME:
            raise CheckFailed(
                f"challenge {challenge}: answers differ by up to {difference:.3g} between batches of 1 and "
                f"{len(trial.windows)}"
            )
    cost = ", ".join(f"{value:.1f}" for value in trial.milliseconds.values())
    return f"(batch, 1) at batch sizes 1 and {N_WINDOWS}, equal and finite; {cost} ms a window"


def _finite(challenge: int, answer: Windows, what: str) -> None:
    if not np.isfinite(answer).all():
        raise CheckFailed(f"challenge {challenge}: {what} give NaN or infinity")


def _varies(trial: Trial) -> str:
    weights = _weight_files(trial.zip)
    details = []
    for challenge, answer in trial.answers.items():
        spread = float(np.ptp(answer))
        content = weights.get(f"weights_challenge_{challenge}.pt")
        declared = isinstance(content, dict) and content.get("constant") is True
        if spread > CONSTANT:
            details.append(f"challenge {challenge}: answers spread over {spread:.3g}")
        elif declared:
            details.append(f"challenge {challenge}: the training mean, declared so when it was packaged")
        else:
            raise CheckFailed(
                f"challenge {challenge}: {len(answer)} different windows give one answer, {answer[0, 0]:.4g}"
            )
    return "; ".join(details)


def _plausible(trial: Trial) -> str:
    details = []
    for challenge, answer in trial.answers.items():
        low, high = PLAUSIBLE[challenge]
        found = f"challenge {challenge}: {answer.min():.3g} to {answer.max():.3g}"
        if answer.min() < low or answer.max() > high:
            raise CheckFailed(f"{found}, outside {low:g} to {high:g}")
        details.append(found)
    return "; ".join(details)


def _survives(trial: Trial) -> str:
    flat = trial.windows[:4].copy()
    flat[:, 10:40] = 0
    popping = trial.windows[:4].copy()
    popping[:, 5] *= 1000
    cases = {
        "windows with flat channels": flat,
        "windows with a popping channel": popping,
        "windows of zeros": np.zeros_like(flat),
    }
    for what, windows in cases.items():
        for challenge in (1, 2):
            answer = trial.process.predict(challenge, windows, batch_size=1)
            if answer.shape != (len(windows), 1):
                raise CheckFailed(f"challenge {challenge}: {what} give shape {answer.shape}")
            _finite(challenge, answer, what)
    return ", ".join(cases) + " give finite answers"


def _repeats(trial: Trial) -> str:
    trial.process.construct(sfreq=SFREQ)
    for challenge, answer in trial.answers.items():
        again = trial.process.predict(challenge, trial.windows, batch_size=1)
        if not np.array_equal(answer, again):
            raise CheckFailed(
                f"challenge {challenge}: constructed again, it answers otherwise by up to "
                f"{np.abs(answer - again).max():.3g}"
            )
    return "constructed again, it gives the same answers"


CHECKS: Mapping[str, Callable[[Trial], str]] = {
    "flat zip": _layout,
    "python 3.10 syntax": _syntax,
    "weights only": _weights,
    "constructs": _constructs,
    "shapes": _shapes,
    "not constant": _varies,
    "plausible range": _plausible,
    "bad channels": _survives,
    "repeatable": _repeats,
}
"""The checks in order; each returns what it found, or raises."""
