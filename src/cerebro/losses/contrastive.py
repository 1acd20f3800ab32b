"""Contrastive losses between windows of different subjects."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LOWEST_TEMPERATURE = 0.01
"""Bound of a learned temperature: CLIP (Radford et al. 2021) never scales similarities by more than 100."""
MOMENT_TOLERANCE = 1e-3
"""Seconds by which times of one moment may differ through rounding."""


def info_nce_loss(
    query: Tensor, positive: Tensor, negatives: Tensor | None = None, *, temperature: float | Tensor = 0.07
) -> Tensor:
    """InfoNCE: the cross-entropy of picking each query's positive among it and the query's negatives.

    Parameters
    ----------
    query, positive : Tensor, shape (n, dim)
        Unit vectors, row by row a pair.
    negatives : Tensor, shape (m, dim) or (n, m, dim), optional
        Unit vectors, the same for all queries or each query's own; if not given, the positives of the other
        queries.
    temperature : float or Tensor, scalar

    Returns
    -------
    Tensor, scalar
        Nats, averaged over queries.

    Raises
    ------
    ValueError
        When nothing is left to tell the positive from: a single pair without negatives.

    References
    ----------
    van den Oord et al. (2018), Representation learning with contrastive predictive coding, equation 4.
    """
    if negatives is None:
        if len(query) < 2:
            raise ValueError("one pair alone has no in-batch negatives: give negatives or more pairs")
        logits = query @ positive.T
        truth = torch.arange(len(query), device=query.device)
    else:
        own = (query * positive).sum(dim=-1, keepdim=True)
        others = query @ negatives.T if negatives.ndim == 2 else (negatives @ query.unsqueeze(-1)).squeeze(-1)
        logits = torch.cat([own, others], dim=1)
        truth = torch.zeros(len(query), dtype=torch.int64, device=query.device)
    return F.cross_entropy(logits.float() / temperature, truth)


def multi_positive_info_nce(
    similarity: Tensor, positive: Tensor, allowed: Tensor, temperature: float | Tensor = 0.07
) -> Tensor:
    """InfoNCE with any number of positives per anchor.

    For each pair of an anchor and one of its positives, the cross-entropy of picking the positive among
    itself and the anchor's negatives; averaged over an anchor's positives, then over anchors.

    Parameters
    ----------
    similarity : Tensor, shape (n_anchors, n_candidates)
        Cosine similarities.
    positive : Tensor of bool, shape (n_anchors, n_candidates)
    allowed : Tensor of bool, shape (n_anchors, n_candidates)
        Candidates that count at all, positives included; False for the anchor itself and for near misses.
    temperature : float or Tensor, scalar

    Returns
    -------
    Tensor, scalar
        Nats, over anchors that have a positive and a negative; zero, with a gradient, when none has.

    References
    ----------
    Several positives after Khosla et al. (2020), Supervised contrastive learning (L_out), with an anchor's
    other positives left out of the denominator, as Frosst et al. (2019) and decoupled losses do: a positive
    never competes with another one.
    """
    logits = similarity.float() / temperature
    positive = positive & allowed
    negative = allowed & ~positive
    against = logits.masked_fill(~negative, -torch.inf).logsumexp(dim=1, keepdim=True)
    usable = positive.any(dim=1) & negative.any(dim=1)
    against = torch.where(usable.unsqueeze(1), against, torch.zeros_like(against))
    pair = torch.logaddexp(logits, against) - logits
    per_anchor = (pair * positive).sum(dim=1) / positive.sum(dim=1).clamp(min=1)
    return (per_anchor * usable).sum() / usable.sum().clamp(min=1)


class Temperature(nn.Module):
    """The temperature of a softmax over similarities, fixed or learned through its logarithm.

    Parameters
    ----------
    initial : float
    learned : bool
    """

    log_temperature: Tensor

    def __init__(self, initial: float = 0.07, *, learned: bool = False) -> None:
        super().__init__()
        value = torch.tensor(math.log(initial))
        if learned:
            self.log_temperature = nn.Parameter(value)
        else:
            self.register_buffer("log_temperature", value)

    def forward(self) -> Tensor:
        """The temperature, a scalar; a learned one not below ``LOWEST_TEMPERATURE``."""
        if not isinstance(self.log_temperature, nn.Parameter):
            return self.log_temperature.exp()
        return self.log_temperature.clamp(min=math.log(LOWEST_TEMPERATURE)).exp()


class InfoNCE(nn.Module):
    """:func:`info_nce_loss` of two batches of unit vectors whose rows are pairs, in both directions.

    Parameters
    ----------
    temperature : float
    learned : bool
        Whether the temperature is a parameter, which starts at ``temperature``.

    References
    ----------
    Both directions and the learned temperature: Radford et al. (2021), Learning transferable visual models
    from natural language supervision (CLIP), ICML.
    """

    def __init__(self, temperature: float = 0.07, *, learned: bool = False) -> None:
        super().__init__()
        self.temperature = Temperature(temperature, learned=learned)

    def forward(self, first: Tensor, second: Tensor, negatives: Tensor | None = None) -> Tensor:
        """Loss of pairs (n, dim); negatives as in :func:`info_nce_loss`, shared by both directions."""
        temperature = self.temperature()
        forward = info_nce_loss(first, second, negatives, temperature=temperature)
        backward = info_nce_loss(second, first, negatives, temperature=temperature)
        return (forward + backward) / 2


class MovieISCLoss(nn.Module):
    """Windows of one moment in different subjects are positives, other moments are negatives.

    A moment is a time of a stream: of a movie, of a kind of trial; a state without a course of time (eyes
    closed) is a stream of one moment. Other moments of the stream nearer than ``exclusion_seconds`` are
    neither: their stimuli overlap or follow each other within the brain's response. Windows of one subject
    are never each other's positives. Every subject of the batch who saw the moment is a positive, and the
    negatives are real: raising similarity alone would be answered by one embedding for all windows.

    Parameters
    ----------
    temperature : float
    exclusion_seconds : float
    learned : bool
        Whether the temperature is a parameter, which starts at ``temperature``.

    References
    ----------
    Inter-subject correlation as in Dmochowski et al. (2012), Frontiers in Human Neuroscience 6; contrasted
    between moments as in Shen et al. (2023), Contrastive learning of subject-invariant EEG representations
    (CLISA), IEEE Transactions on Affective Computing 14.
    """

    def __init__(
        self, temperature: float = 0.07, exclusion_seconds: float = 4.0, *, learned: bool = False
    ) -> None:
        super().__init__()
        self.temperature = Temperature(temperature, learned=learned)
        self.exclusion_seconds = exclusion_seconds

    def forward(self, embeddings: Tensor, stream: Tensor, time: Tensor, subject: Tensor) -> Tensor:
        """Loss of a batch.

        Parameters
        ----------
        embeddings : Tensor, shape (n, dim)
            Unit vectors.
        stream, subject : Tensor of int64, shape (n,)
            Codes of the movie (or kind of trial, or state) and of the subject.
        time : Tensor, shape (n,)
            Start of the window in the stream's time, seconds.
        """
        positive, allowed = self.relations(stream, time, subject)
        return multi_positive_info_nce(embeddings @ embeddings.T, positive, allowed, self.temperature())

    def relations(self, stream: Tensor, time: Tensor, subject: Tensor) -> tuple[Tensor, Tensor]:
        """Which windows are positives of which, and which count at all, each of shape (n, n)."""
        same_stream = stream[:, None] == stream[None, :]
        apart = (time[:, None] - time[None, :]).abs()
        same_moment = same_stream & (apart < MOMENT_TOLERANCE)
        same_subject = subject[:, None] == subject[None, :]
        near = same_stream & ~same_moment & (apart < self.exclusion_seconds)
        return same_moment & ~same_subject, ~(near | (same_moment & same_subject))
