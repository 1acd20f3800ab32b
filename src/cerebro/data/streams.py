"""Random streams by purpose: no two uses of one seed ever draw the same numbers.

A generator that is seeded alike for two purposes repeats itself: masks would follow dropout, a permutation
the offsets beside it. Seeds of different length are no way out, since NumPy fills a short one up with zeros:
``default_rng((5, 2))`` and ``default_rng((5, 2, 0, 0))`` are one stream. Here the purpose and the place are
the key of a child of the seed, which NumPy keeps apart, the same on every machine and in every version.
"""

from zlib import crc32

import numpy as np
import torch


def stream(seed: int, purpose: str, *place: int) -> np.random.SeedSequence:
    """Seed of one use of a seed.

    Parameters
    ----------
    seed : int
        The phase's; not negative.
    purpose : str
        What is drawn: a word that no other use has.
    *place : int
        Where in the training, such as step and rank; not negative.
    """
    return np.random.SeedSequence(
        int(seed), spawn_key=(crc32(purpose.encode()), *(int(part) for part in place))
    )


def numpy_stream(seed: int, purpose: str, *place: int) -> np.random.Generator:
    """NumPy's generator of :func:`stream`."""
    return np.random.default_rng(stream(seed, purpose, *place))


def torch_seed(seed: int, purpose: str, *place: int) -> int:
    """:func:`stream` as a number for torch's and Lightning's generators, which take 32 bits."""
    return int(stream(seed, purpose, *place).generate_state(1)[0])


def torch_stream(seed: int, purpose: str, *place: int) -> torch.Generator:
    """Torch's generator, on the CPU, of :func:`stream`."""
    return torch.Generator().manual_seed(torch_seed(seed, purpose, *place))


def repeatable() -> None:
    """Let torch take algorithms that give the same bytes every time, where it has them.

    Several threads otherwise add up the gradient of an indexed tensor in the order in which they come by:
    rounding then differs from run to run, and a training with it. Nothing is refused for want of such an
    algorithm, and memory is not filled for the sake of programs that read what they never wrote.
    """
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
