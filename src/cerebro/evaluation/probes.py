"""Linear probes: how much of each target a ridge or logistic regression finds in frozen features.

The probe is fitted on all subjects outside the held-out releases (training and validation; nothing is
selected here but the penalty, by folds over those subjects) and scored on the held-out ones. An encoder that
trained with auxiliary labels knows its training subjects' labels better than others', which can only lower
its probe's score on the held-out ones.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cerebro.config import Probes, Statistics, read_architecture
from cerebro.data.card import load_encoder, random_encoder, read_card
from cerebro.data.selection import evenly_per_subject, read_index, shards_folder
from cerebro.errors import UserError
from cerebro.evaluation.bootstrap import Interval, SubjectBootstrap
from cerebro.evaluation.features import extract_features
from cerebro.evaluation.linear import LinearFit, TooFewSubjects, fit_logistic, fit_ridge
from cerebro.evaluation.targets import TARGETS, Target
from cerebro.files import write_json
from cerebro.models.token_encoder import TokenEncoder
from cerebro.tracking import start_run

Samples = tuple[NDArray[Any], pd.DataFrame]
"""Features (n, dim), and a table of n rows with ``subject``, ``split`` and ``truth``."""


def run_probes(
    node: str, settings: dict[str, Any], *, encoder: Path | None, index: Path, store: Path, output: Path
) -> None:
    """Probe one encoder for all configured targets; write a JSON file and an MLflow run.

    Parameters
    ----------
    node : str
        The phase's name, or ``random``.
    settings : dict
        ``{"probes": ..., "statistics": ..., "encoder": ..., "seed": int}``; the last two build the untrained
        encoder and are read only where ``encoder`` is None.
    encoder : Path, optional
        The phase's folder.
    index, store : Path
        The window index, and the tracking store's ``tracking.json``.
    output : Path
        JSON: ``{"node", "lineage", "targets": {target: ...}}``. A measured target has ``metrics`` (each with
        ``value``, ``low``, ``high`` and the ``floor`` of the training mean or majority), ``unit``,
        ``penalty`` and counts; one that the data do not allow has ``not_measurable`` with the reason.
    """
    probes = Probes.model_validate(settings["probes"])
    resamples = Statistics.model_validate(settings["statistics"]).resamples
    if encoder is None:
        model = random_encoder(read_architecture(settings["encoder"]), settings["seed"]).eval()
        lineage, tags = [], {}
    else:
        card = read_card(encoder)
        model, lineage = load_encoder(encoder), card["lineage"]
        tags = {"cerebro.lineage": " > ".join(lineage), "cerebro.parent.encoder": card["mlflow_run_id"]}
    table = read_index(index)
    results = probe_targets(model, table, probes=probes, shards=shards_folder(index), resamples=resamples)
    for name, result in results.items():
        if "not_measurable" in result:
            print(f"probe {name} of '{node}' is not measurable: {result['not_measurable']}", flush=True)
    params = {"max_windows_per_subject": probes.max_windows_per_subject, "resamples": resamples}
    with start_run(
        store, name=f"probe {node}", kind="probe", tags={"cerebro.node": node, **tags}, params=params
    ) as run:
        write_json(output, {"node": node, "lineage": lineage, "targets": results})
        run.log_metrics(_tracked(results))
        run.log_artifact(output)


def probe_targets(
    encoder: TokenEncoder, table: pd.DataFrame, *, probes: Probes, shards: Path, resamples: int
) -> dict[str, dict[str, Any]]:
    """Probe an encoder for all configured targets, by name; see :func:`probe` for each."""
    by_kind = {
        kind: _window_features(encoder, table, kind, probes=probes, shards=shards)
        for kind in dict.fromkeys(TARGETS[name].windows for name in probes.targets)
    }
    return {
        name: probe(TARGETS[name], *by_kind[TARGETS[name].windows], probes=probes, resamples=resamples)
        for name in probes.targets
    }


def probe(
    target: Target,
    features: NDArray[np.float32],
    windows: pd.DataFrame,
    *,
    probes: Probes,
    resamples: int,
) -> dict[str, Any]:
    """Fit and score one target.

    Parameters
    ----------
    target : Target
    features : array, shape (n, dim)
    windows : DataFrame, n rows
        Rows of the window index.
    probes : Probes
        Penalties to choose from.
    resamples : int
        Bootstrap resamples of test subjects.

    Returns
    -------
    dict
        The target's part of the file that :func:`run_probes` writes.
    """
    x, samples = _samples(target, features, windows)
    test = (samples["split"] == "test").to_numpy()
    try:
        fit = _fit(target, x[~test], samples[~test], probes)
    except TooFewSubjects as error:
        return {"not_measurable": str(error)}
    truth, subjects = samples.loc[test, "truth"].to_numpy(), samples.loc[test, "subject"].to_numpy()
    if not len(truth) or np.ptp(truth) == 0:
        found = f"a single value in {len(np.unique(subjects))} subjects" if len(truth) else "nothing"
        return {"not_measurable": f"the test split holds {found}"}
    predicted = fit.predict(x[test])
    floor = np.full(len(truth), _floor(target, samples.loc[~test, "truth"]))
    bootstrap = SubjectBootstrap(subjects, resamples=resamples)
    metrics = _scores(target, truth, predicted, floor, subjects=subjects, bootstrap=bootstrap)
    if target.by_subject:
        mean = pd.DataFrame({"truth": truth, "predicted": predicted, "floor": floor}).groupby(subjects).mean()
        averaged = (mean["truth"].to_numpy(), mean["predicted"].to_numpy(), mean["floor"].to_numpy())
        scores = _scores(target, *averaged, subjects=mean.index.to_numpy(dtype=str), bootstrap=bootstrap)
        metrics |= {f"subject_{name}": score for name, score in scores.items()}
    return {
        "unit": target.unit,
        "metrics": metrics,
        "penalty": fit.penalty,
        "n_subjects": len(bootstrap.subjects),
        "n_windows": int(((windows["split"] == "test") & windows[target.label].notna()).sum()),
        "n_training_subjects": int(samples.loc[~test, "subject"].nunique()),
    }


def _window_features(
    encoder: TokenEncoder, table: pd.DataFrame, kind: str, *, probes: Probes, shards: Path
) -> Samples:
    """Features of up to ``max_windows_per_subject`` windows of each subject, evenly spread over its own.

    Datasets without a test subject (TUH) take no part: there is nothing to score them on.
    """
    scored = table.loc[table["split"] == "test", "dataset"].unique()
    if not len(scored):
        raise UserError(
            "the window index has no test split, so no probe can be scored: put a release that the datasets "
            "hold into splits.test_releases"
        )
    candidates = table[(table["kind"] == kind) & table["keep"] & table["dataset"].isin(scored)]
    label = next(target.label for target in TARGETS.values() if target.windows == kind)
    if kind != "fixed":  # fixed windows serve several labels, whose gaps differ
        candidates = candidates[candidates[label].notna()]
    chosen = evenly_per_subject(candidates, probes.max_windows_per_subject)
    if chosen.empty:
        return np.empty((0, encoder.dim), np.float32), chosen
    return extract_features(encoder, chosen, shards=shards), chosen


def _samples(target: Target, features: NDArray[np.float32], windows: pd.DataFrame) -> Samples:
    """Windows with a label, or one averaged sample per subject."""
    if target.classes:
        truth = windows[target.label].map({name: code for code, name in enumerate(target.classes)})
    else:
        truth = windows[target.label]
    samples = windows[["subject", "split"]].assign(truth=truth.astype(float))
    known = samples["truth"].notna().to_numpy()
    features, samples = features[known].astype(np.float64), samples[known].reset_index(drop=True)
    if target.unit == "window":
        return features, samples
    names, first, members = np.unique(
        samples["subject"].to_numpy(dtype=str), return_index=True, return_inverse=True
    )
    sums = np.zeros((len(names), features.shape[1]))
    np.add.at(sums, members, features)
    averaged = sums / np.bincount(members, minlength=len(names))[:, None]
    return averaged, samples.iloc[first].reset_index(drop=True)


def _fit(target: Target, x: NDArray[Any], samples: pd.DataFrame, probes: Probes) -> LinearFit:
    if samples.empty:
        raise TooFewSubjects("the training and validation splits hold nothing")
    fit = fit_ridge if target.task == "regression" else fit_logistic
    return fit(x, samples["truth"], subjects=samples["subject"], penalties=probes.penalties)


def _floor(target: Target, truth: pd.Series) -> float:
    """The training mean, or the training majority's class as a certain probability."""
    mean = float(truth.mean())
    return mean if target.task == "regression" else float(mean >= 0.5)


def _scores(
    target: Target,
    truth: NDArray[Any],
    predicted: NDArray[Any],
    floor: NDArray[Any],
    *,
    subjects: NDArray[Any],
    bootstrap: SubjectBootstrap,
) -> dict[str, dict[str, float | None]]:
    return {
        name: {
            **bootstrap.interval(metric, truth, predicted, subjects=subjects).as_json(),
            "floor": Interval.of(metric(truth, floor), np.empty(0)).value,
        }
        for name, metric in target.metrics.items()
    }


def _tracked(results: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Metrics as MLflow names them: `probe/age/mae`, its interval as `probe/age/mae_low` and `_high`."""
    named = {
        f"probe/{target}/{metric}{suffix}": score[key]
        for target, result in results.items()
        for metric, score in result.get("metrics", {}).items()
        for key, suffix in (("value", ""), ("low", "_low"), ("high", "_high"), ("floor", "_floor"))
    }
    return {name: value for name, value in named.items() if value is not None and math.isfinite(value)}
