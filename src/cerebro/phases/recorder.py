"""What a training tells the outside: a history table, an MLflow run, a line per epoch."""

import math
from pathlib import Path
from typing import Any

import lightning as L
import pandas as pd

from cerebro.files import atomic_path
from cerebro.phases.checkpoints import read_history
from cerebro.phases.selection import SELECTIONS
from cerebro.tracking import Run

SHOWN = {"train/loss", "val/loss", "val/nrmse", *(selection.metric for selection in SELECTIONS.values())}
"""Metrics in the line of an epoch."""


class Recorder(L.Callback):
    """Append each epoch's metrics to ``history.csv`` in the state folder, to MLflow, and print one line.

    Parameters
    ----------
    history : Path
        Continued when it exists, so that a resumed training has one history.
    run : Run, optional
        The phase's MLflow run; processes of further devices have none and record nothing.
    """

    def __init__(self, history: Path, run: Run | None) -> None:
        self.history = history
        self.run = run
        if run is not None and history.exists():  # MLflow may lack what an earlier attempt could not send
            for _, row in pd.read_csv(history).drop(columns="step").iterrows():
                known = row.drop("epoch").dropna()
                run.log_metrics(known.to_dict(), step=int(row["epoch"]))

    def on_train_epoch_end(self, trainer: L.Trainer, module: Any) -> None:
        """Record the epoch that just ended, its validation included."""
        self.record(trainer, trainer.current_epoch + 1)

    def record(self, trainer: L.Trainer, epoch: int) -> None:
        """Record all metrics that Lightning holds, as of the end of ``epoch`` (0: before training)."""
        if self.run is None:
            return
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        metrics = {name: value for name, value in sorted(metrics.items()) if math.isfinite(value)}
        row = pd.DataFrame([{"epoch": epoch, "step": trainer.global_step, **metrics}])
        if self.history.exists():
            earlier = read_history(self.history.parent)
            row = pd.concat([earlier[earlier["epoch"] < epoch], row], ignore_index=True)
        with atomic_path(self.history) as temporary:
            row.to_csv(temporary, index=False)
        self.run.log_metrics(metrics, step=epoch)
        shown = {name: value for name, value in metrics.items() if name in SHOWN}
        print(f"epoch {epoch:>4}  " + "  ".join(f"{k} {v:.4f}" for k, v in shown.items()), flush=True)
