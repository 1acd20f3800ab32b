"""Figures of a study, drawn from its tables."""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from cerebro.files import atomic_path

PANELS = {
    "c1/unshrunk_nrmse": "Challenge 1, unshrunk",
    "c1/nrmse": "Challenge 1",
    "c2/unshrunk_nrmse": "Challenge 2, unshrunk",
    "c2/nrmse": "Challenge 2",
}
"""Metrics of both figures, a panel each."""


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
        1, len(PANELS), figsize=(11, height), sharey=True, layout="constrained", squeeze=False
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
    save(figure, output)


def learning_curve(table: pd.DataFrame, output: Path) -> None:
    """Draw scores over the share of training subjects, with 95 % intervals.

    Parameters
    ----------
    table : DataFrame
        Columns ``variant``, ``metric``, ``subject_share`` (missing where a variant is no point of the curve),
        ``value``, ``low``, ``high``.
    output : Path
        The image; its suffix decides the format.
    """
    points = table[table["subject_share"].notna()].sort_values("subject_share")
    figure, axes = plt.subplots(1, len(PANELS), figsize=(11, 3), layout="constrained", squeeze=False)
    for axis, (metric, title) in zip(axes[0], PANELS.items(), strict=True):
        part = points[points["metric"] == metric]
        percent, value = 100 * part["subject_share"].to_numpy(float), part["value"].to_numpy(float)
        axis.axhline(1, color="0.6", linewidth=1)
        axis.vlines(percent, part["low"].to_numpy(float), part["high"].to_numpy(float), color="C0")
        axis.plot(percent, value, "o-", color="C0", markersize=5)
        axis.set_xticks(percent)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("training subjects (%)")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].set_ylabel("NRMSE")
    save(figure, output)


def save(figure: Figure, output: Path) -> None:
    """Write a figure in the suffix's format, and close it; the same drawing gives the same bytes."""
    form = output.suffix.removeprefix(".")
    today = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with atomic_path(output) as temporary, plt.rc_context({"svg.hashsalt": "cerebro"}):
        figure.savefig(temporary, format=form, metadata=today.get(form))
    plt.close(figure)
