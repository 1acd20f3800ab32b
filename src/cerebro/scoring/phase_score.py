"""The score of one finetune phase or baseline on people it was not trained on, beside what needs no EEG."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import TypeAdapter

from cerebro.config import RIDGE_PENALTIES, AnyLabel, BaselinePhase, FinetunePhase, PersonLabel, Statistics
from cerebro.data.classes import coded, training_classes
from cerebro.data.phase_windows import target_kind
from cerebro.data.selection import read_index, select_windows
from cerebro.errors import UserError
from cerebro.files import write_json
from cerebro.scoring.floors import demographic_labels, from_columns, training_mean
from cerebro.statistics.bootstrap import Interval, SubjectBootstrap
from cerebro.statistics.comparison import Gap
from cerebro.statistics.linear import TooFewSubjects, fit_logistic
from cerebro.statistics.metrics import Metric, Values, auc, mean_recall, nrmse, pearson_r
from cerebro.tracking import start_run

Array = NDArray[np.float64]
Phase = FinetunePhase | BaselinePhase
Labels = Mapping[str, AnyLabel]
Answers = Mapping[str, Array]
"""``prediction`` (n,), and of classes the probability of each, named ``p:...``."""


def score_phase(
    node: str, settings: dict[str, Any], *, answers: Path, index: Path, store: Path, output: Path
) -> None:
    """Score the answers of one node; write a JSON file and an MLflow run.

    Parameters
    ----------
    node : str
        The phase's or baseline's name.
    settings : dict
        ``{"phase": ..., "labels": ..., "statistics": ...}``; labels are the target, that of its windows, age
        and sex.
    answers : Path
        Its answers on the windows of one split, as `cerebro predict` or `baseline` writes them.
    index, store : Path
        The window index, and the tracking store's ``tracking.json``.
    output : Path
        JSON: ``{"node", "target", "split", "classes" (of a label that has some), "n_windows", "n_subjects",
        "metrics", "by_subject"}``. ``metrics`` holds ``nrmse`` and ``r`` of a number, ``balanced_accuracy``
        and of two classes ``auc``; each has ``value``, ``low``, ``high``, and ``floors`` by name
        (``training_mean`` or ``majority_class``; ``age_sex`` where they are declared), each with its
        interval and the ``difference`` to it, paired over people. ``by_subject``, the same of each person's
        mean answer, is there where the target is the person's.

    Raises
    ------
    UserError
        When the answers are of windows that the index does not hold, or of several splits.
    """
    phase: Phase = TypeAdapter(Phase).validate_python(settings["phase"])
    labels: Labels = TypeAdapter(dict[str, AnyLabel]).validate_python(settings["labels"])
    resamples = Statistics.model_validate(settings["statistics"]).resamples
    given, label = pd.read_parquet(answers), labels[phase.target]
    table = read_index(index)
    classes = training_classes(table, [phase.target, *demographic_labels(labels)], labels)
    rows = coded(table, classes).set_index("window", drop=False)
    if not given["window"].isin(rows.index).all():
        raise UserError(f"{answers} answers windows that {index} does not hold; make it again")
    rows, asked = rows.reset_index(drop=True), rows.loc[given["window"]].reset_index(drop=True)
    splits = asked["split"].unique()
    if len(splits) > 1:
        raise UserError(f"{answers} answers windows of {' and '.join(sorted(splits))}; one split is scored")
    names = classes.get(phase.target, ())
    floors = _floors(rows, asked, phase, labels, n_classes=len(names))
    predicted = {name: given[name].to_numpy(float) for name in ("prediction", *_probabilities(given))}
    bootstrap = SubjectBootstrap(given["subject"], resamples=resamples)
    content: dict[str, Any] = {
        "node": node,
        "target": phase.target,
        "split": str(splits[0]),
        **({"classes": list(names)} if names else {}),
        "n_windows": len(given),
        "n_subjects": int(given["subject"].nunique()),
        "metrics": _scored(given[["subject", "truth"]], predicted, floors, len(names), bootstrap),
    }
    if isinstance(label, PersonLabel):
        people = given["subject"].to_numpy(dtype=str)
        truth = given.groupby("subject")[["truth"]].first().reset_index()
        content["by_subject"] = _scored(
            truth,
            _by_person(predicted, people, len(names)),
            {name: _by_person(floor, people, len(names)) for name, floor in floors.items()},
            len(names),
            bootstrap,
        )
    with start_run(
        store,
        name=f"score {node}",
        kind="score-phase",
        tags={"cerebro.node": node},
        params={"resamples": resamples, "split": content["split"]},
    ) as run:
        write_json(output, content)
        run.log_metrics(_tracked(content))
        run.log_artifact(output)


def _probabilities(given: pd.DataFrame) -> list[str]:
    return [name for name in given if str(name).startswith("p:")]


def _floors(
    rows: pd.DataFrame, asked: pd.DataFrame, phase: Phase, labels: Labels, *, n_classes: int
) -> dict[str, Answers]:
    """Answers without EEG, fitted on the windows of everyone who is not scored."""
    training = select_windows(
        rows,
        kind=target_kind(phase, labels),
        splits=[split for split in ("train", "validation") if split != asked["split"].iloc[0]],
        label=phase.target,
        purpose=f"the floors of {phase.target}",
    )
    known = [name for name in demographic_labels(labels) if name != phase.target]
    known = [name for name in known if training[name].notna().any()]
    floors: dict[str, Answers] = {}
    if not n_classes:
        floors["training_mean"] = {"prediction": training_mean(training, asked, phase.target)}
    else:
        most = float(training[phase.target].mode().iloc[0])
        floors["majority_class"] = _constant(most, len(asked), n_classes)
    if not known:
        return floors
    try:
        if n_classes:
            floors["age_sex"] = _classes_from(training, asked, phase.target, known, n_classes)
        else:
            floors["age_sex"] = {"prediction": from_columns(training, asked, phase.target, columns=known)}
    except TooFewSubjects as error:
        print(f"{phase.target} has no floor of {' and '.join(known)}: {error}", flush=True)
    return floors


def _constant(code: float, count: int, n_classes: int) -> Answers:
    certain = {f"p:{one}": np.full(count, float(one == code)) for one in range(n_classes)}
    return {"prediction": np.full(count, code), **certain}


def _classes_from(
    training: pd.DataFrame, asked: pd.DataFrame, target: str, known: Sequence[str], n_classes: int
) -> Answers:
    """Classes from what the table of participants says, by logistic regression over windows."""
    typical = training[list(known)].mean()
    fit = fit_logistic(
        training[list(known)].fillna(typical).to_numpy(float),
        training[target].to_numpy(int),
        subjects=training["subject"],
        penalties=RIDGE_PENALTIES,
        classes=n_classes,
    )
    found = fit.predict(asked[list(known)].fillna(typical).to_numpy(float))
    return _decided(found)


def _decided(probabilities: Array) -> Answers:
    named = {f"p:{code}": probabilities[:, code] for code in range(probabilities.shape[1])}
    return {"prediction": probabilities.argmax(axis=1).astype(float), **named}


def _by_person(answers: Answers, people: NDArray[np.str_], n_classes: int) -> Answers:
    """Means over each person's windows, people by name; classes are decided by mean probabilities."""
    means = pd.DataFrame(dict(answers)).groupby(people).mean()
    if not n_classes:
        return {"prediction": means["prediction"].to_numpy(float)}
    return _decided(means.drop(columns="prediction").to_numpy(float))


