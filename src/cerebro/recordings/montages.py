"""Electrode names and positions: every montage in one head frame, so that models can mix them.

Positions come from MNE's templates: the GSN-HydroCel-129 net for ``E1`` to ``E128`` and ``Cz``, the 10-05
system on the Colin 27 head for all other names.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import mne
import numpy as np
from mne.transforms import apply_trans, get_ras_to_neuromag_trans
from scipy.optimize import linear_sum_assignment

from cerebro.errors import UserError

LAYOUTS: dict[str, tuple[str, ...]] = {
    "ten_twenty": (
        *("Fp1", "Fp2"),
        *("F7", "F3", "Fz", "F4", "F8"),
        *("T7", "C3", "Cz", "C4", "T8"),
        *("P7", "P3", "Pz", "P4", "P8"),
        *("O1", "O2", "A1", "A2"),
    ),
    "hbn_128": tuple(f"E{number}" for number in range(1, 129)),
}
"""Channels of the encoder's own montages: the 10-20 system with both earlobes, and the HydroCel net."""

_HYDROCEL = "GSN-HydroCel-129"
_TEN_FIVE = "colin27_1005"
_NEAREST_DEGREES = 12.0

# The 10-20 names of 1958 and those of the 10-10 system of 1991 for the same places; HBN calls its reference
# E129 in places, the net's own name for the vertex.
_SYNONYMS = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8", "E129": "Cz"}
_DECORATION = re.compile(r"^EEG[ _-]*|[ _-]*(REF|LE|AR|AVG)$|[ .]+$", flags=re.IGNORECASE)


def canonical_name(label: str) -> str | None:
    """Return the standard spelling of an electrode, or None for what is no scalp electrode.

    Prefix and suffix of the TUH corpus are stripped (``EEG FP1-REF``, ``EEG T3-LE``), and the dots with which
    some archives fill their labels (``Fc5.``); case and old names are normalised (``Fp1``, ``T7``). Labels
    without a known place on the head (``EKG1``, ``PHOTIC``, ``26``, bipolar pairs) give None.
    """
    bare = _DECORATION.sub("", label.strip()).upper()
    return _spellings().get(bare)


def positions(names: Iterable[str]) -> np.ndarray:
    """Positions of electrodes on the unit sphere, in one head frame for every montage.

    Parameters
    ----------
    names
        Canonical names (see :func:`canonical_name`).

    Returns
    -------
    numpy.ndarray
        float32, shape (n_chans, 3): x to the right, y to the front, z up.

    Raises
    ------
    UserError
        If a name has no known position.

    Notes
    -----
    Both templates are brought to the head frame of their own fiducials, then each is centred on the sphere
    that fits its scalp electrodes best and projected onto it. In this frame every 10-20 electrode lies
    within 16 degrees of its neighbour in the HydroCel net as the literature gives it (Luu & Ferree 2005,
    "Determination of the HydroCel Geodesic Sensor Nets' average electrode positions and their 10-10
    international equivalents"). ``Cz`` is the net's vertex in both montages.
    """
    known = _all_positions()
    wanted = list(names)
    if unknown := [name for name in wanted if name not in known]:
        raise UserError(f"no electrode position is known for {', '.join(unknown)}; use canonical names")
    return np.array([known[name] for name in wanted], dtype=np.float32).reshape(-1, 3)


def nearest_names(points: np.ndarray) -> list[str | None]:
    """Name points on a head after the places of the 10-05 system nearest to them, each place once.

    Parameters
    ----------
    points
        Shape (n, 3), any unit, in the head frame (x to the right, y to the front, z up); they are seen from
        the centre of the sphere that fits them best.

    Returns
    -------
    list
        A canonical name for each point; None for those that have no place within 12 degrees to themselves,
        which is beyond the spacing of the system.
    """
    known = {name: place for name, place in _all_positions().items() if not name.startswith("E")}
    directions = points - _sphere_centre(points)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    angles = np.degrees(np.arccos(np.clip(directions @ np.array(list(known.values())).T, -1, 1)))
    names: list[str | None] = [None] * len(points)
    for point, place in zip(*linear_sum_assignment(angles), strict=True):
        if angles[point, place] <= _NEAREST_DEGREES:
            names[point] = list(known)[place]
    return names


def layout_positions(name: str) -> np.ndarray:
    """Positions, shape (n_chans, 3), of one of :data:`LAYOUTS`."""
    if name not in LAYOUTS:
        raise UserError(f"there is no layout '{name}'; known: {', '.join(LAYOUTS)}")
    return positions(LAYOUTS[name])


def canonical_order(names: Iterable[str]) -> list[str]:
    """Distinct canonical names in one fixed order: E1 to E128 first, then the 10-05 system front to back.

    The HBN net comes out as E1..E128, Cz, the order in which the challenge's scorer hands over channels.
    """
    rank = {name: index for index, name in enumerate(_all_positions())}
    return sorted(set(names), key=rank.__getitem__)


@lru_cache(maxsize=1)
def _spellings() -> dict[str, str]:
    return {name.upper(): name for name in _all_positions() if name not in _SYNONYMS} | _SYNONYMS


@lru_cache(maxsize=1)
def _all_positions() -> dict[str, np.ndarray]:
    net = _unit_sphere(_HYDROCEL, outside_scalp=())
    ten_five = _unit_sphere(_TEN_FIVE, outside_scalp=("A1", "A2", "M1", "M2"))
    vertex = net.pop("Cz")
    return net | {name: place for name, place in ten_five.items() if name not in _SYNONYMS} | {"Cz": vertex}


def _unit_sphere(template: str, *, outside_scalp: Sequence[str]) -> dict[str, np.ndarray]:
    montage = mne.channels.make_standard_montage(template).get_positions()
    to_head = get_ras_to_neuromag_trans(montage["nasion"], montage["lpa"], montage["rpa"])
    places = {name: apply_trans(to_head, place) for name, place in montage["ch_pos"].items()}
    centre = _sphere_centre(np.array([place for name, place in places.items() if name not in outside_scalp]))
    return {name: (place - centre) / np.linalg.norm(place - centre) for name, place in places.items()}


def _sphere_centre(points: np.ndarray) -> np.ndarray:
    """Centre of the least-squares sphere: |p|² = 2 p·c + (r² - |c|²) is linear in the unknowns."""
    design = np.column_stack([2 * points, np.ones(len(points))])
    solution, *_ = np.linalg.lstsq(design, (points**2).sum(axis=1), rcond=None)
    return solution[:3]
