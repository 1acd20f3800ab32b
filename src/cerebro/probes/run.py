"""Linear probes: how much of each target a linear model finds in frozen features of people never trained on.

The features come from :mod:`cerebro.probes.features`, the linear models from
:mod:`cerebro.probes.forms` and :mod:`cerebro.probes.identity`; docs/probes.md says why they are
fitted on held-out subjects alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import TypeAdapter

from cerebro.config import AnyLabel, IntervalLabel, Probes, RecordingLabel, Statistics
from cerebro.data.card import read_card
from cerebro.data.classes import class_names, codes
from cerebro.errors import UserError
from cerebro.files import atomic_path, write_json
from cerebro.probes.feature_store import Features, read_features, require_same_index
from cerebro.probes.forms import FORMS, Answer, Measure, leading_answers
from cerebro.probes.identity import identity
from cerebro.probes.readouts import averaged, centre_of, centred
from cerebro.probes.targets import Target, probe_targets
from cerebro.statistics.bootstrap import Interval, SubjectBootstrap
from cerebro.statistics.comparison import Gap
from cerebro.statistics.linear import TooFewSubjects
from cerebro.statistics.metrics import Values, pearson_r
from cerebro.tracking import start_run

ALL_FORMS = {**FORMS, "identity": identity}
ANSWER_COLUMNS = ["target", "metric", "subject", "truth", "prediction", "floor"]


def run_probes(settings: dict[str, Any], *, features: Path, index: Path, store: Path, output: Path) -> None:
    """Probe one encoder for all configured targets; write its scores, its answers and an MLflow run.

    Parameters
    ----------
    settings : dict
        ``{"probes": ..., "labels": ..., "statistics": ...}``.
    features : Path
        The encoder's features.
    index, store : Path
        The window index, and the tracking store's ``tracking.json``.
    output : Path
        JSON: ``{"node", "lineage", "targets": {target: ...}}``. A measured target has ``metrics`` (each with
        ``value``, ``low``, ``high``, the ``floor`` without EEG and ``p``, two-sided, of the difference to
        it, for this score alone), ``split`` of those who are scored, ``unit``, ``penalties`` of the folds and
        counts. A target of intervals or recordings also has ``readouts`` of its leading metric
        (:mod:`cerebro.probes.readouts`): ``averaged`` over 20 s, and where the label varies within what
        ``centred_on`` names, ``centred`` and ``centred_averaged``. One that the data do not allow has
        ``not_measurable`` with the reason. Beside it, with the suffix ``.parquet``, one row per sample of
        each measured target: ``target``, its leading ``metric``, ``subject``, and what this metric compares:
        ``truth``, ``prediction``, and ``floor``, the prediction without EEG. The samples are the same for
        every encoder; :mod:`cerebro.probes.comparison` compares them.
    """
    probes = Probes.model_validate(settings["probes"])
    resamples = Statistics.model_validate(settings["statistics"]).resamples
    origin, sets = read_features(features)
    require_same_index(origin, features=features, index=index)
    node, lineage = origin["node"], origin["lineage"]
    labels = TypeAdapter(dict[str, AnyLabel]).validate_python(settings["labels"])
    targets = probe_targets(probes.targets, labels)
    found = answer_targets(sets, pd.read_parquet(index), targets, penalties=probes.penalties)
    results = {name: scored(one, targets[name], resamples=resamples) for name, one in found.items()}
    for name, result in results.items():
        if "not_measurable" in result:
            print(f"probe {name} of '{node}' is not measurable: {result['not_measurable']}", flush=True)
    tags = {"cerebro.node": node}
    if lineage:
        parent = read_card(Path(origin["encoder"]))["mlflow_run_id"]
        tags |= {"cerebro.lineage": " > ".join(lineage), "cerebro.parent.encoder": parent}
    params = {"max_windows_per_subject": probes.max_windows_per_subject, "resamples": resamples}
    with start_run(store, name=f"probe {node}", kind="probe", tags=tags, params=params) as run:
        with atomic_path(output.with_suffix(".parquet")) as temporary:
            _tabulated(found, targets).to_parquet(temporary, index=False)
        write_json(output, {"node": node, "lineage": lineage, "targets": results})
        run.log_metrics(_tracked(results))
        run.log_artifact(output)


@dataclass(frozen=True)
class Probed:
    """A target's answer, and its readouts by name: measures of its leading metric, and whose each row is."""

    answer: Answer | TooFewSubjects
    split: str = "test"
    readouts: Mapping[str, tuple[Measure, NDArray[np.str_]]] = field(default_factory=dict)
    centred_on: str | None = None