def _scored(
    truth: pd.DataFrame,
    predicted: Answers,
    floors: Mapping[str, Answers],
    n_classes: int,
    bootstrap: SubjectBootstrap,
) -> dict[str, Any]:
    """Each metric with its interval, beside the floors."""
    subjects, values = truth["subject"].to_numpy(dtype=str), truth["truth"].to_numpy(float)

    def resampled(metric: Metric, answers: Answers) -> tuple[Values, Values]:
        column = list(answers)[-1] if metric is auc else "prediction"
        given = answers[column]
        return metric(values, given), bootstrap.distribution(metric, values, given, subjects=subjects)

    metrics: dict[str, Metric] = {"nrmse": nrmse, "r": pearson_r}
    if n_classes:
        metrics = {"balanced_accuracy": mean_recall} | ({"auc": auc} if n_classes == 2 else {})
    count = len(bootstrap.subjects)
    content = {}
    for name, metric in metrics.items():
        value, distribution = resampled(metric, predicted)
        beside = {}
        for floor, answers in floors.items():
            at, over = resampled(metric, answers)
            difference = Gap.of(value - at, distribution - over, n_subjects=count)
            beside[floor] = {
                **Interval.of(at, over, n_subjects=count).as_json(),
                "difference": difference.as_json(),
            }
        content[name] = {**Interval.of(value, distribution, n_subjects=count).as_json(), "floors": beside}
    return content


def _tracked(content: Mapping[str, Any]) -> dict[str, float]:
    """Metrics as MLflow names them: ``score/nrmse``, ``score/nrmse_low``, ``score/by_subject/nrmse``."""
    named: dict[str, float | None] = {}
    for part, prefix in (("metrics", "score/"), ("by_subject", "score/by_subject/")):
        for metric, score in content.get(part, {}).items():
            ends = {"": score["value"], "_low": score["low"], "_high": score["high"]}
            floors = {f"_{name}": floor["value"] for name, floor in score["floors"].items()}
            named |= {f"{prefix}{metric}{end}": value for end, value in {**ends, **floors}.items()}
    return {name: value for name, value in named.items() if value is not None and np.isfinite(value)}
