"""Time courses of a window at the pace of a response: slow amplitude and power in bands, every 0.1 s.

Tokens of half a second are too coarse for when something happened. What a button press leaves in the EEG is
a fall of mu and beta power before it and a rebound after it (Pfurtscheller & Lopes da Silva 1999, Clin
Neurophysiol 110, 1842), within some tenths of a second.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cerebro.models.front_end import FrontEnd
from cerebro.models.spatial_filters import SpatialFilters

WAVELET_SECONDS = 0.06
"""Standard deviation of the wavelets' Gaussian, of 2.7 Hz in frequency: alpha does not leak into beta, and
changes within a tenth of a second are seen (Cohen 2019, NeuroImage 199, 81, on choosing it)."""
POWER_FLOOR = 1e-4
"""Added before the logarithm, in squared units of the front end: about (0.2 µV)²."""


class TimeCourses(nn.Module):
    """Slow amplitude and log power of complex Morlet wavelets, per layout channel, averaged in frames.

    It has a front end and spatial filters of its own, and so does not depend on what the encoder is.

    Parameters
    ----------
    layout : Tensor, shape (n_layout, 3)
        Where the courses are measured, on the unit sphere.
    frequencies : sequence of float
        Centres of the wavelets in Hz.
    frame_samples : int
        Samples averaged into a frame.
    sfreq : float
        Hz.
    """

    wavelets: Tensor

    def __init__(
        self, layout: Tensor, *, frequencies: "tuple[float, ...]", frame_samples: int, sfreq: float
    ) -> None:
        super().__init__()
        self.front_end = FrontEnd()
        self.spatial = SpatialFilters(layout)
        self.frame_samples = frame_samples
        self.n_features = len(frequencies) + 1
        self.reach = round(2.5 * WAVELET_SECONDS * sfreq)
        seconds = torch.arange(-self.reach, self.reach + 1) / sfreq
        envelope = (-0.5 * (seconds / WAVELET_SECONDS).square()).exp()
        envelope = envelope / envelope.sum()
        rows = []
        for frequency in frequencies:
            angle = 2 * math.pi * frequency * seconds
            rows += [envelope * angle.cos(), envelope * angle.sin()]
        self.register_buffer("wavelets", torch.stack(rows).unsqueeze(1), persistent=False)

    def forward(self, signal: Tensor, positions: Tensor) -> Tensor:
        """Measure windows (batch, n_chans, n_times) in µV at positions (batch, n_chans, 3).

        Returns
        -------
        Tensor, shape (batch, n_layout, n_features, n_frames)
            Deviations from the mean over the window. Samples beyond the last whole frame are ignored.
        """
        referenced, present = self.front_end(signal, positions)
        channels = self.spatial(referenced, positions, present)
        n_frames = channels.shape[-1] // self.frame_samples
        channels = channels[..., : n_frames * self.frame_samples]
        slow = channels.unflatten(-1, (n_frames, -1)).mean(dim=-1)
        reach = min(self.reach, channels.shape[-1] - 1)
        padded = F.pad(channels, (reach, reach), mode="reflect").flatten(0, 1).unsqueeze(1)
        wavelets = self.wavelets[..., self.reach - reach : self.reach + reach + 1].to(padded.dtype)
        power = F.conv1d(padded, wavelets).unflatten(1, (-1, 2)).square().sum(dim=2)
        power = power.unflatten(-1, (n_frames, -1)).mean(dim=-1).unflatten(0, slow.shape[:2])
        courses = torch.cat((slow.unsqueeze(2), (power + POWER_FLOOR).log()), dim=2)
        return courses - courses.mean(dim=-1, keepdim=True)
