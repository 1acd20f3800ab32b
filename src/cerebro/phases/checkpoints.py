"""The state of a training on disk: written whole, the one before kept, trusted only when it can be read."""

import shutil
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins import TorchCheckpointIO
from safetensors.torch import load_file

from cerebro.files import atomic_path

LAST, BEFORE, BEST = "last.ckpt", "before.ckpt", "best.ckpt"
"""Checkpoints of the last epoch, of the one before it, and of the best one."""
HISTORY, FITTED = "history.csv", "fitted"
"""Metrics of each epoch; what says that no further one follows."""
ASIDE = ".unreadable"
"""Added to the name of a file that cannot be read."""


class WholeCheckpoints(TorchCheckpointIO):
    """Lightning's checkpoints, written beside their target.

    Its own are written in the folder of temporary files and moved: to another disk that is a copy, and a kill
    leaves a part of it under the target's name.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint; the last epoch's takes the place of the one before."""
        content = BytesIO()
        torch.save(checkpoint, content)
        with atomic_path(path) as temporary:
            temporary.write_bytes(content.getbuffer())
            if Path(path).name == LAST and Path(path).exists():
                Path(path).replace(Path(path).with_name(BEFORE))


class EpochCheckpoint(ModelCheckpoint):
    """Lightning's callback, in a folder that may have been moved since its state was written.

    Where the folder has another name, Lightning forgets the best epoch, and takes the next one for it.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state, with the files where they lie now."""
        folder = Path(str(self.dirpath))

        def here(path: str) -> str:
            return str(folder / Path(path).name) if path else path

        named = ("best_model_path", "kth_best_model_path", "last_model_path")
        moved = {name: here(state_dict[name]) for name in named}
        kept = {here(path): value for path, value in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **moved, "best_k_models": kept, "dirpath": str(self.dirpath)})


def newest_checkpoint(attempt: Path) -> Path | None:
    """The checkpoint to go on from; none where there is none, and then nothing else that was left counts.

    A file that cannot be read is set aside, with a sentence. Without the last checkpoint the one before is
    taken. Nothing makes up for the best one, a snapshot of the encoder or the history: without one of those
    that there were, the training starts anew.
    """
    others = [attempt / BEST, *attempt.glob("*.safetensors"), attempt / HISTORY]
    unreadable = [path for path in others if path.exists() and _set_aside(path)]
    for path in (attempt / LAST, attempt / BEFORE):
        if not unreadable and path.exists() and not _set_aside(path):
            if path.name == BEFORE:
                (attempt / FITTED).unlink(missing_ok=True)
            return path
    for path in (*attempt.glob("*.ckpt"), *others, attempt / FITTED):
        path.unlink(missing_ok=True)
    return None


def remove_others(attempt: Path) -> None:
    """Remove what trainings of this phase with other settings, code or data left when they were ended."""
    for folder in attempt.parent.iterdir():
        if folder.is_dir() and folder != attempt:
            shutil.rmtree(folder)


def read_history(attempt: Path) -> pd.DataFrame:
    """Metrics of each epoch, to the last digit."""
    return pd.read_csv(attempt / HISTORY, float_precision="round_trip")


def _set_aside(path: Path) -> bool:
    """Rename a file that cannot be read, and say so."""
    try:
        if path.suffix == ".ckpt":
            torch.load(path, weights_only=True, map_location="cpu")
        elif path.suffix == ".safetensors":
            load_file(path)
        else:
            read_history(path.parent)
    except Exception as error:  # readers of half a file raise all kinds of errors
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        aside = path.replace(path.with_name(path.name + ASIDE))
        print(f"{path} cannot be read ({reason}); it is set aside as {aside.name}", flush=True)
        return True
    return False
