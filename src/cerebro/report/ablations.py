"""The table of ablations: every variant's scores, and its difference to the full study, with intervals."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
from cerebro.report.tables import Table, as_markdown, print_tables
from cerebro.tracking import start_run
from cerebro.variants import FULL, Lineup

SHARES = {1: 0.3, 2: 0.7}
"""Weights of the challenges in the overall score."""
HEADINGS = {
    "c1/nrmse": "Challenge 1\nreaction time",
    "c2/nrmse": "Challenge 2\nexternalizing",
    "overall": "Overall\n0.3 and 0.7",
    "c1/subject_nrmse": "Challenge 1\nsubject means",
    "c2/subject_nrmse": "Challenge 2\nsubject means",
}
"""Columns of the printed table, by metric."""


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
    differences = {metric: compare(variants, _against_full(variants)) for metric, variants in scores.items()}
    shares = {lineup.variant: lineup.subject_share for lineup in lineups}
    table = _tidy(scores, differences, shares)
    with atomic_path(output) as temporary:
        table.to_csv(temporary, index=False)
    shown = _printed(scores, differences, lineups)
    with atomic_path(output.with_suffix(".md")) as temporary:
        temporary.write_text(as_markdown([shown]))
    forest_plot(table, output.with_name("forest.svg"))
    learning_curve(table, output.with_name("learning_curve.svg"))
    _track(lineups, by_seed, store=store)
    print_tables([shown])


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


def _against_full(variants: Iterable[str]) -> dict[str, str]:
    return {name: FULL for name in variants if name != FULL}


def _scores(
    lineups: Sequence[Lineup], answers: Sequence[Mapping[int, pd.DataFrame]], *, resamples: int
) -> tuple[dict[str, dict[str, Resampled]], dict[tuple[str, int], dict[str, float]]]:
    """Resampled scores by metric and variant, and each lineup's own values."""
    places: dict[str, list[int]] = {}
    for place, lineup in enumerate(lineups):
        places.setdefault(lineup.variant, []).append(place)
    everyone = {subject for given in answers for frame in given.values() for subject in frame["subject"]}
    bootstrap = SubjectBootstrap(everyone, resamples=resamples)
    scores: dict[str, dict[str, Resampled]] = {metric: {} for metric in HEADINGS}
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
    differences: Mapping[str, Mapping[str, Difference]],
    shares: Mapping[str, float | None],
) -> pd.DataFrame:
    rows = []
    for metric, variants in scores.items():
        for variant, score in variants.items():
            row: dict[str, Any] = {"variant": variant, "metric": metric, "subject_share": shares[variant]}
            row |= score.as_columns()
            if (difference := differences[metric].get(variant)) is not None:
                row |= difference.as_columns()
            rows.append(row)
    return pd.DataFrame(rows)


def _printed(
    scores: Mapping[str, Mapping[str, Resampled]],
    differences: Mapping[str, Mapping[str, Difference]],
    lineups: Sequence[Lineup],
) -> Table:
    rows = []
    for variant in scores["overall"]:
        cells = []
        for metric in HEADINGS:
            interval = scores[metric][variant].interval()
            cells.append(_cell(interval.value, interval.low, interval.high))
            found = differences[metric].get(variant)
            if metric == "overall":
                cells.append("" if found is None else _difference(found))
        rows.append([variant, *cells])
    header = ["variant"]
    for metric, heading in HEADINGS.items():
        header += [heading, "minus full"] if metric == "overall" else [heading]
    counts = Counter(lineup.variant for lineup in lineups)
    notes = [
        "NRMSE on the held-out releases, less is better; 95 % percentile intervals over subjects and seeds "
        "together. 'minus full': on the same resampled subjects and seeds; * p below .05 after Holm's "
        "correction for the number of variants.",
        f"{len(counts)} variants, {max(counts.values())} seeds each. Nothing was chosen on the held-out "
        "releases: epochs, shrinkage and weights are chosen on validation subjects of the training releases.",
    ]
    return Table("Ablations", header, rows, notes, separated=frozenset({0}))


def _cell(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if low is None else f"{value:.3f}\n[{low:.3f}, {high:.3f}]"


def _difference(found: Difference) -> str:
    interval = found.interval
    if interval.value is None or interval.low is None:
        return "-"
    mark = "*" * (found.p_corrected < 0.05)
    return f"{interval.value:+.3f}{mark}\n[{interval.low:+.3f}, {interval.high:+.3f}]"


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
