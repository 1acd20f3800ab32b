"""Contrastive losses between windows of different subjects."""

import torch
from torch import Tensor, nn


def info_nce_loss(similarity: Tensor, positive: Tensor, allowed: Tensor, temperature: float = 0.07) -> Tensor:
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
    temperature : float

    Returns
    -------
    Tensor, scalar
        Nats, over anchors that have a positive and a negative; zero, with a gradient, when none has.

    References
    ----------
    van den Oord et al. (2018), Representation learning with contrastive predictive coding; several
    positives after Khosla et al. (2020), Supervised contrastive learning (L_out), with an anchor's other
    positives left out of the denominator.
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


class InfoNCE(nn.Module):
    """:func:`info_nce_loss` of two batches of unit vectors whose rows are pairs, in both directions.

    Parameters
    ----------
    temperature : float
    """

    def __init__(self, temperature: float = 0.07) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Loss of pairs (n, dim); every other row of the other batch is a negative."""
        similarity = first @ second.T
        positive = torch.eye(len(first), dtype=torch.bool, device=first.device)
        allowed = torch.ones_like(positive)
        forward = info_nce_loss(similarity, positive, allowed, self.temperature)
        backward = info_nce_loss(similarity.T, positive, allowed, self.temperature)
        return (forward + backward) / 2


class MovieISCLoss(nn.Module):
    """Windows of one movie moment in different subjects are positives, other moments are negatives.

    Moments of the same movie nearer than ``exclusion_seconds`` are neither: their stimuli overlap or follow
    each other within the brain's response. Windows of one subject are never each other's positives.

    Parameters
    ----------
    temperature : float
    exclusion_seconds : float
    """

    def __init__(self, temperature: float = 0.07, exclusion_seconds: float = 4.0) -> None:
        super().__init__()
        self.temperature = temperature
        self.exclusion_seconds = exclusion_seconds

    def forward(self, embeddings: Tensor, movie: Tensor, movie_time: Tensor, subject: Tensor) -> Tensor:
        """Loss of a batch.

        Parameters
        ----------
        embeddings : Tensor, shape (n, dim)
            Unit vectors.
        movie, subject : Tensor of int64, shape (n,)
            Codes of the movie and of the subject.
        movie_time : Tensor, shape (n,)
            Start of the window in movie time, seconds.
        """
        positive, allowed = self.relations(movie, movie_time, subject)
        return info_nce_loss(embeddings @ embeddings.T, positive, allowed, self.temperature)

    def relations(self, movie: Tensor, movie_time: Tensor, subject: Tensor) -> tuple[Tensor, Tensor]:
        """Which windows are positives of which, and which count at all, each of shape (n, n)."""
        same_movie = movie[:, None] == movie[None, :]
        apart = (movie_time[:, None] - movie_time[None, :]).abs()
        same_moment = same_movie & (apart < 1e-3)
        same_subject = subject[:, None] == subject[None, :]
        near = same_movie & ~same_moment & (apart < self.exclusion_seconds)
        positive = same_moment & ~same_subject
        return positive, ~(near | (same_moment & same_subject))
