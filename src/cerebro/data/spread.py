"""Even choices of some out of many; apart from the samplers, since counting windows needs no torch."""

import numpy as np


def spread(n_windows: int, at_most: int) -> np.ndarray:
    """Numbers of at most ``at_most`` windows, evenly spread over ``n_windows``."""
    if n_windows <= at_most:
        return np.arange(n_windows)
    return np.linspace(0, n_windows - 1, at_most).round().astype(int)