def answer_targets(
    sets: Mapping[str, Features],
    index: pd.DataFrame,
    targets: Mapping[str, Target],
    *,
    penalties: Sequence[float],
) -> dict[str, Probed]:
    """Fit all targets, by name: what each form found, or why it cannot be measured."""
    rows = index.set_index("window", drop=False)
    answers: dict[str, Probed] = {}
    for name, target in targets.items():
        part = sets[target.windows]
        windows = rows.loc[part.window].reset_index(drop=True)
        answers[name] = probed(target, part.values, windows, penalties=penalties)
    return answers


def answer(
    target: Target,
    features: NDArray[np.float32],
    windows: pd.DataFrame,
    *,
    penalties: Sequence[float],
    split: str = "test",
) -> Answer | TooFewSubjects:
    """Fit one target, windows as they are.

    Parameters
    ----------
    target : Target
    features : array, shape (n, dim)
    windows : DataFrame, n rows
        Rows of the window index; those of training subjects are left out.
    penalties : sequence of float
        To choose from.
    split : {'test', 'validation'}
        Who is scored.
    """
    try:
        return ALL_FORMS[target.form](*_samples(target, features, windows, split), penalties)
    except TooFewSubjects as error:
        return error


def probed(
    target: Target, features: NDArray[np.float32], windows: pd.DataFrame, *, penalties: Sequence[float]
) -> Probed:
    """Fit one target in all of its readouts; parameters of :func:`answer`."""
    split = "test" if (windows["split"] == "test").any() else "validation"
    plain = answer(target, features, windows, penalties=penalties, split=split)
    if isinstance(plain, TooFewSubjects) or not isinstance(target.declared, IntervalLabel | RecordingLabel):
        return Probed(plain, split)
    _, samples = _samples(target, features, windows, split)
    over = centre_of(samples)
    readouts = {"averaged": averaged(plain, samples, target.metric)}
    if over is not None:
        own = centred(features, windows, over)
        found = answer(target, own, windows, penalties=penalties, split=split)
        assert isinstance(found, Answer)  # the same people with the same labels
        readouts["centred"] = (found.measures[target.metric], found.subjects)
        readouts["centred_averaged"] = averaged(found, samples, target.metric)
    return Probed(plain, split, readouts, over)


def scored(found: Probed, target: Target, *, resamples: int) -> dict[str, Any]:
    """Score the answers of one target: its part of the file that :func:`run_probes` writes."""
    answer = found.answer
    if isinstance(answer, TooFewSubjects):
        return {"split": found.split, "not_measurable": str(answer)}
    bootstrap = SubjectBootstrap(answer.subjects, resamples=resamples)
    scores = {name: _score(one, answer.subjects, bootstrap) for name, one in answer.measures.items()}
    leading = {target.metric: scores.pop(target.metric)}
    readouts = {name: _score(one, subjects, bootstrap) for name, (one, subjects) in found.readouts.items()}
    return {
        "unit": target.unit,
        "split": found.split,
        "metrics": leading | scores,
        **({"readouts": readouts, "centred_on": found.centred_on} if readouts else {}),
        "penalties": answer.penalties,
        "n_subjects": len(bootstrap.subjects),
        "n_scored": len(answer.subjects),
        "n_training_subjects": answer.n_fitted,
    }


