"""The table of ablations: every variant's scores, and its difference to the full study, with intervals."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cerebro.files import atomic_path
from cerebro.report.figures import forest_plot, learning_curve
from cerebro.report.tables import as_markdown, print_tables
from cerebro.report.variants import MEAN, Compared, ablation_tables
from cerebro.scoring.challenge import SCORES, SHARES, compared, constant_answers
from cerebro.scoring.ensemble import averaged, member_weights, same_windows
from cerebro.scoring.smoothing import smoothed
from cerebro.statistics.bootstrap import SubjectBootstrap
from cerebro.statistics.comparison import Difference, Resampled, compare, resample
from cerebro.study.variants import FULL, Lineup
from cerebro.tracking import start_run

OVERALL = {"overall/unshrunk": "unshrunk_nrmse", "overall": "nrmse"}
"""What the weighted sums are of."""


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
        By node, the answers that :func:`cerebro.scoring.predictions.predict` wrote for scored windows.
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
    places: dict[str, list[int]] = {}
    for place, lineup in enumerate(lineups):
        places.setdefault(lineup.variant, []).append(place)
    by_variant = {name: [answers[place] for place in seeds] for name, seeds in places.items()}
    scores = _scores(by_variant, resamples=resamples)
    found = Compared(
        scores,
        differences={name: _differences(scores, name) for name in (FULL, MEAN)},
        constant=_constant(by_variant, scores),
        seeds=max(map(len, places.values())),
    )
    table = _tidy(found, {lineup.variant: lineup.subject_share for lineup in lineups})
    with atomic_path(output) as temporary:
        table.to_csv(temporary, index=False)
    shown = ablation_tables(found)
    with atomic_path(output.with_suffix(".md")) as temporary:
        temporary.write_text(as_markdown(shown))
    forest_plot(table, output.with_name("forest.svg"))
    learning_curve(table, output.with_name("learning_curve.svg"))
    _track(lineups, places, scores, store=store)
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


def _scores(
    answers: Mapping[str, Sequence[Mapping[int, pd.DataFrame]]], *, resamples: int
) -> dict[str, dict[str, Resampled]]:
    """Resampled scores by metric and variant, from answers by variant, seed and challenge."""
    frames = [frame for seeds in answers.values() for given in seeds for frame in given.values()]
    everyone = {subject for frame in frames for subject in frame["subject"].unique()}
    bootstrap = SubjectBootstrap(everyone, resamples=resamples)
    scores: dict[str, dict[str, Resampled]] = {}
    for challenge in SHARES:
        for name, score in SCORES.items():
            if score.over == "within" and challenge == 2:  # the truth is one for all windows of a person
                continue
            of_metric = scores.setdefault(f"c{challenge}/{name}", {})
            for variant, seeds in answers.items():
                parts = [compared(given[challenge], score.column, score.over) for given in seeds]
                truth, _, subjects = parts[0]
                predictions = [prediction for _, prediction, _ in parts]
                of_metric[variant] = resample(
                    score.metric, truth, predictions, subjects=subjects, bootstrap=bootstrap
                )
    for metric, name in OVERALL.items():
        scores[metric] = {variant: _weighted(scores, name, variant) for variant in answers}
    return scores


def _weighted(scores: Mapping[str, Mapping[str, Resampled]], name: str, variant: str) -> Resampled:
    first, second = (scores[f"c{challenge}/{name}"][variant] for challenge in SHARES)
    return Resampled(
        SHARES[1] * first.by_seed + SHARES[2] * second.by_seed,
        SHARES[1] * first.resamples + SHARES[2] * second.resamples,
        min(first.n_subjects, second.n_subjects),
    )


def _constant(
    answers: Mapping[str, Sequence[Mapping[int, pd.DataFrame]]], metrics: Iterable[str]
) -> dict[str, dict[str, int]]:
    """How many seeds of each variant answer one constant, by metric."""
    counts: dict[str, dict[str, int]] = {}
    for metric in metrics:
        name = OVERALL.get(metric) or metric.partition("/")[2]
        challenges = SHARES if metric in OVERALL else (int(metric[1]),)
        counts[metric] = {
            variant: sum(
                all(constant_answers(given[challenge], SCORES[name].column) for challenge in challenges)
                for given in seeds
            )
            for variant, seeds in answers.items()
        }
    return counts


def _tidy(found: Compared, shares: Mapping[str, float | None]) -> pd.DataFrame:
    rows = []
    for metric, variants in found.scores.items():
        for variant, score in variants.items():
            row: dict[str, Any] = {"variant": variant, "metric": metric, "subject_share": shares[variant]}
            row |= score.as_columns() | {"constant_seeds": found.constant[metric][variant]}
            if (to_full := found.differences[FULL][metric].get(variant)) is not None:
                row |= to_full.interval.as_columns("difference") | {
                    "p": to_full.p,
                    "p_corrected": to_full.p_corrected,
                }
                row |= to_full.of_variant.as_columns("full_gain")
            if (to_mean := found.differences[MEAN].get(metric, {}).get(variant)) is not None:
                row |= to_mean.interval.as_columns("minus_mean")
                row |= {"minus_mean_p_corrected": to_mean.p_corrected}
            rows.append(row)
    return pd.DataFrame(rows)


def _track(
    lineups: Sequence[Lineup],
    places: Mapping[str, Sequence[int]],
    scores: Mapping[str, Mapping[str, Resampled]],
    *,
    store: Path,
) -> None:
    for place, lineup in enumerate(lineups):
        tags = {"cerebro.variant": lineup.variant, "cerebro.seed": str(lineup.seed)}
        tags |= {f"cerebro.challenge_{c}": ", ".join(names) for c, names in lineup.members().items()}
        name = f"{lineup.variant}, seed {lineup.seed}"
        nth = places[lineup.variant].index(place)
        found = {metric: float(of[lineup.variant].by_seed[nth]) for metric, of in scores.items()}
        with start_run(store, name=name, kind="ablation", tags=tags) as run:
            run.log_metrics({key: value for key, value in found.items() if np.isfinite(value)})
