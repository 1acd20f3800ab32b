"""Electrode names and positions: every montage in one head frame, so that models can mix them.

Positions come from MNE's templates: the GSN-HydroCel-129 net for ``E1`` to ``E128`` and ``Cz``, BioSemi's
caps of 128, 160 and 256 electrodes for names such as ``BioSemi128-A1``, the 10-05 system on the Colin 27 head
for all other names.
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
_CAPS = (128, 160, 256)
"""Sizes of BioSemi's caps whose electrodes have no names but their letters and numbers."""
_NEAREST_DEGREES = 12.0
# Radii of the electrodes of any template of MNE differ from their median by 17 % at most.
_ROUNDNESS = 0.3
_WIDTH = 1.0  # of a sphere of radius 1: C3 and C4 are 1.3 apart

# The 10-20 names of 1958 and those of the 10-10 system of 1991 for the same places, EASYCAP's for those
# beside the inion; HBN calls its reference E129 in places, the net's own name for the vertex.
_SYNONYMS = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8", "O9": "I1", "O10": "I2", "E129": "Cz"}
_DECORATION = re.compile(r"^EEG[ _-]*|[ _-]*(REF|LE|AR|AVG)$|[ .]+$", flags=re.IGNORECASE)
_LEADING_ZEROS = re.compile(r"(?<=[A-Z])0+(?=\d)")


def bare_label(label: str) -> str:
    """Return a label in capitals, without what archives add to the electrode's name.

    Prefix and suffix of the TUH corpus are stripped (``EEG FP1-REF``, ``EEG T3-LE``), the dots with which
    some archives fill their labels (``Fc5.``), and leading zeros of a number (``E001``).
    """
    return _LEADING_ZEROS.sub("", _DECORATION.sub("", label.strip()).upper())


def canonical_name(label: str) -> str | None:
    """Return the standard spelling of an electrode of the 10-05 system or of HBN's net, by its label alone.

    Case and old names are normalised (``Fp1``, ``T7``). Labels without a known place on the head (``EKG1``,
    ``PHOTIC``, ``26``, bipolar pairs) give None. Only all labels of a file together tell if it holds such
    electrodes, see :func:`cerebro.recordings.electrodes.electrodes`.
    """
    return _spellings().get(bare_label(label))


def biosemi_name(label: str, *, size: int) -> str:
    """Return the canonical name of an electrode of a BioSemi cap by its letter and number (``A1``, ``D32``).

    Caps of 16, 32 and 64 lie on places of the 10-20 system, in the order of BioSemi's numbers
    (https://www.biosemi.com/headcap.htm); electrodes of larger caps keep their own places.
    """
    if size in _CAPS:
        return f"BioSemi{size}-{label}"
    return _biosemi_order(size)[32 * (ord(label[0]) - ord("A")) + int(label[1:]) - 1]


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
    """Name points on a head after the places nearest to them, all of one system, each place once.

    Parameters
    ----------
    points
        Shape (n, 3), any unit, in the head frame (x to the right, y to the front, z up); they are seen from
        the centre of the sphere that fits them best.

    Returns
    -------
    list
        A canonical name for each point, of the system (10-05, HBN's net, a cap of BioSemi) that names most of
        them; None for those that have no place within 12 degrees to themselves, which is beyond the spacing
        of the 10-05 system, and for all of them if they do not lie around a head: contacts in a brain, a grid
        on one side of it.
    """
    names: list[str | None] = [None] * len(points)
    directions = points - _sphere_centre(points)
    radii = np.linalg.norm(directions, axis=1, keepdims=True)
    directions /= radii
    if np.abs(radii / np.median(radii) - 1).max() > _ROUNDNESS or np.ptp(directions[:, 0]) < _WIDTH:
        return names
    for places in _systems():
        known = list(places)
        angles = np.degrees(np.arccos(np.clip(directions @ np.array(list(places.values())).T, -1, 1)))
        found: list[str | None] = [None] * len(points)
        for point, place in zip(*linear_sum_assignment(angles), strict=True):
            if angles[point, place] <= _NEAREST_DEGREES:
                found[point] = known[place]
        if found.count(None) < names.count(None):
            names = found
    return names


def layout_positions(name: str) -> np.ndarray:
    """Positions, shape (n_chans, 3), of one of :data:`LAYOUTS`."""
    if name not in LAYOUTS:
        raise UserError(f"there is no layout '{name}'; known: {', '.join(LAYOUTS)}")
    return positions(LAYOUTS[name])


def canonical_order(names: Iterable[str]) -> list[str]:
    """Distinct canonical names in one fixed order: E1 to E128, the 10-05 system front to back, BioSemi.

    The HBN net comes out as E1..E128, Cz, the order in which the challenge's scorer hands over channels.
    """
    rank = {name: index for index, name in enumerate(_all_positions())}
    return sorted(set(names), key=rank.__getitem__)


@lru_cache(maxsize=1)
def _spellings() -> dict[str, str]:
    ten_five, net, *_ = _systems()
    return {name.upper(): name for name in (*net, *ten_five)} | _SYNONYMS


@lru_cache(maxsize=1)
def _all_positions() -> dict[str, np.ndarray]:
    ten_five, net, *caps = _systems()
    numbered = {name: place for name, place in net.items() if name != "Cz"}
    return {name: place for system in (numbered, ten_five, *caps) for name, place in system.items()}


@lru_cache(maxsize=1)
def _systems() -> tuple[dict[str, np.ndarray], ...]:
    """Places by canonical name: the 10-05 system, HBN's net, BioSemi's caps."""
    net = _unit_sphere(_HYDROCEL, outside_scalp=())
    ten_five = _unit_sphere(_TEN_FIVE, outside_scalp=("A1", "A2", "M1", "M2"))
    ten_five = {name: place for name, place in ten_five.items() if name not in _SYNONYMS}
    caps = [
        {
            biosemi_name(label, size=size): place
            for label, place in _unit_sphere(f"biosemi{size}", outside_scalp=()).items()
        }
        for size in _CAPS
    ]
    return ten_five | {"Cz": net["Cz"]}, net, *caps


@lru_cache
def _biosemi_order(size: int) -> list[str]:
    return mne.channels.make_standard_montage(f"biosemi{size}").ch_names


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
