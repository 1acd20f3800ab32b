"""What a challenge submission runs: an encoder, a regression head and the target's scale."""

from typing import Any

from torch import Tensor, nn

from cerebro.models.encoder import build_encoder
from cerebro.models.regression import build_head
from cerebro.models.token_encoder import TokenEncoder


class Predictor(nn.Module):
    """Predict one target in its own unit.

    Parameters
    ----------
    encoder : TokenEncoder
    head : dict
        See :func:`~cerebro.models.regression.build_head`.
    mean, deviation : float
        Mean and standard deviation of the target over training windows.
    low, high : float
        Bounds of a plausible answer, to which predictions are clipped.
    shrinkage : float
        Factor in [0, 1] on what the head adds to a constant.
    constant : float, optional
        What predictions are shrunk towards; the training mean if not given.
    """

    def __init__(
        self,
        encoder: TokenEncoder,
        head: dict[str, Any],
        *,
        mean: float,
        deviation: float,
        low: float,
        high: float,
        shrinkage: float = 1.0,
        constant: "float | None" = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head_architecture = head
        self.head = build_head(head, encoder.dim, encoder.n_channels)
        self.mean, self.deviation, self.low, self.high = mean, deviation, low, high
        self.shrinkage = shrinkage
        self.constant = mean if constant is None else constant

    @property
    def architecture(self) -> dict[str, Any]:
        """Plain values from which :func:`build_predictor` builds it again."""
        return {
            "encoder": self.encoder.architecture,
            "head": self.head_architecture,
            "mean": self.mean,
            "deviation": self.deviation,
            "low": self.low,
            "high": self.high,
            "shrinkage": self.shrinkage,
            "constant": self.constant,
        }

    @property
    def answers_constant(self) -> bool:
        """Whether every window gets the same answer."""
        return self.shrinkage == 0 or bool(self.head.constant)

    def standardised(self, signal: Tensor, positions: Tensor) -> Tensor:
        """The head's own prediction, in training deviations from the training mean, shape (batch, 1)."""
        tokens, present = self.encoder.encode(signal, positions)
        return self.head(tokens, present, signal, positions)

    def forward(self, signal: Tensor, positions: Tensor) -> Tensor:
        """Predict from windows.

        Parameters
        ----------
        signal : Tensor, shape (batch, n_chans, n_times)
            µV.
        positions : Tensor, shape (batch, n_chans, 3)

        Returns
        -------
        Tensor, shape (batch, 1)
            In the target's unit (seconds for reaction times).
        """
        return self.answer(self.standardised(signal, positions), self.shrinkage)

    def answer(self, standardised: Tensor, shrinkage: float) -> Tensor:
        """What the head's own prediction becomes with a factor on it, in the target's unit."""
        value = self.constant + shrinkage * self.deviation * standardised
        return value.clamp(self.low, self.high)


def build_predictor(architecture: dict[str, Any]) -> Predictor:
    """Build a predictor with random weights from its ``architecture``, as kept in ``card.json``."""
    encoder = build_encoder(architecture["encoder"])
    return Predictor(encoder, **{k: v for k, v in architecture.items() if k != "encoder"})
