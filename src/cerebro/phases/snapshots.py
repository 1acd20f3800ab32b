"""Encoders as they were within a training, kept for the probes: N of them, evenly spread over its epochs."""

from pathlib import Path

import lightning as L
import torch
from safetensors.torch import load_file, save_file
from torch.nn.utils import parametrize

from cerebro.files import atomic_path
from cerebro.phases.base import PhaseModule


def snapshot_epochs(epochs: int, count: int) -> list[int]:
    """The epochs after which a snapshot is taken: they divide the training into ``count + 1`` equal parts."""
    return [max(1, round(number * epochs / (count + 1))) for number in range(1, count + 1)]


class Snapshots(L.Callback):
    """Keep the encoder's weights after some epochs in the training's state, so that a resumed one has them.

    Parameters
    ----------
    folder : Path
        The state folder.
    epochs : list of int
        Counted from 1.
    """

    def __init__(self, folder: Path, epochs: list[int]) -> None:
        self.folder = folder
        self.epochs = epochs

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Write the snapshot of this epoch, if there is to be one."""
        epoch = trainer.current_epoch + 1
        if epoch in self.epochs and trainer.is_global_zero:
            assert isinstance(module, PhaseModule)
            with atomic_path(self._path(epoch)) as temporary:
                save_file(_encoder_weights(module), temporary)

    def write(self, output: Path, module: PhaseModule) -> None:
        """Write all snapshots into one file, weights as ``<number>.<name>``, numbers from 1.

        One that a training which stopped early never came to holds the weights that the phase keeps. Without
        snapshots the file is there and holds nothing.
        """
        weights: dict[str, torch.Tensor] = {}
        for number, epoch in enumerate(self.epochs, start=1):
            path = self._path(epoch)
            found = load_file(path) if path.exists() else _encoder_weights(module)
            weights |= {f"{number}.{name}": value for name, value in found.items()}
        with atomic_path(output) as temporary:
            save_file(weights, temporary)

    def _path(self, epoch: int) -> Path:
        return self.folder / f"snapshot-{epoch}.safetensors"


def _encoder_weights(module: PhaseModule) -> dict[str, torch.Tensor]:
    """The encoder's weights; low-rank updates are added to those that they update, which train on."""
    encoder = module.model.encoder
    assert isinstance(encoder, torch.nn.Module)
    plain = {name: value for name, value in encoder.state_dict().items() if ".parametrizations." not in name}
    for name, part in encoder.named_modules():
        if parametrize.is_parametrized(part, "weight"):
            plain[f"{name}.weight"] = part.weight
    return {name: value.detach().cpu().contiguous() for name, value in plain.items()}
