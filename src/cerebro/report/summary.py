"""The last step of a study: every score beside its floors, every encoder's probes, every phase's course."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cerebro.config import CHALLENGES
from cerebro.files import atomic_path, read_json
from cerebro.report.cells import ABSENT, CONSTANT, NO_INTERVAL, difference, interval, number
from cerebro.report.headings import name
from cerebro.report.probes import probe_tables
from cerebro.report.recordings import recording_tables
from cerebro.report.references import reference_table
from cerebro.report.scores import phase_score_table
from cerebro.report.tables import Table, as_markdown, print_tables
from cerebro.statistics.comparison import significant
from cerebro.study.stages import COVARIANCE, RANDOM, SIGNAL

HEADINGS = {
    **{f"challenge_{one}": f"Challenge {one}\n{name(asked.target)}" for one, asked in CHALLENGES.items()},
    "overall": "Overall\n0.3 and 0.7",
}
FLOORS = {"training_mean": "training mean", "age_sex": "age and sex"}


def summarise(
    *,
    score: Path | None,
    scores: Sequence[Path],
    probes: Sequence[Path],
    isc: Sequence[Path],
    phases: Sequence[Path],
    windows: Path | None,
    output: Path,
) -> None:
    """Print the tables of a study and write them as Markdown.

    Parameters
    ----------
    score : Path or None
        ``score.json`` of a study with a submission.
    scores : sequence of Path
        Of a study without one, a JSON file per phase or baseline that answers.
    probes : sequence of Path
        A JSON file per encoder.
    isc : sequence of Path
        A JSON file per encoder, and that of the control; none where people met no stimulus.
    phases : sequence of Path
        Folders of the phases, in the order in which they are shown.
    windows : Path or None
        The counts of the window index.
    output : Path
        The Markdown file.
    """
    tables = [score_table(read_json(score))] if score else []
    if scores:
        tables.append(phase_score_table([read_json(path) for path in scores]))
    order = [SIGNAL, COVARIANCE, RANDOM, *(folder.name for folder in map(Path, phases))]
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
    starred = _better_than_floors(parts, floors)

    def row(name: str, *keys: str) -> list[str]:
        return [name, *(interval(_descend(part, keys)) for part in parts)]

    rows = [
        row("unshrunk", "unshrunk", "nrmse"),
        row("unshrunk, r", "unshrunk", "r"),
        row("unshrunk, r within subject", "unshrunk", "r_within"),
        ["submission", *map(_score_cell, parts)],
        row("submission, by subject", "by_subject", "nrmse"),
    ]
    separated = {2, len(rows) - 1, len(rows) + len(floors) - 1, len(rows) + 2 * len(floors) - 1}
    rows += [row(FLOORS[name], "floors", name) for name in floors]
    rows += [
        [
            f"minus {FLOORS[name]}",
            *(_difference_cell(part, name, (number, name) in starred) for number, part in enumerate(parts)),
        ]
        for name in floors
    ]
    rows.append(["windows", *(str(part.get("n_windows", "")) for part in parts)])
    rows.append(["subjects", *(str(part.get("n_subjects", "")) for part in parts)])
    notes = [
        "95 % intervals over subjects. 'unshrunk': the answers as the heads gave them, before validation "
        "subjects drew them towards the mean; r is Pearson's, over windows, and of deviations from each "
        "subject's mean. 'minus': the submission's score less the floor's, on the same resampled subjects; * "
        "better, p below .05 after Holm's correction for all of these. 'by subject': predictions and truth "
        "are averaged over each subject's windows first. 'constant': all windows get one answer."
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
        separated=frozenset(separated),
    )


def _better_than_floors(parts: Sequence[Mapping[str, Any]], floors: Sequence[str]) -> set[tuple[int, str]]:
    """Challenges, by number, and floors that they are better than."""
    differences = {
        (number, name): part["floors"][name]["difference"]
        for number, part in enumerate(parts)
        for name in floors
        if name in part["floors"]
    }
    cells = significant({cell: one["p"] for cell, one in differences.items()})
    return {cell for cell in cells if differences[cell]["value"] < 0}


def _score_cell(part: Mapping[str, Any]) -> str:
    shown = interval(part["nrmse"])
    return f"{shown}\n{CONSTANT}" if part["constant"] and shown != ABSENT else shown


def _difference_cell(part: Mapping[str, Any], floor: str, clear: bool) -> str:
    """The training mean is a constant, too."""
    found = _descend(part, ("floors", floor, "difference"))
    if found is not None and found["value"] is not None and floor == "training_mean" and part["constant"]:
        return CONSTANT
    return difference(found, clear=clear)


def isc_table(contents: Sequence[Mapping[str, Any]]) -> Table:
    """One row per encoder and embedding, and a last one of chance, from the contents of the ISC files."""
    rows, reasons = [], []
    starred = _above_chance(contents)
    chances = dict.fromkeys(("validation", "test"), ABSENT)
    rank = ABSENT
    for content in contents:
        for embedding, splits in content["embeddings"].items():
            cells = [content["node"], embedding]
            for split in chances:
                found = splits[split]
                if "not_measurable" in found:
                    reasons.append(f"The {split} split holds {found['not_measurable']}.")
                    cells.append(ABSENT)
                    continue
                top = found["retrieval_top1"]
                chances[split] = number(top["chance"])
                clear = (content["node"], embedding, split, "retrieval_top1") in starred
                cells.append(interval(top, clear=clear))
            test = splits["test"]
            if "not_measurable" in test:
                rows.append([*cells, ABSENT, ABSENT])
                continue
            rank = f"{test['median_rank']['chance']:.1f}"
            isc = test["isc"]
            shown = interval(isc, clear=(content["node"], embedding, "test", "isc") in starred)
            rows.append([*cells, f"{test['median_rank']['value']:.1f}", shown])
    rows.append(["chance", "", *chances.values(), rank, number(0.0)])
    notes = [
        "Subjects who met the same stimulus, compared two by two: how often the most similar window of the "
        "other one is of the same moment, the median rank of that window on the test people, and the "
        "inter-subject correlation (ISC) there, with 95 % intervals over subjects; * above chance (for ISC "
        "among circular shifts), p below .05 after Holm's correction for all scores of this table. 'signal' "
        "is the control: correlated components.",
        *dict.fromkeys(reasons),
    ]
    header = ["encoder", "embedding", "moment found\nvalidation", "moment found\ntest", "median rank", "ISC"]
    return Table(
        "Same stimulus, different people",
        header,
        rows,
        notes,
        n_names=2,
        separated=frozenset({len(rows) - 2}),
    )


def _above_chance(contents: Sequence[Mapping[str, Any]]) -> set[tuple[str, str, str, str]]:
    """Scores by encoder, embedding, split and measure."""
    scores = {
        (content["node"], name, split, measure): splits[split][measure]
        for content in contents
        for name, splits in content["embeddings"].items()
        for split, measure in (("validation", "retrieval_top1"), ("test", "retrieval_top1"), ("test", "isc"))
        if "not_measurable" not in splits[split]
    }
    cells = significant({cell: score["p"] for cell, score in scores.items()})
    return {cell for cell in cells if scores[cell]["value"] > scores[cell].get("chance", 0.0)}


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
        "Losses are those of validation subjects. The epoch kept is the best by what "
        "its phase is for, unless the phase keeps its last."
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
