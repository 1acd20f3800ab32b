"""What a study rests on: recordings by split, and what was left out of it, by reason."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from cerebro.report.tables import Table

SPLITS = ("train", "validation", "test")
_MOST_REASONS = 12


def recording_tables(content: Mapping[str, Any]) -> list[Table]:
    """Tables of recordings and of what was left out.

    Parameters
    ----------
    content
        ``windows/summary.json``, see :meth:`cerebro.shards.counts.Counts.as_json`. Recordings and windows
        stand in columns of their own.
    """
    return [_recordings(content), _reasons(content)]


def _recordings(content: Mapping[str, Any]) -> Table:
    rows = []
    for dataset, splits in content["recordings"].items():
        for split in (name for name in SPLITS if name in splits):
            candidates, kept = 0, 0
            for kind in content["windows"].get(dataset, {}).values():
                candidates += sum(kind.get(split, {}).values())
                kept += kind.get(split, {}).get("kept", 0)
            counts = (splits[split].get("indexed", 0), candidates, kept)
            rows.append([dataset, split, *map(_count, counts)])
    return Table(
        "Recordings and windows", ["dataset", "split", "recordings", "windows", "kept"], rows, n_names=2
    )


def _reasons(content: Mapping[str, Any]) -> Table:
    lines: Counter[tuple[str, str]] = Counter()
    for dataset, statuses in content["recordings_unused"].items():
        for status, reasons in statuses.items():
            for reason, size in reasons.items():
                lines[f"{dataset} recordings", f"{status}: {reason}"] += size
    for dataset, reasons in content["recordings_quarantined"].items():
        for reason, size in reasons.items():
            lines[f"{dataset} recordings", f"quarantined: {reason}"] += size
    for dataset, kinds in content["windows"].items():
        for kind in kinds.values():
            for reasons in kind.values():
                for reason, size in reasons.items():
                    if reason != "kept":
                        lines[f"{dataset} windows", reason] += size
    for note, size in content["left_out"].items():
        lines["noted", note] += size
    common = sorted(lines.items(), key=lambda line: (line[0][0], -line[1]))
    rows, shown = [], Counter[str]()
    for (what, reason), size in common:
        shown[what] += 1
        if shown[what] <= _MOST_REASONS:
            rows.append([what, reason, _count(size)])
    hidden = {what: count - _MOST_REASONS for what, count in shown.items() if count > _MOST_REASONS}
    notes = [
        f"{what}: {count} rarer reasons stand in windows/summary.json." for what, count in hidden.items()
    ]
    return Table("Left out", ["what", "why", "how many"], rows, notes, n_names=2)


def _count(number: int) -> str:
    return f"{number:,}"
