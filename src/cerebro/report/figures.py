"""Figures of a study, drawn from its tables."""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from cerebro.files import atomic_path

PANELS = {"c1/nrmse": "Challenge 1", "c2/nrmse": "Challenge 2", "overall": "Overall"}
"""Metrics of the forest plot, a panel each."""


def forest_plot(table: pd.DataFrame, output: Path) -> None:
    """Draw each variant's difference to the full study with its 95 % interval.

    Parameters
    ----------
    table : DataFrame
        Columns ``variant``, ``metric``, ``difference_value``, ``difference_low``, ``difference_high``.
    output : Path
        The image; its suffix decides the format.
    """
    variants = [name for name in dict.fromkeys(table["variant"]) if name != "full"]
    height = 1.3 + 0.28 * max(len(variants), 1)
    figure, axes = plt.subplots(
        1, len(PANELS), figsize=(10, height), sharey=True, layout="constrained", squeeze=False
    )
    for axis, (metric, title) in zip(axes[0], PANELS.items(), strict=True):
        axis.axvline(0, color="0.6", linewidth=1)
        part = table[table["metric"] == metric].set_index("variant")
        for place, variant in enumerate(variants):
            value, low, high = (part.at[variant, f"difference_{key}"] for key in ("value", "low", "high"))
            if pd.notna(low):
                axis.plot([low, high], [place, place], color="C0", linewidth=1.5)
            if pd.notna(value):
                axis.plot(value, place, "o", color="C0", markersize=5)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("NRMSE minus full")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].set_yticks(range(len(variants)), variants)
    axes[0][0].invert_yaxis()
    figure.suptitle("left of the line: better than full", fontsize=9, color="0.4")
    with atomic_path(output) as temporary:
        figure.savefig(temporary, format=output.suffix.removeprefix("."))
    plt.close(figure)
