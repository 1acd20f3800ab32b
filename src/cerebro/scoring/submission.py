"""Score a submission on the held-out releases by the challenge's rules, beside what needs no EEG.

The rules (EEG Foundation Challenge 2025, arXiv:2506.19141, and its scorer): Challenge 1 takes every usable
trial, Challenge 2 every crop of a subject with a label; each is scored by RMSE over the population standard
deviation of the truth, over windows; the overall score is 0.3 and 0.7 of them. No window is dropped for its
quality.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import TypeAdapter

from cerebro.config import CHALLENGES, AnyLabel, Statistics
from cerebro.data.classes import coded, training_classes
from cerebro.data.selection import read_index, select_windows, shards_folder
from cerebro.errors import UserError
from cerebro.files import atomic_path, digest_file, write_json
from cerebro.scoring.challenge import ANSWERS, SHARES, compared, constant_answers
from cerebro.scoring.clean_process import CleanProcess, SubmissionError
from cerebro.scoring.floors import demographic_labels, from_columns, training_mean
from cerebro.scoring.unshrunk import without_shrinkage
from cerebro.scoring.windows import SFREQ, scored_windows
from cerebro.statistics.bootstrap import Interval, SubjectBootstrap
from cerebro.statistics.comparison import Gap
from cerebro.statistics.linear import TooFewSubjects
from cerebro.statistics.metrics import Metric, Values, nrmse, pearson_r
from cerebro.tracking import start_run

BATCH_SIZE = 64
N_COMPARED = 8
"""Windows on which answers at batch size 1 (the scorer's) and at ``BATCH_SIZE`` are compared."""
SAME = 1e-5
"""Largest difference at which batches stand in for single windows: below what four digits of a score show."""


def score(zip: Path, settings: dict[str, Any], *, index: Path, store: Path, output: Path) -> None:
    """Run the zip on all test windows and write its scores.

    Parameters
    ----------
    zip : Path
        The submission.
    settings : dict
        ``{"statistics": ..., "labels": ...}``: the number of resamples behind the intervals, and
        declarations, those of age and sex among them.
    index, store : Path
        The window index, and the tracking store's ``tracking.json``.
    output : Path
        JSON with ``challenge_1``, ``challenge_2``, ``overall``; ``predictions.parquet`` is written beside
        it, one row per window. Scores are null, with a ``reason``, where the truth has no spread; those of
        unshrunk answers are missing of a zip that was packaged elsewhere.

    Raises
    ------
    UserError
        When the index has no test windows, or the submission fails on one.
    """
    resamples = Statistics.model_validate(settings["statistics"]).resamples
    labels = TypeAdapter(dict[str, AnyLabel]).validate_python(settings["labels"])
    known = demographic_labels(labels)
    table = read_index(index)
    table = coded(table, training_classes(table, known, labels))
    rows = {challenge: _rows(table, challenge, splits=["test"], what="scoring") for challenge in CHALLENGES}
    answers, batch_sizes = _answered(zip, rows, shards=shards_folder(index))
    predictions = {
        challenge: _with_floors(table, challenge, part, answers[challenge], known)
        for challenge, part in rows.items()
    }
    with TemporaryDirectory(prefix="unshrunk-") as folder:
        plain = Path(folder) / zip.name
        if without_shrinkage(zip, plain):
            for challenge, given in _answered(plain, rows, shards=shards_folder(index))[0].items():
                predictions[challenge]["unshrunk"] = given.astype(float)
    content = evaluate(predictions, resamples=resamples)
    for challenge, size in batch_sizes.items():
        content[f"challenge_{challenge}"]["batch_size"] = size
    content["submission"] = digest_file(zip)
    for key, part in content.items():
        if isinstance(part, dict) and "reason" in part:
            print(f"{key} has no score: {part['reason']}", flush=True)
    output = Path(output)
    with start_run(
        store,
        name="score",
        kind="score",
        tags={"cerebro.submission": content["submission"]},
        params={"resamples": resamples},
    ) as run:
        with atomic_path(output.with_name("predictions.parquet")) as temporary:
            pd.concat(predictions.values(), ignore_index=True).to_parquet(temporary, index=False)
        write_json(output, content)
        run.log_metrics(tracked_metrics(content))
        run.log_artifact(output)


def evaluate(predictions: dict[int, pd.DataFrame], *, resamples: int) -> dict[str, Any]:
    """Score predictions and floors with intervals over the same resampled subjects.

    Parameters
    ----------
    predictions : dict of int to DataFrame
        By challenge: ``subject``, ``truth``, ``prediction``, ``unshrunk`` if it is known, and one column
        ``floor:<name>`` per floor.
    resamples : int

    Returns
    -------
    dict
        ``challenge_1`` and ``challenge_2``: ``unshrunk`` (``nrmse``, ``r``, ``r_within`` of answers without
        shrinkage), ``nrmse``, ``r``, ``constant`` (whether all windows get one answer), ``floors`` (each with
        ``difference``: submission minus floor on the same subjects, negative where the submission is better,
        and its ``p``), counts, and ``by_subject``, the same of each subject's average prediction against the
        average truth; ``overall``: the weighted sum of ``unshrunk``, ``nrmse`` and ``floors``.
    """
    everyone = pd.concat([part["subject"] for part in predictions.values()])
    bootstrap = SubjectBootstrap(everyone, resamples=resamples)
    values = {challenge: _nrmse(part, bootstrap, "windows") for challenge, part in predictions.items()}
    counts = {challenge: int(part["subject"].nunique()) for challenge, part in predictions.items()}
    content: dict[str, Any] = {}
    for challenge, part in predictions.items():
        found = content[f"challenge_{challenge}"] = {
            **_summarised(values[challenge], counts[challenge]),
            "r": _correlation(part, "prediction", "windows", bootstrap),
            "constant": constant_answers(part),
            "by_subject": _summarised(_nrmse(part, bootstrap, "subjects"), counts[challenge]),
            "n_windows": len(part),
            "n_subjects": counts[challenge],
        }
        if "unshrunk" in found:
            found["unshrunk"] |= {
                "r": _correlation(part, "unshrunk", "windows", bootstrap),
                "r_within": _correlation(part, "unshrunk", "within", bootstrap),
            }
        if not np.isfinite(values[challenge]["prediction"][0]):
            subjects = counts[challenge]
            found["reason"] = (
                f"the truth has no spread in {len(part)} windows of {subjects} test "
                f"subject{'s' * (subjects != 1)}, so NRMSE is undefined"
            )
    shared = [name for name in values[1] if name in values[2]]
    overall = {
        name: tuple(sum(SHARES[c] * values[c][name][i] for c in SHARES) for i in (0, 1)) for name in shared
    }
    content["overall"] = _summarised(overall, min(counts.values()))
    content["overall"]["constant"] = all(content[f"challenge_{c}"]["constant"] for c in SHARES)
    if not np.isfinite(overall["prediction"][0]):
        content["overall"]["reason"] = "a challenge has no score"
    return content


def tracked_metrics(content: dict[str, Any]) -> dict[str, float]:
    """Scores as MLflow names them.

    ``c1/unshrunk_nrmse``, ``c1/unshrunk_r``, ``c1/unshrunk_r_within``, ``c1/nrmse``, ``c1/nrmse_low``,
    ``c1/r``, ``c1/floor/age_sex``, ..., ``overall/unshrunk``, ``overall``.
    """
    named: dict[str, Interval] = {}
    floors: dict[str, float | None] = {}
    for key, prefix, main, unshrunk in (
        ("challenge_1", "c1/", "c1/nrmse", "c1/unshrunk_nrmse"),
        ("challenge_2", "c2/", "c2/nrmse", "c2/unshrunk_nrmse"),
        ("overall", "overall/", "overall", "overall/unshrunk"),
    ):
        part = content[key]
        named[main] = Interval(**part["nrmse"])
        if "r" in part:
            named[f"{prefix}r"] = Interval(**part["r"])
        for name, score in part.get("unshrunk", {}).items():
            named[unshrunk if name == "nrmse" else f"{prefix}unshrunk_{name}"] = Interval(**score)
        floors |= {f"{prefix}floor/{name}": floor["value"] for name, floor in part["floors"].items()}
        if "by_subject" in part:
            floors[f"{prefix}subject_nrmse"] = part["by_subject"]["nrmse"]["value"]
    ends = {
        f"{name}{suffix}": value
        for name, score in named.items()
        for suffix, value in (("", score.value), ("_low", score.low), ("_high", score.high))
    }
    return {name: value for name, value in {**ends, **floors}.items() if value is not None}


def _answered(
    zip: Path, rows: dict[int, pd.DataFrame], *, shards: Path
) -> tuple[dict[int, NDArray[np.float32]], dict[int, int]]:
    """Answers of a zip and the sizes of its batches, by challenge."""
    answers, batch_sizes = {}, {}
    with CleanProcess(zip) as process:
        try:
            process.construct(sfreq=SFREQ)
            for challenge, part in rows.items():
                answers[challenge], batch_sizes[challenge] = _answers(process, challenge, part, shards=shards)
        except SubmissionError as error:
            raise UserError(f"{zip} cannot be scored: {error}") from None
    return answers, batch_sizes


def _rows(table: pd.DataFrame, challenge: int, *, splits: list[str], what: str) -> pd.DataFrame:
    kind, label = CHALLENGES[challenge]
    return select_windows(
        table, kind=kind, splits=splits, label=label, purpose=f"{what} challenge {challenge}"
    )


def _answers(
    process: CleanProcess, challenge: int, rows: pd.DataFrame, *, shards: Path
) -> tuple[NDArray[np.float32], int]:
    """Predictions in the order of ``rows``, and the batch size: 1 unless batches give the same answers."""
    size = 0
    parts = []
    for windows in scored_windows(rows, shards=shards):
        if not size:
            size = _batch_size(process, challenge, windows[:N_COMPARED])
        answer = process.predict(challenge, windows, batch_size=size)
        if answer.shape != (len(windows), 1) or not np.isfinite(answer).all():
            raise SubmissionError(
                f"challenge {challenge}: {len(windows)} windows gave shape {answer.shape}, or values that "
                "are not finite"
            )
        parts.append(answer[:, 0])
    return np.concatenate(parts), size


def _batch_size(process: CleanProcess, challenge: int, windows: NDArray[np.float32]) -> int:
    single = process.predict(challenge, windows, batch_size=1)
    batch = process.predict(challenge, windows, batch_size=BATCH_SIZE)
    same = single.shape == batch.shape and float(np.abs(single - batch).max()) <= SAME
    return BATCH_SIZE if same else 1


def _with_floors(
    table: pd.DataFrame,
    challenge: int,
    rows: pd.DataFrame,
    answers: NDArray[np.float32],
    known: Sequence[str],
) -> pd.DataFrame:
    """Predictions beside the floors, which are fitted on everyone outside the test split.

    ``known`` are the labels of age and sex.
    """
    label = CHALLENGES[challenge].target
    training = _rows(table, challenge, splits=["train", "validation"], what="the floors of")
    columns = ["window", "subject", "task", "run", "recording", "onset"]
    predictions = rows[[name for name in columns if name in rows]].assign(
        challenge=challenge,
        truth=rows[label].astype(float),
        prediction=answers.astype(float),
    )
    predictions["floor:training_mean"] = training_mean(training, rows, label)
    if not known:
        print("there is no floor of age and sex: no label of a person has such a column", flush=True)
        return predictions
    try:
        predictions["floor:age_sex"] = from_columns(training, rows, label, columns=known)
    except TooFewSubjects as error:
        print(f"challenge {challenge} has no floor of age and sex: {error}", flush=True)
    return predictions


def _nrmse(
    part: pd.DataFrame, bootstrap: SubjectBootstrap, over: Literal["windows", "subjects"]
) -> dict[str, tuple[Values, Values]]:
    """NRMSE on all windows and in every resample, of the answers and of each floor."""
    columns = [name for name in part if name in ANSWERS or name.startswith("floor:")]
    return {
        name: _resampled(nrmse, part, name, over, bootstrap) for name in columns if part[name].notna().all()
    }


def _correlation(
    part: pd.DataFrame, column: str, over: Literal["windows", "within"], bootstrap: SubjectBootstrap
) -> dict[str, float | None]:
    found = _resampled(pearson_r, part, column, over, bootstrap)
    return Interval.of(*found, n_subjects=int(part["subject"].nunique())).as_json()


def _resampled(
    metric: Metric,
    part: pd.DataFrame,
    column: str,
    over: Literal["windows", "within", "subjects"],
    bootstrap: SubjectBootstrap,
) -> tuple[Values, Values]:
    truth, prediction, subjects = compared(part, column, over)
    return metric(truth, prediction), bootstrap.distribution(metric, truth, prediction, subjects=subjects)


def _summarised(values: dict[str, Any], n_subjects: int) -> dict[str, Any]:
    def interval(name: str) -> dict[str, float | None]:
        return Interval.of(*values[name], n_subjects=n_subjects).as_json()

    value, distribution = values["prediction"]
    floors = {
        name.removeprefix("floor:"): {
            **interval(name),
            "difference": Gap.of(value - floor[0], distribution - floor[1], n_subjects=n_subjects).as_json(),
        }
        for name, floor in values.items()
        if name.startswith("floor:")
    }
    unshrunk = {"unshrunk": {"nrmse": interval("unshrunk")}} if "unshrunk" in values else {}
    return {**unshrunk, "nrmse": interval("prediction"), "floors": floors}
