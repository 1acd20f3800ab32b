"""How much of a hidden electrode the visible tokens hold by construction, before any brain is recorded.

Real neighbours share signals through the skull, which is what masked modelling learns from. To see what the
model itself hands on, electrodes are given independent noise of equal power. Reference and adapter are
matrices, so that all covariances are known and nothing is simulated.
"""

import torch
from torch import Tensor

from cerebro.models.adapter_base import ChannelAdapter
from cerebro.models.front_end import FrontEnd
from cerebro.models.zero_pad_adapter import ZeroPadChannelAdapter

HALVES = 8
"""Random masks that are averaged over, for each window."""
RANK_TOLERANCE = 1e-9
"""Directions with less than this share of the largest variance hold nothing but rounding."""


@torch.no_grad()
def leak(
    adapter: ChannelAdapter,
    front_end: FrontEnd,
    positions: Tensor,
    present: Tensor,
    *,
    share: float,
    generator: torch.Generator,
) -> tuple[float, float]:
    """Share of a hidden position's variance that visible layout channels explain.

    Parameters
    ----------
    adapter : ChannelAdapter
    front_end : FrontEnd
        Its reference is shared by all electrodes.
    positions : Tensor, shape (batch, n_chans, 3)
    present : Tensor of bool, shape (batch, n_chans)
        Electrodes of each window that are usable.
    share : float
        Share of the layout positions that is hidden.
    generator : torch.Generator
        Draws what is hidden; on the CPU.

    Returns
    -------
    leak : float
        R² of what the electrode nearest to a hidden position measures, regressed on the visible layout
        channels; a mean over hidden positions. NaN where nothing could be hidden.
    reference_share : float
        R² of the same regressed on the electrodes of the visible cells themselves: what the common reference
        alone tells, and no adapter can keep back.
    """
    matrix, found = adapter.matrix(positions, present)
    cells = (adapter.cells(positions) & present.unsqueeze(1)).double()
    measured, wanted = ZeroPadChannelAdapter(adapter.layout).matrix(positions, present)
    subtracted = front_end.shares(positions, present).double().unsqueeze(1)
    referenced = torch.diag_embed(present.double()) - present.double().unsqueeze(2) * subtracted
    mapped, truth = matrix.double() @ referenced, measured.double() @ referenced
    explained, direct, counted = 0.0, 0.0, 0
    for _ in range(HALVES):
        noise = torch.rand(found.shape, generator=generator).to(found.device)
        hidden = noise.argsort(dim=1).argsort(dim=1) < round(share * found.shape[1])
        asked, visible = wanted & hidden, (found & ~hidden).double()
        read = (visible.unsqueeze(1) @ cells).transpose(1, 2)  # electrodes of the visible cells
        explained += float(_explained(truth, mapped * visible.unsqueeze(2))[asked].sum())
        direct += float(_explained(truth, referenced * read)[asked].sum())
        counted += int(asked.sum())
    return (explained / counted, direct / counted) if counted else (float("nan"), float("nan"))


def _explained(wanted: Tensor, seen: Tensor) -> Tensor:
    """R² of each wanted row given the seen rows, (batch, n_wanted), of rows over independent electrodes."""
    across = wanted @ seen.transpose(1, 2)
    inverse = torch.linalg.pinv(seen @ seen.transpose(1, 2), rtol=RANK_TOLERANCE, hermitian=True)
    total = wanted.square().sum(dim=2)
    return ((across @ inverse) * across).sum(dim=2) / total.where(total > 0, torch.ones_like(total))
