"""The last step of a study: every score beside its floors, every encoder's probes, every phase's course."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cerebro.files import atomic_path, read_json
from cerebro.report.cells import ABSENT, NO_INTERVAL, interval, number
from cerebro.report.probes import probe_tables
from cerebro.report.recordings import recording_tables
from cerebro.report.references import reference_table
from cerebro.report.tables import Table, as_markdown, print_tables

HEADINGS = {
    "challenge_1": "Challenge 1\nreaction time",
    "challenge_2": "Challenge 2\nexternalizing",
    "overall": "Overall\n0.3 and 0.7",
}
FLOORS = {"training_mean": "training mean", "age_sex": "age and sex"}


def summarise(
    *,
    score: Path,
    probes: Sequence[Path],
    isc: Sequence[Path],
    phases: Sequence[Path],
    windows: Path | None,
    output: Path,
) -> None:
    """Print the tables of a study and write them as Markdown.

    Parameters
    ----------
    score : Path
        ``score.json``.
    probes : sequence of Path
        A JSON file per encoder.
    isc : sequence of Path
        A JSON file per encoder, and that of the control.
    phases : sequence of Path
        Folders of the phases, in the order in which they are shown.
    windows : Path or None
        The counts of the window index.
    output : Path
        The Markdown file.
    """
    tables = [score_table(read_json(score))]
    order = ["signal", "random", *(folder.name for folder in map(Path, phases))]
    if probes:
        tables += probe_tables(_ordered(probes, order))
    if isc:
        tables.append(isc_table(_ordered(isc, order)))
    if phases:
        tables.append(phase_table([Path(folder) for folder in phases]))
        references = reference_table([Path(folder) for folder in phases])
        tables += [references] if references else []
    if windows:
        tables += recording_tables(read_json(windows))
    with atomic_path(output) as temporary:
        temporary.write_text(as_markdown(tables))
    print_tables(tables)


def _ordered(files: Sequence[Path], order: Sequence[str]) -> list[Mapping[str, Any]]:
    """Contents of the encoders' files, those of unknown nodes last."""
    contents = {content["node"]: content for content in map(read_json, files)}
    known = [node for node in order if node in contents]
    return [contents[node] for node in (*known, *(node for node in contents if node not in known))]


def score_table(content: Mapping[str, Any]) -> Table:
    """The submission beside its floors, from the content of ``score.json``."""
    parts = [content[key] for key in HEADINGS]
    floors = [name for name in FLOORS if any(name in part["floors"] for part in parts)]

    def row(name: str, *keys: str) -> list[str]:
        return [name, *(interval(_descend(part, keys)) for part in parts)]

    rows = [row("submission", "nrmse"), row("submission, by subject", "by_subject", "nrmse")]
    rows += [row(FLOORS[name], "floors", name) for name in floors]
    rows += [
        [
            f"minus {FLOORS[name]}",
            *(_difference(_descend(part, ("floors", name, "difference"))) for part in parts),
        ]
        for name in floors
    ]
    rows.append(["windows", *(str(part.get("n_windows", "")) for part in parts)])
    rows.append(["subjects", *(str(part.get("n_subjects", "")) for part in parts)])
    notes = [
        "95 % intervals over subjects. 'minus': the submission's score less the floor's, on the same "
        "resampled subjects; * the whole interval is on the better side. 'by subject': predictions and truth "
        "are averaged over each subject's windows first."
    ]
    if any(part["nrmse"]["value"] is not None and part["nrmse"]["low"] is None for part in parts):
        notes.append(NO_INTERVAL)
    for key, heading in HEADINGS.items():
        if "reason" in content[key]:
            notes.append(f"{heading.partition(chr(10))[0]} has no score: {content[key]['reason']}.")
    return Table(
        "Score on the held-out releases: NRMSE, less is better",
        ["", *HEADINGS.values()],
        rows,
        notes,
        separated=frozenset({1, len(floors) + 1, 2 * len(floors) + 1}),
    )


def isc_table(contents: Sequence[Mapping[str, Any]]) -> Table:
    """One row per encoder and embedding, and a last one of chance, from the contents of the ISC files."""
    rows, reasons = [], []
    chances = dict.fromkeys(("validation", "test"), ABSENT)
    rank = ABSENT
    for content in contents:
        for name, splits in content["embeddings"].items():
            cells = [content["node"], name]
            for split in chances:
                found = splits[split]
                if "not_measurable" in found:
                    reasons.append(f"The {split} split holds {found['not_measurable']}.")
                    cells.append(ABSENT)
                    continue
                top = found["retrieval_top1"]
                chances[split] = number(top["chance"])
                clear = top["low"] is not None and top["low"] > top["chance"]
                cells.append(interval(top, clear=clear))
            test = splits["test"]
            if "not_measurable" in test:
                rows.append([*cells, ABSENT, ABSENT])
                continue
            rank = f"{test['median_rank']['chance']:.1f}"
            isc = test["isc"]
            shown = interval(isc, clear=isc["p"] < 0.05)
            rows.append([*cells, f"{test['median_rank']['value']:.1f}", shown])
    rows.append(["chance", "", *chances.values(), rank, number(0.0)])
    notes = [
        "Subjects who watch the same film, compared two by two: how often the most similar window of the "
        "other one is of the same moment, the median rank of that window on the test releases, and the "
        "inter-subject correlation (ISC) there, with 95 % intervals over subjects; * above chance (the whole "
        "interval; for ISC, p < .05 among circular shifts). 'signal' is the control: correlated components.",
        *dict.fromkeys(reasons),
    ]
    header = ["encoder", "embedding", "moment found\nvalidation", "moment found\ntest", "median rank", "ISC"]
    return Table(
        "Same film, different people", header, rows, notes, n_names=2, separated=frozenset({len(rows) - 2})
    )


def phase_table(folders: Sequence[Path]) -> Table:
    """The course of each phase: validation loss before training and at the epoch that was kept."""
    rows = []
    never = []
    for folder in folders:
        card, metrics = read_json(folder / "card.json"), read_json(folder / "metrics.json")
        with (folder / "history.csv").open(newline="") as stream:
            history = [row for row in csv.DictReader(stream) if row.get("val/loss")]
        last = max(int(float(row["epoch"])) for row in history)
        kept = int(metrics["kept_epoch"])
        before = next((float(row["val/loss"]) for row in history if float(row["epoch"]) == 0), None)
        if kept == 0:
            never.append(folder.name)
        lineage = card["lineage"][:-1]
        rows.append(
            [
                folder.name,
                card["kind"],
                " > ".join(lineage) or ABSENT,
                f"{kept} of {last}",
                number(before),
                number(metrics["val/loss"]),
            ]
        )
    notes = [
        "Losses are those of subjects held out of the training releases; the epoch kept has the least, "
        "unless the phase keeps its last."
    ]
    if never:
        notes.append(f"No epoch improved on the start, whose weights were kept: {', '.join(never)}.")
    header = ["phase", "kind", "starts from", "epoch kept", "val. loss\nbefore", "val. loss\nkept"]
    return Table("Phases", header, rows, notes, n_names=3)


def _descend(part: Mapping[str, Any], keys: Sequence[str]) -> Mapping[str, Any] | None:
    found: Any = part
    for key in keys:
        found = found.get(key) if found is not None else None
    return found


def _difference(score: Mapping[str, Any] | None) -> str:
    clear = score is not None and score["high"] is not None and score["high"] < 0
    return interval(score, clear=clear)
