"""A classifier of windows: an encoder and a head with one logit per class."""

from typing import Any

from torch import Tensor, nn

from cerebro.models.encoder import build_encoder
from cerebro.models.regression import build_head
from cerebro.models.token_encoder import TokenEncoder


class Classifier(nn.Module):
    """Logits of the classes of one label.

    Parameters
    ----------
    encoder : TokenEncoder
    head : dict
        See :func:`~cerebro.models.regression.build_head`; has an output per class.
    classes : sequence of str
        Names of the classes, in the order of the logits.
    """

    def __init__(self, encoder: TokenEncoder, head: dict[str, Any], *, classes: "list[str]") -> None:
        super().__init__()
        self.encoder = encoder
        self.head_architecture = head
        self.head = build_head(head, encoder.dim, encoder.n_channels)
        self.classes = list(classes)

    @property
    def architecture(self) -> dict[str, Any]:
        """Plain values from which :func:`build_classifier` builds it again."""
        return {
            "encoder": self.encoder.architecture,
            "head": self.head_architecture,
            "classes": self.classes,
        }

    def forward(self, signal: Tensor, positions: Tensor) -> Tensor:
        """Logits (batch, n_classes) of signals (batch, n_chans, n_times) in µV at (batch, n_chans, 3)."""
        tokens, present = self.encoder.encode(signal, positions)
        return self.head(tokens, present, signal, positions)


def build_classifier(architecture: dict[str, Any]) -> Classifier:
    """Build a classifier with random weights from its ``architecture``, as kept in ``card.json``."""
    encoder = build_encoder(architecture["encoder"])
    return Classifier(encoder, **{key: value for key, value in architecture.items() if key != "encoder"})
