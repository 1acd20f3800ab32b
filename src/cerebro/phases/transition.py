"""Carrying weights from one phase into the next: what was carried, what is frozen, how fast layers learn."""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from cerebro.errors import UserError
from cerebro.models.low_rank import add_low_rank


def transfer(state: Mapping[str, Tensor], module: nn.Module, *, source: str, required: float = 1.0) -> dict:
    """Load the weights that match in name and shape.

    Parameters
    ----------
    state : mapping of str to Tensor
        Weights of the earlier phase.
    module : Module
        What receives them.
    source : str
        Where they come from, to name it in the error.
    required : float
        Share of the module's own tensors that must be found.

    Returns
    -------
    dict
        ``matched``, ``missing``, ``unexpected`` and ``reshaped``: sorted lists of keys.

    Raises
    ------
    UserError
        When less than the required share matched; nothing is loaded then.
    """
    own = module.state_dict()
    report: dict[str, list[str]] = {
        "matched": sorted(k for k in own if k in state and state[k].shape == own[k].shape),
        "missing": sorted(k for k in own if k not in state),
        "unexpected": sorted(k for k in state if k not in own),
        "reshaped": sorted(k for k in own if k in state and state[k].shape != own[k].shape),
    }
    if len(report["matched"]) < required * len(own):
        raise UserError(
            f"{source}: {len(report['matched'])} of {len(own)} tensors match, {required:.0%} are needed; "
            f"missing: {report['missing'][:3]}, of another shape: {report['reshaped'][:3]}"
        )
    module.load_state_dict({**own, **{key: state[key] for key in report["matched"]}})
    return report


def layer_groups(encoder: nn.Module, peak: float, decay: float) -> list[tuple[list[nn.Parameter], float]]:
    """An encoder's trained parameters by layer, with learning rates that fall towards the input.

    Layers are those of the encoder's longest ``ModuleList``; what is registered before it is one layer below
    them, what comes after one above. The last layer that has something to train has the peak rate, and each
    layer ``decay`` times that of the next. An encoder without such a list is one layer.

    Parameters
    ----------
    encoder : Module
    peak : float
        Learning rate of the last layer.
    decay : float
        Factor from layer to layer; with 1 all rates are equal (LaBraM fine-tunes with 0.65).

    References
    ----------
    Bao et al. (2022), BEiT, ICLR, whose fine-tuning LaBraM follows.
    """
    stacks = {
        name: part
        for name, part in encoder.named_modules()
        if isinstance(part, nn.ModuleList) and not isinstance(part, ParametrizationList)
    }
    stack = max(stacks, key=lambda name: len(stacks[name]), default="no stack")
    layers: list[list[nn.Parameter]] = [[]]
    current = ""
    for name, parameter in encoder.named_parameters():
        layer = name.removeprefix(f"{stack}.").partition(".")[0] if name.startswith(f"{stack}.") else ""
        if layer != current:
            layers.append([])
            current = layer
        if parameter.requires_grad:
            layers[-1].append(parameter)
    trained = [part for part in layers if part]
    return [(part, peak * decay ** (len(trained) - 1 - i)) for i, part in enumerate(trained)]


def adapt_by_low_rank(encoder: nn.Module, rank: int, *, node: str) -> None:
    """Freeze an encoder but for low-rank updates; too large a rank is a ``UserError``."""
    try:
        add_low_rank(encoder, rank)
    except ValueError as error:
        raise UserError(f"phase '{node}': low_rank: {error}") from None
