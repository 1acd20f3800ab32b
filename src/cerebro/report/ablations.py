"""The table of ablations: every variant's scores, and its difference to the full study, with intervals."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cerebro.evaluation.bootstrap import SubjectBootstrap
from cerebro.evaluation.comparison import Difference, Resampled, compare, resample
from cerebro.evaluation.ensemble import averaged, member_weights, same_windows
from cerebro.evaluation.metrics import nrmse
from cerebro.evaluation.smoothing import smoothed
from cerebro.files import atomic_path
from cerebro.report.figures import forest_plot, learning_curve
from cerebro.report.tables import as_markdown, print_tables
from cerebro.report.variants import ablation_tables
from cerebro.tracking import start_run
from cerebro.variants import FULL, Lineup

SHARES = {1: 0.3, 2: 0.7}
"""Weights of the challenges in the overall score."""
METRICS = ("c1/nrmse", "c2/nrmse", "overall", "c1/subject_nrmse", "c2/subject_nrmse")
"""What each variant is scored by."""
MEAN = "mean"
"""The baseline that answers the training mean; every variant is compared with it as well, if it is there."""


def tabulate(
    lineups: Sequence[Lineup],
    *,
    predictions: Mapping[str, Path],
    validation: Mapping[str, Path] | None = None,
    resamples: int,
    store: Path,
    output: Path,
) -> None:
    """Compare all variants with the full study; write the table and log a run per variant and seed.

    Parameters
    ----------
    lineups : sequence of Lineup
        Every variant with every seed.
    predictions : mapping of str to Path
        By node, the answers that :func:`cerebro.submission.predict.predict` wrote for scored windows.
    validation : mapping of str to Path, optional
        The same for validation windows, of nodes that are weighed by them.
    resamples : int
        Bootstrap resamples of subjects and seeds.
    store : Path
        The tracking store's ``tracking.json``.
    output : Path
        The CSV, one row per variant and metric; the Markdown table and two figures lie beside it.

    Raises
    ------
    UserError
        When two nodes answered different windows.
    """
    scored, weighing = (
        {node: pd.read_parquet(path) for node, path in paths.items()}
        for paths in (predictions, validation or {})
    )
    for challenge in SHARES:
        nodes = {name: scored[name] for lineup in lineups for name in lineup.members()[challenge]}
        same_windows(nodes, purpose=f"challenge {challenge}")
    answers = [_answers(lineup, scored, weighing) for lineup in lineups]
    scores, by_seed = _scores(lineups, answers, resamples=resamples)
    differences = {name: _differences(scores, name) for name in (FULL, MEAN)}
    shares = {lineup.variant: lineup.subject_share for lineup in lineups}
    table = _tidy(scores, differences, shares)
    with atomic_path(output) as temporary:
        table.to_csv(temporary, index=False)
    shown = ablation_tables(scores, differences, seeds=_seeds(lineups), resamples=resamples)
    with atomic_path(output.with_suffix(".md")) as temporary:
        temporary.write_text(as_markdown(shown))
    forest_plot(table, output.with_name("forest.svg"))
    learning_curve(table, output.with_name("learning_curve.svg"))
    _track(lineups, by_seed, store=store)
    print_tables(shown)


def _answers(
    lineup: Lineup, scored: Mapping[str, pd.DataFrame], validation: Mapping[str, pd.DataFrame]
) -> dict[int, pd.DataFrame]:
    """What a lineup answers, by challenge: the weighted mean of its members, smoothed where it says so."""
    answers = {}
    for challenge, members in lineup.members().items():
        purpose = f"{lineup.variant}, seed {lineup.seed}, challenge {challenge}"
        weights = member_weights(members, lineup.weights, validation, purpose=purpose)
        answers[challenge] = averaged(scored, weights)
    return {**answers, 2: smoothed(answers[2], lineup.smooth_windows)}


def _differences(
    scores: Mapping[str, Mapping[str, Resampled]], reference: str
) -> dict[str, dict[str, Difference]]:
    """By metric, all variants against one of them; none where it is not among them."""
    return {
        metric: compare(variants, {name: reference for name in variants if name != reference})
        for metric, variants in scores.items()
        if reference in variants
    }


def _seeds(lineups: Sequence[Lineup]) -> int:
    return max(Counter(lineup.variant for lineup in lineups).values())


def _scores(
    lineups: Sequence[Lineup], answers: Sequence[Mapping[int, pd.DataFrame]], *, resamples: int
) -> tuple[dict[str, dict[str, Resampled]], dict[tuple[str, int], dict[str, float]]]:
    """Resampled scores by metric and variant, and each lineup's own values."""
    places: dict[str, list[int]] = {}
    for place, lineup in enumerate(lineups):
        places.setdefault(lineup.variant, []).append(place)
    everyone = {subject for given in answers for frame in given.values() for subject in frame["subject"]}
    bootstrap = SubjectBootstrap(everyone, resamples=resamples)
    scores: dict[str, dict[str, Resampled]] = {metric: {} for metric in METRICS}
    for variant, seeds in places.items():
        for challenge in SHARES:
            frames = [answers[place][challenge] for place in seeds]
            for name, frame_of in (("nrmse", lambda frame: frame), ("subject_nrmse", _subject_means)):
                parts = [frame_of(frame) for frame in frames]
                scores[f"c{challenge}/{name}"][variant] = resample(
                    nrmse,
                    parts[0]["truth"].to_numpy(),
                    [part["prediction"].to_numpy() for part in parts],
                    subjects=parts[0]["subject"].to_numpy(dtype=str),
                    bootstrap=bootstrap,
                )
        scores["overall"][variant] = Resampled(
            *(
                sum(share * getattr(scores[f"c{c}/nrmse"][variant], part) for c, share in SHARES.items())
                for part in ("by_seed", "resamples")
            )
        )
    by_seed = {
        (variant, lineups[place].seed): {
            metric: float(variants[variant].by_seed[nth]) for metric, variants in scores.items()
        }
        for variant, seeds in places.items()
        for nth, place in enumerate(seeds)
    }
    return scores, by_seed


