"""What went into the window index and what was left out; recordings and windows never under one name."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from cerebro.recordings.failures import kind_of_reason


@dataclass
class Counts:
    """Counts, filled while the index is written."""

    recordings: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """By dataset, split, and `indexed` or `quarantined`."""
    unused: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """Recordings that never came to a shard, by dataset, status in the inventory, and reason."""
    failures: dict[str, list[str]] = field(default_factory=dict)
    """By dataset, why recordings were quarantined while they were read in full, one entry each."""
    windows: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """By dataset, kind, split, and `kept` or the reason why not."""
    labels: dict[str, dict[str, int]] = field(default_factory=dict)
    """Recordings by label of theirs or of their person, `known` and `unknown`."""
    notes: Counter[str] = field(default_factory=Counter)
    """What gave no window, or an uncertain one, by reason."""
    candidates: int = 0
    """Windows in the index."""

    def add(self, frame: pd.DataFrame) -> None:
        """Count the windows of a frame of the index."""
        self.candidates += len(frame)
        groups = frame.groupby(["dataset", "kind", "split", frame["reason"].replace("", "kept")])
        self.windows.update({tuple(map(str, key)): int(size) for key, size in groups.size().items()})

    @property
    def kept(self) -> int:
        """Windows kept."""
        return sum(size for key, size in self.windows.items() if key[-1] == "kept")

    def explain(self) -> str:
        """Say how many windows each filter removed."""
        removed: Counter[str] = Counter()
        for (*_, reason), size in self.windows.items():
            removed[reason] += size
        found = sum(self.recordings.values())
        return f"{found} recordings gave {self.candidates} candidate windows" + "".join(
            f", {reason} removed {size}" for reason, size in removed.most_common()
        )

    def as_json(self) -> dict[str, Any]:
        """Return everything as nested plain values."""
        return {
            "recordings": _nested(self.recordings),
            "recordings_unused": _nested(self.unused),
            "recordings_quarantined": {
                dataset: dict(Counter(map(kind_of_reason, reasons)).most_common())
                for dataset, reasons in self.failures.items()
            },
            "windows": _nested(self.windows),
            "windows_candidate": self.candidates,
            "windows_kept": self.kept,
            "labels": self.labels,
            "left_out": {name: size for name, size in sorted(self.notes.items()) if size},
        }

    def line(self) -> str:
        """Sum up in one line."""
        kinds_kept: Counter[str] = Counter()
        for (_, kind, _, reason), size in self.windows.items():
            if reason == "kept":
                kinds_kept[kind] += size
        listed = ", ".join(f"{kind} {size}" for kind, size in sorted(kinds_kept.items()))
        return (
            f"windows: {self.kept} of {self.candidates} candidates kept ({listed}) "
            f"from {sum(self.recordings.values())} recordings"
        )


def _nested(counter: Mapping[tuple[str, ...], int]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, size in sorted(counter.items()):
        node = tree
        for part in key[:-1]:
            node = node.setdefault(part, {})
        node[key[-1]] = size
    return tree
