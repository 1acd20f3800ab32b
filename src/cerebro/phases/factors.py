"""Externalizing by way of age, sex and the other factors: scales, loss, and the map from them."""

import pandas as pd
import torch
from sklearn.linear_model import RidgeCV
from torch import Tensor

PENALTIES = tuple(10.0**power for power in range(-1, 5))
"""Ridge penalties tried by leaving out one training subject at a time."""


class Factors:
    """Labels of subjects that are predicted first.

    Parameters
    ----------
    train : DataFrame
        Training windows with a ``subject`` and the factors' columns.
    names : sequence of str
        Age, sex (0 and 1) or factors of psychopathology.
    """

    def __init__(self, train: pd.DataFrame, names: "tuple[str, ...]") -> None:
        self.names = names
        subjects = train.groupby("subject")[list(names)].first()
        self.scales: dict[str, list[float]] = {
            name: [float(subjects[name].mean()), float(subjects[name].std(ddof=0)) or 1.0] for name in names
        }

    def slopes(self, train: pd.DataFrame, target: str, mean: float, deviation: float) -> Tensor:
        """What a deviation of each standardised factor adds to the standardised target, shape (n_factors,).

        Ridge regression over training subjects, each counting once, whose penalty is chosen by leaving one
        subject out; a missing factor counts as its mean.
        """
        subjects = train.groupby("subject")[[target, *self.names]].first()
        means = pd.Series({name: scale[0] for name, scale in self.scales.items()})
        spreads = pd.Series({name: scale[1] for name, scale in self.scales.items()})
        factors = ((subjects[list(self.names)] - means) / spreads).fillna(0.0)
        ridge = RidgeCV(PENALTIES).fit(factors.to_numpy(), (subjects[target] - mean) / deviation)
        return torch.as_tensor(ridge.coef_, dtype=torch.float32)

    def loss(self, predicted: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """Mean squared error of standardised factors (batch, n_factors) over the labels that are known."""
        labels = torch.stack([(batch[n] - self.scales[n][0]) / self.scales[n][1] for n in self.names], dim=1)
        known = ~labels.isnan()
        error = (predicted - labels.nan_to_num()).square() * known
        return error.sum() / known.sum().clamp(min=1)
