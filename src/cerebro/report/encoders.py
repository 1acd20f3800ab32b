"""Tables of what each phase adds, and what each variant changes, in the encoder that Phase 3 starts from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cerebro.files import atomic_path, read_json
from cerebro.probes.comparison import compare_encoders
from cerebro.report.cells import ABSENT, difference, interval, number
from cerebro.report.headings import heading, name
from cerebro.report.lineage import draw
from cerebro.report.tables import Table, as_markdown, print_tables
from cerebro.statistics.comparison import SIGNIFICANT, star_is_possible
from cerebro.study.stages import SIGNAL, Comparison

METHOD = (
    "Leading score of each linear probe on held-out subjects, mean over seeds, with 95 % percentile "
    "intervals over subjects and seeds together."
)


ADDED = "What each phase adds to the encoder it started from"
STARTED = "The difference as a share of the starting encoder's score, positive where the phase made it better"
BESIDE = "Encoders beside band power"
POWER = "The difference as a share of band power's score, positive where the encoder is better"


def tabulate_encoders(
    phases: Comparison,
    variants: Comparison,
    *,
    probes: Mapping[str, Path],
    isc: Mapping[str, Path],
    resamples: int,
    output: Path,
) -> None:
    """Compare encoders along the lineage and between variants.

    Parameters
    ----------
    phases : Comparison
        The signal, the untrained encoder and every phase, each of these with the one that it started from.
    variants : Comparison
        For each variant that changes it the encoder that Phase 3 starts from, with that of the full study.
    probes : mapping of str to Path
        By encoder, the answers that :func:`cerebro.probes.run.run_probes` tabulates.
    isc : mapping of str to Path
        By encoder, files of :func:`cerebro.synchrony.run.run_isc`; empty where people met no stimulus.
    resamples : int
        Bootstrap resamples of subjects and seeds.
    output : Path
        The CSV, one row per comparison (`phases`, `variants`, and `signal`, the rows of `phases` against band
        power), target and row; the Markdown tables lie beside it, and
        ``lineage.svg``.
    """
    answers = {encoder: pd.read_parquet(path) for encoder, path in probes.items()}
    tables = {
        name: compare_encoders(one.rows, one.references, answers, resamples=resamples)
        for name, one in (("phases", phases), ("variants", variants))
    }
    beside = {row: SIGNAL for row in phases.rows if row != SIGNAL and SIGNAL in phases.rows}
    tables["signal"] = compare_encoders(phases.rows, beside, answers, resamples=resamples)
    content = {encoder: read_json(path) for encoder, path in isc.items()}
    with atomic_path(output) as temporary:
        pd.concat(tables, names=["comparison"]).reset_index(level=0).to_csv(temporary, index=False)
    shown = [
        _scores(tables["phases"], phases),
        _gains(tables["phases"], phases.references, after="after", title=ADDED, note=STARTED),
        _gains(tables["signal"], beside, after="beside", title=BESIDE, note=POWER),
    ]
    if variants.references:
        shown.append(_variants(tables["variants"], variants))
    if content:
        shown.append(_stimuli([*phases.rows.items(), *variants.rows.items()], content))
    with atomic_path(output.with_suffix(".md")) as temporary:
        temporary.write_text(as_markdown(shown))
    pairs = [(start, row) for row, start in phases.references.items()]
    draw(_contents(tables["phases"], phases), pairs, output=output.with_name("lineage.svg"))
    print_tables(shown)


def _scores(table: pd.DataFrame, phases: Comparison) -> Table:
    """Targets by phases: values."""
    rows = []
    for target in table["target"].unique():
        part = table[table["target"] == target].set_index("row")
        cells = [_cell(part.loc[row]) for row in phases.rows]
        title = heading(target, part["metric"].iloc[0], separator=", ")
        rows.append([title, f"{part['floor'].iloc[0]:.3f}", *cells])
    notes = [
        f"{METHOD} {_seeds(phases)}",
        "'signal' is log band power at the 10-20 electrodes, 'covariance' that of channels in tangent "
        "space: no encoder.",
    ]
    return Table("Linear probes along the lineage", ["", "no EEG", *phases.rows], rows, notes)


def _gains(table: pd.DataFrame, references: Mapping[str, str], *, after: str, title: str, note: str) -> Table:
    """Targets by rows: what each gains on its reference."""
    rows = []
    for target in table["target"].unique():
        part = table[table["target"] == target].set_index("row")
        rows.append([name(target), *(_gain(part.loc[row]) for row in references)])
    header = ["", *(f"{row}\n{after} {reference}" for row, reference in references.items())]
    notes = [
        f"{note}, on the same resampled subjects and seeds; * p below .05 after Holm's correction for all "
        f"{table['p'].count()} differences of this table.",
        *_without_stars(table),
    ]
    return Table(title, header, rows, notes)


def _variants(table: pd.DataFrame, variants: Comparison) -> Table:
    """Variants by targets: the full study's values, and what each variant gains on them."""
    parts = {target: table[table["target"] == target].set_index("row") for target in table["target"].unique()}
    rows = []
    for row in variants.rows:
        compared = row in variants.references
        cells = [_gain(part.loc[row]) if compared else _cell(part.loc[row]) for part in parts.values()]
        rows.append([row, *cells])
    notes = [
        f"{METHOD} First row: scores. Below: the difference as a share of the full study's score, positive "
        "where the variant's encoder is better; * p below .05 after Holm's correction for all "
        f"{table['p'].count()} differences. Variants that leave this encoder as it is have no row.",
        *_without_stars(table),
    ]
    header = ["variant", *(heading(target, part["metric"].iloc[0]) for target, part in parts.items())]
    title = "The encoder before Phase 3, by variant"
    return Table(title, header, rows, notes, separated=frozenset({0}))


