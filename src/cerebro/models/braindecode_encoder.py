"""A network of braindecode in the encoder's place: our windows in, its tokens or features out.

The only module here that needs more than torch, and only where a configuration or a submission asks for it.
"""

import difflib
import inspect
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cerebro.models.channel_adapter import ADAPTERS
from cerebro.models.front_end import SCALE_UV, FrontEnd
from cerebro.models.token_encoder import TokenEncoder

INPUTS: dict[str, tuple[float, float]] = {"CBraMod": (200.0, 100.0), "Labram": (200.0, 100.0)}
"""Sampling rate (Hz) and unit (µV) that published weights were trained with: Wang et al. (2025), CBraMod, and
Jiang et al. (2024), LaBraM, both ICLR, patches of 200 samples of µV / 100. Other networks get our own rate
and the front end's unit unless the configuration says otherwise."""
GRIDS = ("CBraMod", "CodeBrain", "Labram")
"""Networks whose output has a token for each channel and patch of time, channel by channel."""
MASKABLE = ("CBraMod",)
"""Networks that replace hidden patches before anything mixes them."""
HEAD_RADIUS = 0.095
"""Radius of a head in metres, for networks that read electrode positions as MNE writes them."""


class BraindecodeEncoder(TokenEncoder):
    """Front end and channel adapter of this package before a network of braindecode without its last layer.

    Networks with a token for each channel and patch (:data:`GRIDS`) give these. Of all others, what would
    enter their last layer (``final_layer``) is the only token of a window: a convolutional network has mixed
    channels and time by then.

    Parameters
    ----------
    braindecode : str
        Name of the class in ``braindecode.models``.
    options : mapping
        Keyword arguments of that class, other than those of the signal.
    layout : Tensor, shape (n_layout, 3)
        Positions of the network's channels on the unit sphere.
    channels : sequence of str
        Names of the layout's channels: Labram knows electrodes by name.
    adapter : str
        Name of what maps a montage onto the layout.
    sfreq : float
        Sampling rate in Hz that windows must have.
    n_times : int
        Samples that windows must have.
    network_sfreq : float
        Sampling rate in Hz that the network gets; windows are resampled to it.
    microvolts : float
        What the network gets as 1.
    reference : str
        See :class:`~cerebro.models.front_end.FrontEnd`.

    Raises
    ------
    ValueError
        When there is no such network or option, or the network does not fit windows of this kind.
    """

    def __init__(
        self,
        *,
        braindecode: str,
        options: Mapping[str, Any],
        layout: Tensor,
        channels: Sequence[str],
        adapter: str,
        sfreq: float,
        n_times: int,
        network_sfreq: float,
        microvolts: float,
        reference: str = "average",
    ) -> None:
        super().__init__()
        self.architecture: dict[str, Any] = {
            "braindecode": braindecode,
            "options": dict(options),
            "layout": layout.tolist(),
            "channels": list(channels),
            "adapter": adapter,
            "sfreq": sfreq,
            "n_times": n_times,
            "network_sfreq": network_sfreq,
            "microvolts": microvolts,
            "reference": reference,
        }
        self.name = braindecode
        self.sfreq = sfreq
        self.n_times = n_times
        self.channels = list(channels)
        self.gain = SCALE_UV / microvolts
        self.front_end = FrontEnd(reference)
        self.adapter = ADAPTERS[adapter](layout)
        self.network_times = round(n_times * network_sfreq / sfreq)
        self.network = _build(braindecode, options, self.channels, layout, self.network_times, network_sfreq)
        self.network.final_layer = PassOn()
        tokens = self._dry_run()
        self.dim = tokens.shape[-1]
        self.heads = math.gcd(self.dim, 8)
        self.n_channels = len(layout) if braindecode in GRIDS else 1
        self.patch_samples = n_times * self.n_channels // tokens.shape[1]

    def n_patches(self, n_times: int) -> int:
        """Patches in a window of ``n_times`` samples; ``ValueError`` if the network takes another length."""
        if n_times != self.n_times:
            raise ValueError(
                f"{self.name} was built for windows of {self.n_times} samples, these have {n_times}"
            )
        return n_times // self.patch_samples

    def encode(
        self, signal: Tensor, positions: Tensor, masked: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Tokens (batch, n_tokens, dim), and which of them stand for a present channel (batch, n_tokens).

        Absent channels are zeros to the network, which knows nothing of absence. ``masked`` as in
        :meth:`TokenEncoder.forward`; only :data:`MASKABLE` take it.
        """
        n_patches = self.n_patches(signal.shape[-1])
        referenced, present = self.front_end(signal, positions)
        adapted, present = self.adapter(referenced, positions, present)
        # Each patch on its own where patches are hidden: resampling would smear them into their neighbours.
        parts = n_patches if self.name in MASKABLE else 1
        pieces = (adapted * self.gain).unflatten(-1, (parts, -1))
        inputs = resample(pieces, self.network_times // parts).flatten(-2)
        if self.n_channels == 1:
            present = present.any(dim=1, keepdim=True)
        present = present.repeat_interleave(n_patches, dim=1)
        if masked is None:
            return self._tokens(inputs), present
        if self.name not in MASKABLE:
            raise ValueError(f"{self.name} cannot hide tokens; these can: {', '.join(MASKABLE)}")
        views = len(masked) // len(inputs)
        hidden = masked.unflatten(1, (self.n_channels, n_patches))
        tokens = self.network(inputs.repeat(views, 1, 1), mask=hidden).flatten(1, 2)
        return tokens * ~masked.unsqueeze(-1), present.repeat(views, 1)

    def _tokens(self, inputs: Tensor) -> Tensor:
        return self._as_tokens(self._run(inputs))

    def _run(self, inputs: Tensor) -> Tensor:
        if self.name == "Labram":
            return self.network(inputs, return_patch_tokens=True, ch_names=self.channels)
        return self.network(inputs)

    def _as_tokens(self, output: Tensor) -> Tensor:
        if self.name == "Labram":
            return output
        return output.flatten(1, 2) if self.name in GRIDS else output.flatten(1).unsqueeze(1)

    @torch.no_grad()
    def _dry_run(self) -> Tensor:
        """Tokens of silence, to learn their number and width."""
        training = self.network.training
        tokens = self._tokens_or_reason(torch.zeros(1, len(self.channels), self.network_times))
        self.network.train(training)
        return tokens

    def _tokens_or_reason(self, inputs: Tensor) -> Tensor:
        self.network.eval()
        try:
            output = self._run(inputs)
        except Exception as error:  # whatever a network raises that does not fit
            raise ValueError(
                f"{self.name} does not run on {len(self.channels)} channels of {self.network_times} samples: "
                f"{_first_line(error)}"
            ) from error
        return self._as_tokens(output)


class PassOn(nn.Module):
    """Stands in for a network's last layer and hands on what would have entered it."""

    def forward(self, features: Tensor, *rest: Any, **options: Any) -> Tensor:
        """Return the first argument."""
        return features


def resample(signal: Tensor, n_times: int) -> Tensor:
    """Resample signals (..., time) to ``n_times`` samples in the frequency domain.

    As :func:`scipy.signal.resample`, but of the window and its mirror image, so that one that ends elsewhere
    than it begins makes no step. What both rates can carry is kept as it is.
    """
    length = signal.shape[-1]
    if n_times == length:
        return signal
    spectrum = torch.fft.rfft(torch.cat((signal, signal.flip(-1)), dim=-1).float())
    return torch.fft.irfft(spectrum, n=2 * n_times)[..., :n_times] * (n_times / length)


def model_names() -> list[str]:
    """Names of the networks in the installed ``braindecode.models``."""
    models = _models()
    base = models.EEGModuleMixin
    found = vars(models).items()
    return sorted(
        name for name, kind in found if isinstance(kind, type) and issubclass(kind, base) and kind is not base
    )


def published_state(name: str, state: Mapping[str, Any], network: nn.Module) -> dict[str, Tensor]:
    """Weights of a file under the names, and where it only has more patches in the size, of our network.

    Checkpoints may hold the weights under ``state_dict`` or ``model`` and put ``module.`` (a parallel
    wrapper) or ``model.`` before every name. LaBraM has one embedding of time for each patch of the longest
    window it was trained on; of these the first are taken.

    Raises
    ------
    ValueError
        When there are no tensors in it.
    """
    for key in ("state_dict", "model"):
        if isinstance(state.get(key), Mapping):
            state = state[key]
    tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    if not tensors:
        raise ValueError("it holds no tensors by name")
    for prefix in ("module.", "model."):
        if all(key.startswith(prefix) for key in tensors):
            tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    renamed = getattr(network, "mapping", None) or {}
    tensors = {renamed.get(key, key): value for key, value in tensors.items()}
    if name == "Labram" and "temporal_embedding" in tensors:
        n_times = network.state_dict()["temporal_embedding"].shape[1]
        tensors["temporal_embedding"] = tensors["temporal_embedding"][:, :n_times]
    return tensors


def build_braindecode_encoder(architecture: Mapping[str, Any]) -> BraindecodeEncoder:
    """Build one with random weights from its ``architecture``, as kept in ``card.json``."""
    return BraindecodeEncoder(**{**architecture, "layout": torch.tensor(architecture["layout"])})


def _build(
    name: str,
    options: Mapping[str, Any],
    channels: Sequence[str],
    layout: Tensor,
    n_times: int,
    sfreq: float,
) -> Any:
    names = model_names()
    if name not in names:
        raise ValueError(f"braindecode has no model '{name}'; nearest: {_nearest(name, names)}")
    kind = getattr(_models(), name)
    accepted = set(inspect.signature(kind.__init__).parameters) - {"self"}
    signal: dict[str, Any] = {
        "n_outputs": 1,
        "n_chans": len(channels),
        "n_times": n_times,
        "sfreq": sfreq,
        "chs_info": [
            # By way of a list: the scorer's torch may have been built for another numpy than is there.
            {"ch_name": channel, "kind": "eeg", "loc": np.array((HEAD_RADIUS * place).tolist())}
            for channel, place in zip(channels, layout, strict=True)
        ],
        "input_window_seconds": None,
    }
    for key in options:
        if key in signal:
            raise ValueError(f"options.{key} follows from windows and layout; remove it")
        if key not in accepted:
            choice = _nearest(key, sorted(accepted - set(signal)))
            raise ValueError(f"options.{key}: {name} has no such option; nearest: {choice}")
    needed = {entry[0]: entry[1] for entry in _models().models_mandatory_parameters}.get(name, ())
    if "chs_info" not in needed or name == "Labram":  # Labram gets names with each batch, and warns of others
        del signal["chs_info"]
    if name == "Labram":
        _insist_on_known_names(channels)
    try:
        network = kind(**{key: value for key, value in signal.items() if key in accepted}, **options)
    except Exception as error:  # constructors fail in ways of their own
        raise ValueError(
            f"{name} cannot be built for {len(channels)} channels and {n_times} samples at {sfreq:g} Hz: "
            f"{_first_line(error)}"
        ) from error
    last = getattr(network, "final_layer", None)
    if not isinstance(last, nn.Module) or isinstance(last, nn.ModuleList):
        raise ValueError(f"{name} has no single final_layer, before which features could be taken")
    return network


def _models() -> Any:
    with warnings.catch_warnings():  # it asks MNE for a montage by a name that MNE will drop
        warnings.simplefilter("ignore", FutureWarning)
        import braindecode.models
    return braindecode.models


def _insist_on_known_names(channels: Sequence[str]) -> None:
    from braindecode.models.labram import LABRAM_CHANNEL_ORDER

    known = {channel.upper() for channel in LABRAM_CHANNEL_ORDER}
    if unknown := [channel for channel in channels if channel.upper() not in known]:
        raise ValueError(
            f"Labram knows electrodes by the names of the 10-20 system, not {', '.join(unknown[:3])}; "
            "use layout: ten_twenty"
        )


def _nearest(word: str, known: Sequence[str]) -> str:
    """The known words most like another, whatever their case; all where none is like it."""
    spelling = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), list(spelling), n=3)
    return ", ".join([spelling[name] for name in close] or known)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
