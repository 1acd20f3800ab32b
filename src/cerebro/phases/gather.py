"""Values of all ranks of a distributed training as one batch, with gradients."""

import torch
import torch.distributed as dist
from torch import Tensor


class _AllGather(torch.autograd.Function):
    """``all_gather`` of equal shapes whose backward pass adds up what every rank's loss asks of a row."""

    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, values: Tensor) -> Tensor:
        parts = [torch.empty_like(values) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, values.contiguous())
        return torch.stack(parts)

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        gradient = gradient.clone(
            memory_format=torch.contiguous_format
        )  # autograd's own is not ours to change
        dist.all_reduce(gradient)
        return gradient[dist.get_rank()]


def gather(values: Tensor) -> Tensor:
    """Concatenate the rows of all ranks, however many each has; without ranks the values themselves.

    When every rank computes the same loss from the gathered rows and DDP averages the gradients of the
    weights over ranks, these equal the gradients of one process that has the whole batch: the backward pass
    adds up the ranks' equal demands, and the average divides by their number again.

    Parameters
    ----------
    values : Tensor, shape (n, ...)
        ``n`` may differ between ranks.

    Returns
    -------
    Tensor, shape (sum of n, ...)
        In the order of the ranks, on every rank the same.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return values
    own = torch.tensor([len(values)], device=values.device)
    sizes = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, own)
    longest = max(int(size) for size in sizes)
    padded = torch.cat([values, values.new_zeros(longest - len(values), *values.shape[1:])])
    gathered = _AllGather.apply(padded)
    return torch.cat([part[: int(size)] for part, size in zip(gathered, sizes, strict=True)])