def _subject_means(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.groupby("subject", as_index=False)[["truth", "prediction"]].mean()


def _tidy(
    scores: Mapping[str, Mapping[str, Resampled]],
    differences: Mapping[str, Mapping[str, Mapping[str, Difference]]],
    shares: Mapping[str, float | None],
) -> pd.DataFrame:
    rows = []
    for metric, variants in scores.items():
        for variant, score in variants.items():
            row: dict[str, Any] = {"variant": variant, "metric": metric, "subject_share": shares[variant]}
            row |= score.as_columns()
            if (found := differences[FULL][metric].get(variant)) is not None:
                row |= found.interval.as_columns("difference") | {
                    "p": found.p,
                    "p_corrected": found.p_corrected,
                }
                row |= found.of_variant.as_columns("full_gain")
            if (found := differences[MEAN].get(metric, {}).get(variant)) is not None:
                row |= found.interval.as_columns("minus_mean") | {"minus_mean_p_corrected": found.p_corrected}
            rows.append(row)
    return pd.DataFrame(rows)


def _track(
    lineups: Sequence[Lineup], values: Mapping[tuple[str, int], Mapping[str, float]], *, store: Path
) -> None:
    for lineup in lineups:
        tags = {"cerebro.variant": lineup.variant, "cerebro.seed": str(lineup.seed)}
        tags |= {f"cerebro.challenge_{c}": ", ".join(names) for c, names in lineup.members().items()}
        name = f"{lineup.variant}, seed {lineup.seed}"
        with start_run(store, name=name, kind="ablation", tags=tags) as run:
            found = values[lineup.variant, lineup.seed]
            run.log_metrics({key: value for key, value in found.items() if np.isfinite(value)})
