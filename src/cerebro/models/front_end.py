"""What happens to every window before a model sees it: missing channels found, common reference, scale.

It lives in the model so that training and the challenge's scorer, which hands over bare Cz-referenced
windows, see the same numbers by construction.
"""

import torch
from torch import Tensor, nn

FLAT_UV = 0.2
"""Standard deviation (µV) below which a channel is absent: two quantisation steps of a shard."""
OUTLIER_RATIO = 6.0
"""A channel this many times the median channel's standard deviation is disconnected or popping. Blinks on
frontal electrodes reach three to five times the median (own choice; compare the deviation criterion of
PREP, Bigdely-Shamlo et al. 2015, which is a robust z of 5)."""
SCALE_UV = 20.0
"""Typical standard deviation (µV) of average-referenced EEG: makes the encoder's input about 1."""


REFERENCES = ("average", "linked_ears", "recorded")
"""What windows can be referenced to, see :class:`FrontEnd`."""
EARS = ((-0.786921, -0.111927, -0.606818), (0.778916, -0.119299, -0.615676))
"""A1 and A2 on the unit sphere of `cerebro.recordings.montages`, which is not shipped with a model."""


class FrontEnd(nn.Module):
    """Mark present channels, reference them and scale to about 1.

    Parameters
    ----------
    reference : {'average', 'linked_ears', 'recorded'}
        The mean of the present channels; the mean of the two present channels nearest to the left and the
        right ear (A1 and A2 where they were recorded, E49 and E113 of the HydroCel net, T7 and T8 without
        either); or none, and windows stay as recorded.
    """

    ears: Tensor

    def __init__(self, reference: str = "average") -> None:
        super().__init__()
        if reference not in REFERENCES:
            raise ValueError(f"there is no reference '{reference}'; known: {', '.join(REFERENCES)}")
        self.reference = reference
        self.register_buffer("ears", torch.tensor(EARS), persistent=False)

    def forward(self, signal: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Apply to a batch of windows.

        Parameters
        ----------
        signal : Tensor, shape (batch, n_chans, n_times)
            µV, in any reference; zeros where a channel is absent.
        positions : Tensor, shape (batch, n_chans, 3)
            Electrodes on the unit sphere.

        Returns
        -------
        signal : Tensor, shape (batch, n_chans, n_times)
            Referenced over present channels, in units of ``SCALE_UV``; zeros in absent channels.
        present : Tensor of bool, shape (batch, n_chans)
            False where a channel is flat (a recording's own reference channel included, whose signal the
            others carry) or an outlier.
        """
        signal = signal.float()
        centred = signal - signal.mean(dim=-1, keepdim=True)
        # The standard deviation; its own function is ten times slower on a CPU.
        deviation = torch.linalg.vector_norm(centred, dim=-1) / (signal.shape[-1] - 1) ** 0.5
        alive = deviation > FLAT_UV
        typical = deviation.masked_fill(~alive, torch.nan).nanmedian(dim=-1, keepdim=True).values
        present = alive & (deviation < OUTLIER_RATIO * typical)
        signal = signal - self.shares(positions, present).unsqueeze(1) @ signal
        return signal * present.unsqueeze(-1) / SCALE_UV, present

    def shares(self, positions: Tensor, present: Tensor) -> Tensor:
        """Share of each channel in what is subtracted, shape (batch, n_chans); zeros where nothing is.

        Parameters
        ----------
        positions : Tensor, shape (batch, n_chans, 3)
        present : Tensor of bool, shape (batch, n_chans)
        """
        if self.reference == "recorded":
            return torch.zeros_like(present, dtype=torch.float32)
        weight = present.float()
        if self.reference == "linked_ears":
            weight = self._nearest_to_ears(positions, present)
        return weight / weight.sum(dim=1, keepdim=True).clamp(min=1)

    def _nearest_to_ears(self, positions: Tensor, present: Tensor) -> Tensor:
        """Weights, shape (batch, n_chans): the present channels nearest to either ear."""
        closeness = (positions.float() @ self.ears.T).masked_fill(~present.unsqueeze(-1), -torch.inf)
        nearest = closeness.argmax(dim=1, keepdim=True)
        chosen = torch.zeros_like(closeness).scatter_(1, nearest, 1.0).sum(dim=-1)
        return chosen * present  # a window without any present channel has no reference
