"""What a challenge submission runs: an encoder, a regression head and the target's scale."""

from typing import Any

from torch import Tensor, nn

from cerebro.models.encoder import build_encoder
from cerebro.models.heads import RegressionHead
from cerebro.models.token_encoder import TokenEncoder


class Predictor(nn.Module):
    """Predict one target in its own unit.

    Parameters
    ----------
    encoder : TokenEncoder
    mean, deviation : float
        Mean and standard deviation of the target over training windows.
    low, high : float
        Bounds of a plausible answer; predictions are clipped to them outside training.
    n_patches : int, optional
        Patches of a window whose time course is read; none reads the mean over time.
    dropout : float
        Dropout of the head.
    """

    def __init__(
        self,
        encoder: TokenEncoder,
        *,
        mean: float,
        deviation: float,
        low: float,
        high: float,
        n_patches: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.architecture: dict[str, Any] = {
            "encoder": encoder.architecture,
            "mean": mean,
            "deviation": deviation,
            "low": low,
            "high": high,
            "n_patches": n_patches,
            "dropout": dropout,
        }
        self.encoder = encoder
        self.head = RegressionHead(encoder.dim, encoder.n_channels, n_patches=n_patches, dropout=dropout)
        self.mean, self.deviation, self.low, self.high = mean, deviation, low, high

    def standardised(self, signal: Tensor, positions: Tensor) -> Tensor:
        """Prediction in training standard deviations from the training mean, shape (batch, 1)."""
        return self.head(*self.encoder.encode(signal, positions))

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
        value = self.mean + self.deviation * self.standardised(signal, positions)
        return value.clamp(self.low, self.high)


def build_predictor(architecture: dict[str, Any]) -> Predictor:
    """Build a predictor with random weights from its ``architecture``, as kept in ``card.json``."""
    encoder = build_encoder(architecture["encoder"])
    return Predictor(encoder, **{k: v for k, v in architecture.items() if k != "encoder"})
