"""Settings of encoders: this package's own, or a network of braindecode."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, TypeAdapter, model_validator

from cerebro.config.settings import Settings


class EncoderInput(Settings):
    """What stands before every network: a common reference and a fixed set of channels."""

    adapter: Literal["perceiver", "interpolation", "zero_pad"] = "perceiver"
    """How a montage reaches the encoder's channels."""
    layout: Literal["ten_twenty", "hbn_128"] = "ten_twenty"
    """The encoder's own channels: 21 electrodes of the 10-20 system or the 128 of the HBN net."""
    reference: Literal["average", "linked_ears", "recorded"] = "average"
    """What every window is referenced to, in training and when scored: the mean of its good channels, the
    mean of the good channels nearest to the two ears, or nothing other than it was recorded with."""

    @model_validator(mode="before")
    @classmethod
    def _drop_unset(cls, data: Any) -> Any:
        """A key that an overlay sets to null has its default again."""
        if not isinstance(data, Mapping):
            return data
        return {key: value for key, value in data.items() if value is not None}


class EncoderSettings(EncoderInput):
    """Architecture of this package's own encoder; read by phases that start from random weights."""

    patch_seconds: float = Field(default=0.5, gt=0)
    """Length of a patch (one token of one channel) in seconds."""
    dim: int = Field(default=64, gt=0)
    """Width of a token."""
    depth: int = Field(default=2, gt=0)
    """Number of transformer blocks."""
    heads: int = Field(default=4, gt=0)
    """Attention heads; must divide `dim`."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout inside the blocks during training."""

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "EncoderSettings":
        if self.dim % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide dim ({self.dim})")
        return self


def _no_wildcard(path: Path) -> Path:
    """The file is an input of a rule, in whose path Snakemake reads braces as a wildcard."""
    if "{" in str(path):
        raise ValueError(f"{path} holds a '{{', which no path of an input may; rename the file or its folder")
    return path


class BraindecodeSettings(EncoderInput):
    """A network of braindecode in the encoder's place; see docs/encoders.md."""

    braindecode: str
    """Name of a class in `braindecode.models`."""
    options: Mapping[str, Any] = {}
    """Keyword arguments of that class; those of the signal (channels, times, rate) are set here."""
    weights: Annotated[Path, AfterValidator(_no_wildcard)] | None = None
    """A local file of published weights (`.safetensors`, `.pt`, `.pth`, `.bin`) to start from; none starts
    from random ones."""
    sfreq: float | None = Field(default=None, gt=0)
    """Sampling rate (Hz) to which windows are resampled for the network; null is the one its published
    weights were trained at (CBraMod and Labram: 200), for others that of the shards."""
    microvolts: float | None = Field(default=None, gt=0)
    """What the network gets as 1, in µV; null is 100 for CBraMod and Labram, 20 for others."""

    @model_validator(mode="before")
    @classmethod
    def _own_settings_do_not_apply(cls, data: Any) -> Any:
        foreign = set(data) & (set(EncoderSettings.model_fields) - set(cls.model_fields))
        if foreign:
            raise ValueError(
                f"{sorted(foreign)[0]} is a setting of this package's own encoder, not of braindecode's "
                f"{data['braindecode']}: remove it (null in an overlay); the network's own go under options"
            )
        return data


def _encoder_kind(value: Any) -> str:
    if isinstance(value, Mapping):
        named = value.get("braindecode") is not None
    else:
        named = isinstance(value, BraindecodeSettings)
    return (BraindecodeSettings if named else EncoderSettings).__name__


AnyEncoder = Annotated[
    Annotated[EncoderSettings, Tag("EncoderSettings")]
    | Annotated[BraindecodeSettings, Tag("BraindecodeSettings")],
    Discriminator(_encoder_kind),
]
"""The two kinds of encoder as the configuration holds them; `braindecode` tells them apart."""


Architecture = EncoderSettings | BraindecodeSettings
"""The two kinds of encoder as code names them."""


MASKABLE_NETWORKS = ("CBraMod",)
"""Networks of braindecode that replace hidden patches before anything mixes them, as masked modelling needs;
`cerebro.models.braindecode_encoder` hides them."""


SCORER_NETWORKS = (
    *("AttentionBaseNet", "Deep4Net", "EEGInceptionERP", "EEGNeX", "EEGNet", "EEGSimpleConv", "SCCNet"),
    *("SPARCNet", "ShallowFBCSPNet", "TIDNet", "TSception"),
)
"""Networks with the same options, weights and answers (bit by bit) in braindecode 1.8.1, pinned here, and in
1.2.0, which the challenge's scorer has; see docs/submission.md. A submission may use these."""


CHALLENGE_SECONDS = 2.0
"""Length of the windows that the challenge's scorer hands over, in seconds."""


def read_architecture(content: Any) -> Architecture:
    """Validate one `encoder` section, as a step is handed it."""
    return TypeAdapter(AnyEncoder).validate_python(content)


def not_at_the_scorer(network: str) -> str:
    """Why a phase with a network of braindecode cannot be submitted, and which can."""
    return (
        f"has braindecode's {network} for an encoder, which the challenge's scorer lacks or has in another "
        f"form (braindecode 1.2.0); name a phase with this package's own encoder or with one of "
        f"{', '.join(SCORER_NETWORKS)}"
    )
