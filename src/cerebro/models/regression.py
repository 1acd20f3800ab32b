"""Heads that regress one standardised target from the encoder's tokens; the last layer starts at zero.

An untrained head therefore predicts what is known without EEG, and so does the checkpoint that is kept when
training never improves on it.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cerebro.models.time_course import TimeCourses

FREQUENCIES = (8.0, 12.0, 16.0, 20.0, 24.0)
"""Hz: mu and beta, in children and adults."""


class ChannelPooling(nn.Module):
    """Attention-pool the channels of each patch with learned queries.

    Parameters
    ----------
    dim : int
        Width of a token.
    n_layout : int
        The encoder's channels.
    n_queries : int
        Ways of weighting the channels.
    """

    def __init__(self, dim: int, n_layout: int, n_queries: int = 4) -> None:
        super().__init__()
        self.n_layout = n_layout
        self.width = n_queries * dim
        self.norm = nn.LayerNorm(dim)
        self.queries = nn.Linear(dim, n_queries)

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        """Pool tokens (batch, n_tokens, dim), absent ones left out, to (batch, n_patches, width)."""
        tokens = self.norm(tokens).unflatten(1, (self.n_layout, -1))
        absent = ~present.unflatten(1, (self.n_layout, -1)).unsqueeze(-1)
        scores = self.queries(tokens)  # of lower precision than the norm's tokens under autocast
        weights = scores.masked_fill(absent, torch.finfo(scores.dtype).min).softmax(dim=1)
        return torch.einsum("bcpq,bcpd->bpqd", weights, tokens).flatten(2)


class RegressionHead(nn.Module):
    """Plain regression of one value, or of several.

    What is true of the whole window (a trait) is read from the mean over time. What happens at some moment
    of it is read from the time course, as deviations from that mean: what stays the same all through the
    window tells people apart, not moments, and few subjects would be learned by heart.

    Parameters
    ----------
    dim, n_layout
        As in :class:`ChannelPooling`.
    n_patches : int, optional
        Patches of every window, to read the time course; none reads the mean over time.
    dropout : float
        Dropout before the regression.
    n_outputs : int
        Values regressed.
    """

    def __init__(
        self, dim: int, n_layout: int, *, n_patches: "int | None", dropout: float = 0.0, n_outputs: int = 1
    ) -> None:
        super().__init__()
        self.n_patches = n_patches
        self.pooling = ChannelPooling(dim, n_layout)
        self.dropout = nn.Dropout(dropout)
        self.regression = nn.Linear((n_patches or 1) * self.pooling.width, n_outputs)
        nn.init.zeros_(self.regression.weight)
        nn.init.zeros_(self.regression.bias)

    @property
    def constant(self) -> bool:
        """Whether the answer does not depend on the window."""
        return not bool(self.regression.weight.any())

    def forward(self, tokens: Tensor, present: Tensor, signal: Tensor, positions: Tensor) -> Tensor:
        """Regress tokens (batch, n_tokens, dim), absent ones left out, to (batch, n_outputs)."""
        course = self.pooling(tokens, present)
        mean = course.mean(dim=1, keepdim=True)
        if self.n_patches is None:
            return self.regression(self.dropout(mean.flatten(1)))
        if course.shape[1] != self.n_patches:
            raise ValueError(f"windows of {self.n_patches} patches are expected, got {course.shape[1]}")
        return self.regression(self.dropout((course - mean).flatten(1)))


class FactorHead(nn.Module):
    """Predict several standardised factors (age, sex, ...), and the target from them by a fixed linear map.

    Demographics carry most of what is known about externalizing (on real labels age and sex alone reach an
    NRMSE of .972 to .985), and more subjects' worth of signal speaks of them than of the target itself.

    Parameters
    ----------
    dim, n_layout, dropout
        As in :class:`RegressionHead`.
    n_factors : int
        Number of factors; :attr:`slopes`, fitted on labels of training subjects, map them to the target.
    """

    slopes: Tensor

    def __init__(self, dim: int, n_layout: int, *, n_factors: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.factors = RegressionHead(dim, n_layout, n_patches=None, dropout=dropout, n_outputs=n_factors)
        self.register_buffer("slopes", torch.zeros(n_factors))

    @property
    def constant(self) -> bool:
        """Whether the answer does not depend on the window."""
        return self.factors.constant or not bool(self.slopes.any())

    def forward(self, tokens: Tensor, present: Tensor, signal: Tensor, positions: Tensor) -> Tensor:
        """Regress tokens (batch, n_tokens, dim) to the target, (batch, 1)."""
        return self.factors(tokens, present, signal, positions) @ self.slopes.unsqueeze(-1)


class ResponseHead(nn.Module):
    """A distribution over the time of a response, whose expectation is the prediction.

    One convolution over time turns courses, the tokens' and those of slow amplitude and band power, into
    the evidence for a response in each frame: the same pattern around a response means the same wherever in
    the window it stands, so that few trials teach it. Evidence reaches half a kernel beyond the window, and
    a learned bias per bin says what is known without EEG.

    Parameters
    ----------
    dim, n_layout, dropout
        As in :class:`RegressionHead`.
    mean, deviation : float
        Of the target over training windows (s), to standardise the expectation.
    first, n_bins : float, int
        Start of the first bin, in seconds of the target's clock, and the number of bins.
    window_start : float
        Start of the window on the same clock (s).
    layout, frequencies, sfreq
        As in :class:`~cerebro.models.time_course.TimeCourses`.
    bin_seconds : float
        Width of a bin, and of a frame of the courses.
    kernel_seconds : float
        Reach of the convolution to either side.
    n_filters : int
        Weighted sums of channels for each course.

    References
    ----------
    Regression as a distribution with soft targets: Rothe et al. (2018), IJCV 126 (expectation over age
    bins); Díaz & Marathe (2019), Soft labels for ordinal regression, CVPR.
    """

    def __init__(
        self,
        dim: int,
        n_layout: int,
        *,
        mean: float,
        deviation: float,
        first: float,
        n_bins: int,
        window_start: float,
        layout: "list[list[float]]",
        sfreq: float,
        frequencies: "tuple[float, ...]" = FREQUENCIES,
        bin_seconds: float = 0.1,
        kernel_seconds: float = 0.5,
        n_filters: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation
        self.courses = TimeCourses(
            torch.tensor(layout),
            frequencies=tuple(frequencies),
            frame_samples=round(bin_seconds * sfreq),
            sfreq=sfreq,
        )
        self.filters = nn.Parameter(0.2 * torch.randn(self.courses.n_features, n_filters, len(layout)))
        self.pooling = ChannelPooling(dim, n_layout)
        self.dropout = nn.Dropout(dropout)
        self.reach = round(kernel_seconds / bin_seconds)
        width = self.pooling.width + self.courses.n_features * n_filters
        self.evidence = nn.Conv1d(width, 1, 2 * self.reach + 1, bias=False)
        nn.init.zeros_(self.evidence.weight)
        self.bias = nn.Parameter(torch.zeros(n_bins))
        centres = first + bin_seconds * (torch.arange(n_bins) + 0.5)
        self.register_buffer("centres", centres, persistent=False)
        self.offset = round((window_start - first) / bin_seconds) - self.reach

    centres: Tensor

    @property
    def constant(self) -> bool:
        """Whether the answer does not depend on the window."""
        return not bool(self.evidence.weight.any())

    @torch.no_grad()
    def log_prior(self, seconds: Tensor, *, jitter: float, width: float) -> Tensor:
        """Log probability of each bin without EEG, where windows are moved by up to ``jitter``.

        Parameters
        ----------
        seconds : Tensor, shape (n,)
            Times of training windows.
        jitter, width : float
            Largest move of a window, and the width of :meth:`soft_targets`; seconds.

        Returns
        -------
        Tensor, shape (n_bins,)
        """
        lags = torch.linspace(-jitter, jitter, 21).unsqueeze(1)
        moved = (seconds.unsqueeze(0) + lags).flatten()
        return (self.soft_targets(moved, width).mean(dim=0) + 1e-4).log()

    def logits(self, tokens: Tensor, present: Tensor, signal: Tensor, positions: Tensor) -> Tensor:
        """Log probability of each bin up to a constant, shape (batch, n_bins)."""
        courses = self.courses(signal, positions)
        parts = [torch.einsum("bcft,fkc->bfkt", courses, self.filters).flatten(1, 2)]
        pooled = self.pooling(tokens, present)
        pooled = (pooled - pooled.mean(dim=1, keepdim=True)).transpose(1, 2)
        parts.append(F.interpolate(pooled, size=courses.shape[-1], mode="linear"))
        around = F.pad(self.dropout(torch.cat(parts, dim=1)), (2 * self.reach, 2 * self.reach))
        evidence = self.evidence(around).squeeze(1).float()
        # The evidence of frame 0 belongs to bin `offset`; what lies outside of the bins is left away.
        behind = len(self.centres) - self.offset - evidence.shape[1]
        return F.pad(evidence, (self.offset, behind)) + self.bias

    def soft_targets(self, seconds: Tensor, width: float) -> Tensor:
        """Probabilities of the bins around true times.

        Parameters
        ----------
        seconds : Tensor, shape (batch,)
            True times of the response; beyond the bins they count as the nearest one.
        width : float
            Standard deviation (s) of the Gaussian around them.

        Returns
        -------
        Tensor, shape (batch, n_bins)
        """
        distance = (seconds.unsqueeze(1) - self.centres) / width
        return (-0.5 * distance.square()).softmax(dim=1)

    def expectation(self, logits: Tensor) -> Tensor:
        """Standardised mean of a distribution over the bins, shape (batch, 1)."""
        seconds = logits.softmax(dim=1) @ self.centres
        return ((seconds - self.mean) / self.deviation).unsqueeze(1)

    def forward(self, tokens: Tensor, present: Tensor, signal: Tensor, positions: Tensor) -> Tensor:
        """Expected time of the response, standardised, (batch, 1)."""
        return self.expectation(self.logits(tokens, present, signal, positions))


HEADS: "dict[str, type[RegressionHead] | type[FactorHead] | type[ResponseHead]]" = {
    "regression": RegressionHead,
    "factors": FactorHead,
    "response": ResponseHead,
}
"""Heads by their name in a predictor's architecture."""


def build_head(architecture: "dict[str, Any]", dim: int, n_layout: int) -> nn.Module:
    """Build a head from its ``architecture``: ``{"kind": a key of HEADS, ...}``."""
    rest = {key: value for key, value in architecture.items() if key != "kind"}
    return HEADS[architecture["kind"]](dim, n_layout, **rest)
