"""Physics: how strongly a current dipole inside a spherical head reaches each electrode on it.

Both montages (the 129-channel net of HBN and the 10-20 system of TUH) see the same sources through this one
function, so that a mapping from one to the other exists and can be learnt.
"""

from functools import lru_cache

import mne
import numpy as np
from numpy.typing import NDArray

NET = "GSN-HydroCel-129"
TEN_TWENTY = "colin27_1020"
TEN_FIVE = "colin27_1005"

SHELL_RADII = (0.90, 0.92, 0.97, 1.0)
"""Outer radii of brain, cerebrospinal fluid, skull and scalp, relative to the head (MNE's sphere model)."""
SHELL_CONDUCTIVITIES = (0.33, 1.0, 0.004, 0.33)
"""Their conductivities in S/m (MNE's sphere model)."""
_TERMS = 80  # 0.86^80 < 1e-5: enough for the shallowest source used here


@lru_cache
def electrode_directions(montage: str) -> dict[str, NDArray[np.float64]]:
    """Directions of a standard montage's electrodes, seen from the centre of the sphere that fits them.

    Parameters
    ----------
    montage
        A name that :func:`mne.channels.make_standard_montage` knows.

    Returns
    -------
    dict
        Name to unit vector (3,): x right, y front, z up.
    """
    positions = mne.channels.make_standard_montage(montage).get_positions()["ch_pos"]
    points = np.array(list(positions.values()))
    # |p - c|² = r² is linear in the centre c: 2 p·c + (r² - |c|²) = |p|²
    design = np.column_stack([2 * points, np.ones(len(points))])
    centre = np.linalg.lstsq(design, (points**2).sum(axis=1), rcond=None)[0][:3]
    directions = points - centre
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return dict(zip(positions, directions, strict=True))


def lead_field(
    electrodes: NDArray[np.float64],
    *,
    positions: NDArray[np.float64],
    orientations: NDArray[np.float64],
    radius: float,
) -> NDArray[np.float64]:
    """Scalp potentials of current dipoles in a sphere of concentric shells.

    The potential of a dipole in an infinite medium is expanded in Legendre polynomials; each degree is then
    carried through the shells by the continuity of potential and normal current.

    Parameters
    ----------
    electrodes : array, shape (n_electrodes, 3)
        Unit vectors.
    positions : array, shape (n_sources, 3)
        Relative to the head's radius; inside the brain, that is shorter than ``SHELL_RADII[0]``.
    orientations : array, shape (n_sources, 3)
        Unit vectors.
    radius : float
        Head radius in metres.

    Returns
    -------
    array, shape (n_electrodes, n_sources)
        µV per nA·m, against a reference at infinity.

    Raises
    ------
    ValueError
        A source lies outside the brain.

    References
    ----------
    Zhang (1995), Phys Med Biol 40, 335-349; de Munck & Peters (1993), IEEE Trans Biomed Eng 40, 1166-1174.
    """
    depth = np.linalg.norm(positions, axis=1)
    if (depth >= SHELL_RADII[0]).any():
        raise ValueError(f"a source lies at {depth.max():.2f} head radii, outside the brain")
    outward = positions / np.maximum(depth, 1e-9)[:, np.newaxis]
    cosine = electrodes @ outward.T
    radial = (orientations * outward).sum(axis=1)
    # component of the moment towards the electrode, beyond what its radial part explains
    tangential = electrodes @ orientations.T - cosine * radial

    previous, current = np.ones_like(cosine), cosine  # P_0, P_1
    slope = np.ones_like(cosine)  # P_1'
    total = np.zeros_like(cosine)
    for degree, gain in enumerate(_shell_gains(), start=1):
        total += gain * depth ** (degree - 1) * (degree * current * radial + slope * tangential)
        following = ((2 * degree + 1) * cosine * current - degree * previous) / (degree + 1)
        slope = (degree + 1) * current + cosine * slope  # P'_{n+1} = (n+1) P_n + x P'_n
        previous, current = current, following
    volts = total / (4 * np.pi * SHELL_CONDUCTIVITIES[0] * radius**2)
    return volts * 1e-9 * 1e6


@lru_cache
def _shell_gains() -> tuple[float, ...]:
    """Potential at the surface per unit of decaying potential in the brain, by degree.

    In each shell the potential is ``A r^n + B r^-(n+1)``. Starting at the surface, where no current leaves,
    the state (V, r dV/dr) is carried inwards; conductivity scales the second part at each boundary.
    """
    gains = []
    for degree in range(1, _TERMS + 1):
        growing, decaying = degree + 1.0, float(degree)  # outermost shell: n A = (n + 1) B
        for shell in range(len(SHELL_RADII) - 2, -1, -1):
            r = SHELL_RADII[shell]
            up, down = growing * r**degree, decaying * r ** -(degree + 1)
            potential = up + down
            current = degree * up - (degree + 1) * down
            current *= SHELL_CONDUCTIVITIES[shell + 1] / SHELL_CONDUCTIVITIES[shell]
            growing = ((degree + 1) * potential + current) / (2 * degree + 1) / r**degree
            decaying = (degree * potential - current) / (2 * degree + 1) * r ** (degree + 1)
        gains.append((2 * degree + 1) / decaying)
    return tuple(gains)
