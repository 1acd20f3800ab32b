"""Carrying weights from one phase into the next, and saying exactly what was carried."""

from collections.abc import Mapping

from torch import Tensor, nn

from cerebro.errors import UserError


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