def _tabulated(answers: Mapping[str, Probed], targets: Mapping[str, Target]) -> pd.DataFrame:
    """What the leading metrics compare, one row per sample and measured target."""
    parts = [
        leading_answers(found.answer, targets[name].metric).assign(target=name, metric=targets[name].metric)
        for name, found in answers.items()
        if isinstance(found.answer, Answer)
    ]
    return pd.concat(parts or [pd.DataFrame(columns=ANSWER_COLUMNS)])[ANSWER_COLUMNS].reset_index(drop=True)


def _samples(
    target: Target, features: NDArray[np.float32], windows: pd.DataFrame, split: str
) -> tuple[NDArray[np.float64], pd.DataFrame]:
    """Features of held-out windows with a label and the rows that say what they are, in the index's order.

    Classes become codes, with their number in ``classes``: the declared ones, or those that occur; ``scored``
    says who is of ``split``. Of a trait there is one averaged sample per subject.
    """
    label = windows[target.label]
    known = ((windows["split"] != "train") & label.notna() & (label != "")).to_numpy()
    order = np.flatnonzero(known)[np.argsort(windows["window"].to_numpy()[known], kind="stable")]
    samples = windows.iloc[order].reset_index(drop=True)
    samples = samples.assign(scored=samples["split"] == split)
    x = features[order].astype(np.float64)
    if target.form == "classification":
        assert target.declared is not None
        try:
            names = class_names(target.label, target.declared, samples[target.label])
        except UserError as error:
            raise TooFewSubjects(str(error)) from None
        truth = codes(samples[target.label], names)
        samples = samples.assign(truth=truth, classes=len(names))
    elif target.form == "regression":
        samples = samples.assign(truth=samples[target.label].astype(float))
    if target.unit == "window":
        return x, samples
    people, first, members = np.unique(
        samples["subject"].to_numpy(dtype=str), return_index=True, return_inverse=True
    )
    sums = np.zeros((len(people), x.shape[1]))
    np.add.at(sums, members, x)
    averaged_x = sums / np.bincount(members, minlength=len(people))[:, None]
    return averaged_x, samples.iloc[first].reset_index(drop=True)


def _score(
    measure: Measure, subjects: NDArray[np.str_], bootstrap: SubjectBootstrap
) -> dict[str, float | None]:
    """A metric, the same of the floor, and how likely their difference is by chance, paired over subjects."""

    def resampled(prediction: NDArray[np.float64]) -> tuple[Values, Values]:
        distribution = bootstrap.distribution(measure.metric, measure.truth, prediction, subjects=subjects)
        return measure.metric(measure.truth, prediction), distribution

    n_subjects = len(bootstrap.subjects)
    (value, values), (floor, floors) = resampled(measure.predicted), resampled(measure.floor)
    if measure.metric is pearson_r:  # a constant has no correlation: none is 0
        difference = Gap.of(value, values, n_subjects=n_subjects)
    else:
        difference = Gap.of(value - floor, values - floors, n_subjects=n_subjects)
    return {
        **Interval.of(value, values, n_subjects=n_subjects).as_json(),
        "floor": float(floor) if np.isfinite(floor) else None,
        "p": difference.as_json()["p"],
    }


def _tracked(results: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Metrics as MLflow names them: `probe/age/mae`, its interval as `probe/age/mae_low` and `_high`.

    Readouts stand beside them: `probe/eyes/centred`.
    """
    named = {
        f"probe/{target}/{metric}{suffix}": score[key]
        for target, result in results.items()
        for metric, score in {**result.get("metrics", {}), **result.get("readouts", {})}.items()
        for key, suffix in (("value", ""), *((end, f"_{end}") for end in ("low", "high", "floor", "p")))
    }
    return {name: value for name, value in named.items() if value is not None and math.isfinite(value)}