def _stimuli(rows: Sequence[tuple[str, Sequence[str]]], isc: Mapping[str, Mapping[str, Any]]) -> Table:
    """How often a moment is found in another person, per row: mean, least and most over seeds."""
    lines = []
    chance: float | None = None
    for row, encoders in rows:
        if not set(encoders) <= set(isc):  # covariances have no time course
            continue
        cells = []
        for embedding in ("components" if SIGNAL in encoders else "tokens", "projection"):
            found = [isc[encoder]["embeddings"].get(embedding, {}).get("test", {}) for encoder in encoders]
            top = [one["retrieval_top1"] for one in found if "retrieval_top1" in one]
            if len(top) < len(encoders):
                cells += [ABSENT, ABSENT]
                continue
            chance = top[0]["chance"]
            cells += [_spread([one["value"] for one in top]), _spread([one["isc"]["value"] for one in found])]
        lines.append([f"{row}, no encoder" if SIGNAL in encoders else row, *cells])
    lines.append(["chance", *([ABSENT if chance is None else f"{chance:.3f}", "0.000"] * 2)])
    notes = [
        "How often the most similar window of another person who met the same stimulus is of the same "
        "moment, and the inter-subject correlation (ISC), on held-out subjects: mean over seeds, in "
        "brackets the least and the most. 'projection' is what a contrast phase itself compares. The "
        "signal has no tokens: in their place are its correlated components, fitted on training subjects."
    ]
    header = ["", "tokens\nmoment found", "tokens\nISC", "projection\nmoment found", "projection\nISC"]
    return Table(
        "Same stimulus, different people", header, lines, notes, separated=frozenset({len(lines) - 2})
    )


def _spread(values: Sequence[float]) -> str:
    return f"{number(float(np.mean(values)))}\n[{number(min(values))}, {number(max(values))}]"


def _without_stars(table: pd.DataFrame) -> list[str]:
    count = table["p"].count()
    if not count:
        return []
    n_subjects = int(table["n_subjects"].max())
    if star_is_possible(count, n_subjects):
        return []
    return [f"With {n_subjects} subjects no p of {count} differences can fall below .05."]


def _seeds(comparison: Comparison) -> str:
    count = len(next(iter(comparison.rows.values())))
    return f"{count} seed{'s' * (count != 1)}."


def _cell(row: pd.Series) -> str:
    return interval({key: _known(row[key]) for key in ("value", "low", "high")})


def _gain(row: pd.Series) -> str:
    found = {key: _known(row[f"gain_{key}"]) for key in ("value", "low", "high")}
    return difference(found, clear=bool(row["p_corrected"] < SIGNIFICANT), form=".1%")


def _known(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _contents(table: pd.DataFrame, phases: Comparison) -> dict[str, dict[str, Any]]:
    """The table as contents of probes' files, as the figure of lineages takes them."""
    contents: dict[str, dict[str, Any]] = {row: {"targets": {}} for row in phases.rows}
    for record in table.to_dict("records"):
        score = {key: _known(record[key]) for key in ("value", "low", "high", "floor")}
        contents[record["row"]]["targets"][record["target"]] = {"metrics": {record["metric"]: score}}
    return contents
