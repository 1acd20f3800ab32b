"""Cost of a step of masked modelling with hidden tokens kept out of the encoder, and with them inside.

Both views of each window, forwards and backwards, and AdamW. The rival is the same model with LaBraM's way
of hiding (Jiang et al. 2024, ICLR): mask tokens in all hidden places, through all blocks, and no decoder but
a linear layer. braindecode's `Labram` itself is no rival: it cannot hide tokens.
"""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measure import Case, Tables
from cerebro.config import EncoderSettings, PretrainPhase
from cerebro.losses.auxiliary import AuxiliaryTaskLoss
from cerebro.models.encoder import Encoder
from cerebro.models.masking import choose, take
from cerebro.models.measured import MeasuredPatches
from cerebro.phases.auxiliary import HeldOutLabels
from cerebro.phases.masked_targets import SpectrumTarget
from cerebro.phases.pretrain import MaskedModel, MEMPretrainModule
from cerebro.recordings.montages import layout_positions

N_PATCHES, PATCH = 4, 50
SQUARE = 768
"""Side of the matrices whose products measure what the machine can do."""


class MaskTokenEncoder(Encoder):
    """The encoder with mask tokens in hidden places."""

    def encode(
        self, signal: Tensor, positions: Tensor, masked: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Tokens of both views, hidden ones included."""
        tokens, present = (part.repeat(2, *(1,) * (part.ndim - 1)) for part in self._embed(signal, positions))
        # Places without content: a learned token would be one more bias, which takes no time.
        assert masked is not None
        tokens = torch.where(masked.unsqueeze(-1), self.places(N_PATCHES), tokens)
        return self._transform(tokens, present), present


class LinearDecoder(nn.Module):
    """Reads what stands at a hidden place from its own token."""

    def __init__(self, dim: int, n_outputs: int) -> None:
        super().__init__()
        self.output = nn.Linear(dim, n_outputs)

    def forward(self, tokens: Tensor, present: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As :meth:`cerebro.models.masked.MaskedDecoder.forward`."""
        places, valid = choose(hidden)
        return self.output(take(tokens, places)), places, valid


def tables(folder: Path, *, small: bool) -> Tables:
    """One table per layout, of the default encoder."""
    return dict(_table(name, 2 if small else size) for name, size in (("ten_twenty", 32), ("hbn_128", 8)))


def _table(layout_name: str, batch: int) -> tuple[str, list[Case]]:
    layout = torch.from_numpy(layout_positions(layout_name))
    ours, rival = _step(Encoder, layout, batch), _step(MaskTokenEncoder, layout, batch)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:  # counts attention, too
        ours()
    flops = counter.get_total_flops()
    return f"A step on {batch} windows, {len(layout)} channels of {N_PATCHES} patches", [
        Case("ours", "the encoder sees visible tokens only", ours),
        Case("rival", "mask tokens pass through the encoder", rival),
        Case("limit", f"its {flops / 1e9:.2g} GFLOP as products of large matrices", _products(flops)),
    ]


def _step(kind: type[Encoder], layout: Tensor, batch: int) -> Callable[[], None]:
    size = EncoderSettings().model_dump(include={"dim", "depth", "heads", "adapter"})
    encoder = kind(layout=layout, patch_samples=PATCH, sfreq=100.0, **size)
    target = SpectrumTarget(MeasuredPatches(layout, PATCH))
    model = MaskedModel(encoder, n_outputs=target.n_outputs, auxiliary_loss=AuxiliaryTaskLoss({}))
    if kind is MaskTokenEncoder:
        model.decoder = LinearDecoder(encoder.dim, target.n_outputs)  # type: ignore[assignment]
    phase = PretrainPhase(kind="pretrain", target="spectrum", mix={"hbn": 1.0}, auxiliary={})
    nobody = HeldOutLabels(pd.DataFrame(columns=["subject", "dataset"]), {}, {}, {}, {})
    module = MEMPretrainModule(model, target, phase, nobody)
    optimizer = module.configure_optimizers()["optimizer"]
    windows = {
        "signal": 20 * torch.randn(batch, len(layout), N_PATCHES * PATCH),
        "positions": layout.expand(batch, -1, -1).contiguous(),
        "row": torch.arange(batch),
    }

    def run() -> None:
        optimizer.zero_grad()
        module.evaluate(windows)["loss"].backward()
        optimizer.step()

    return run


def _products(flops: float) -> Callable[[], None]:
    """As many operations as ``flops``, to within one product's columns."""
    square = torch.randn(SQUARE, SQUARE)
    whole, rest = divmod(round(flops / (2 * SQUARE**2)), SQUARE)

    def run() -> None:
        for columns in (*[SQUARE] * whole, rest):
            square @ square[:, :columns]

    return run
