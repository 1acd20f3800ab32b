"""Networks of braindecode from their settings, and published weights from a local file."""

from collections.abc import Mapping

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from cerebro.config import CHALLENGE_SECONDS, BraindecodeSettings
from cerebro.errors import UserError
from cerebro.models.front_end import SCALE_UV
from cerebro.models.token_encoder import TokenEncoder
from cerebro.recordings.montages import LAYOUTS, layout_positions
from cerebro.shards.store import SFREQ


def build_network(settings: BraindecodeSettings) -> TokenEncoder:
    """A network with random weights behind the front end and an adapter.

    Raises
    ------
    UserError
        When it does not exist or does not fit the windows and the layout.
    """
    from cerebro.models.braindecode_encoder import INPUTS, BraindecodeEncoder

    sfreq, microvolts = INPUTS.get(settings.braindecode, (SFREQ, SCALE_UV))
    try:
        return BraindecodeEncoder(
            braindecode=settings.braindecode,
            options=settings.options,
            layout=torch.from_numpy(layout_positions(settings.layout)),
            channels=LAYOUTS[settings.layout],
            adapter=settings.adapter,
            sfreq=SFREQ,
            n_times=round(CHALLENGE_SECONDS * SFREQ),
            network_sfreq=settings.sfreq or sfreq,
            microvolts=settings.microvolts or microvolts,
            reference=settings.reference,
        )
    except ValueError as error:
        raise UserError(str(error)) from error


def read_weights(settings: BraindecodeSettings, network: nn.Module) -> dict[str, Tensor]:
    """The published weights that settings name, under the network's own names.

    Raises
    ------
    UserError
        When the file is missing, or no file of weights.
    """
    from cerebro.models.braindecode_encoder import published_state

    path = settings.weights
    assert path is not None
    try:
        if path.suffix == ".safetensors":
            content = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a file of another kind fails in ways of its own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} cannot be read as weights: {reason}") from error
    if not isinstance(content, Mapping):
        raise UserError(f"{path} cannot be read as weights: it holds a {type(content).__name__}")
    try:
        return published_state(settings.braindecode, content, network)
    except ValueError as error:
        raise UserError(f"{path} cannot be read as weights: {error}") from error
