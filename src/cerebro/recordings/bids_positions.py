"""Positions of electrodes from ``_electrodes.tsv`` and ``_coordsystem.json``, in the directions of a head.

They count where labels tell nothing. The frame is known by its landmarks, or by its name where BIDS says how
its axes lie: https://bids-specification.readthedocs.io/en/stable/appendices/coordinate-systems.html
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import mne
import numpy as np
from mne.transforms import apply_trans, get_ras_to_neuromag_trans

from cerebro.recordings.bids_sidecars import (
    FaultySidecar,
    Sidecar,
    merged_json,
    read_columns,
    sidecars,
)
from cerebro.recordings.electrodes import NoElectrodes

_METRES = {"m": 1.0, "cm": 1e-2, "mm": 1e-3}
_FRONT_LEFT_UP = re.compile(r"CTF|EEGLAB|EEGLAB-HJ|4DBti|KitYokogawa")
_RIGHT_FRONT_UP = re.compile(r"CapTrak|ElektaNeuromag|NeuromagElektaMEGIN|ChietiItab")
_TEMPLATE_BRAIN = re.compile(r"(MNI|ICBM|fsaverage).*")
_LANDMARKS_OF_TEMPLATES = "colin27_1005"
"""MNE's montage in MNI space, whose landmarks stand for those of every template there."""
_LANDMARKS = {"NAS": "nasion", "LPA": "lpa", "RPA": "rpa"}
_LEAST_ANGLE = 0.2
"""Sine between the lines from the nasion to both ears; landmarks on one line give no frame."""


def position_sidecars(recording: Path) -> list[Path]:
    """Return every file that positions of a recording's electrodes may be read from."""
    found = sidecars(recording, "electrodes", ".tsv") + sidecars(recording, "coordsystem", ".json")
    return [sidecar.path for sidecar in found]


def sidecar_positions(recording: Path) -> dict[str, np.ndarray] | None:
    """Read where a recording's electrodes are; None where no table says.

    Of several tables in different frames (``space-…``) the first that can be understood is taken.

    Returns
    -------
    dict
        By label, shape (3,): m, x to the right, y to the front, z up, from any origin. Electrodes without
        three numbers are left out.

    Raises
    ------
    NoElectrodes
        If the frame, the unit or the table can't be understood.
    OSError
        If the disk or the network does not give a file.
    """
    tables = {_space(table): table for table in sidecars(recording, "electrodes", ".tsv")}
    frames = sidecars(recording, "coordsystem", ".json")
    refusal: NoElectrodes | None = None
    for space, table in sorted(tables.items()):
        own = [frame for frame in frames if _space(frame) == space]
        try:
            return _positions(table.path, _frame(own, table))
        except (FaultySidecar, NoElectrodes) as error:
            refusal = refusal or NoElectrodes(str(error))
    if refusal is not None:
        raise refusal
    return None


def _space(sidecar: Sidecar) -> str:
    return sidecar.name.entities.get("space", "")


def _frame(frames: list[Sidecar], table: Sidecar) -> dict[str, Any]:
    if not frames:
        raise NoElectrodes(f"no coordsystem.json says in which frame {table.path.name} gives positions")
    return merged_json(frames)


def _positions(table: Path, frame: Mapping[str, Any]) -> dict[str, np.ndarray]:
    unit = _unit(frame, "EEGCoordinateUnits", table)
    rows = read_columns(table)
    if not rows or not {"name", "x", "y", "z"} <= set(rows[0]):
        raise NoElectrodes(f"{table.name} lacks a row, or one of the columns name, x, y and z")
    points = {row["name"]: _point([row.get(axis) for axis in "xyz"]) for row in rows if row.get("name")}
    to_head = _to_head(frame, unit, table)
    return {label: apply_trans(to_head, point * unit) for label, point in points.items() if point is not None}


def _unit(frame: Mapping[str, Any], key: str, table: Path) -> float:
    stated = str(frame.get(key, "n/a"))
    if stated not in _METRES:
        raise NoElectrodes(f"{table.name} gives positions in '{stated}' ({key}); m, cm and mm are understood")
    return _METRES[stated]


def _to_head(frame: Mapping[str, Any], unit: float, table: Path) -> np.ndarray:
    """The transform to x right, y front, z up, shape (4, 4): by landmarks, else by the frame's name."""
    name = str(frame.get("EEGCoordinateSystem", "n/a"))
    if landmarks := _landmarks(frame, name, unit, table):
        return np.array(get_ras_to_neuromag_trans(**landmarks))
    if _FRONT_LEFT_UP.fullmatch(name):
        return np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    if _RIGHT_FRONT_UP.fullmatch(name):
        return np.eye(4)
    if _TEMPLATE_BRAIN.fullmatch(name):
        return _from_template_brain()
    raise NoElectrodes(
        f"{table.name} gives positions in the frame '{name}', whose axes are not known without landmarks "
        "(NAS, LPA, RPA in coordsystem.json)"
    )


@lru_cache(maxsize=1)
def _from_template_brain() -> np.ndarray:
    montage = mne.channels.make_standard_montage(_LANDMARKS_OF_TEMPLATES).get_positions()
    return np.array(get_ras_to_neuromag_trans(montage["nasion"], montage["lpa"], montage["rpa"]))


def _landmarks(frame: Mapping[str, Any], name: str, unit: float, table: Path) -> dict[str, np.ndarray] | None:
    """Nasion and ears in m, in the frame of the electrodes; None where they are not given in it."""
    stated = frame.get("AnatomicalLandmarkCoordinates")
    if not isinstance(stated, Mapping) or frame.get("AnatomicalLandmarkCoordinateSystem", name) != name:
        return None
    found = {str(key).upper(): _point(value) for key, value in stated.items()}
    known = {argument: found.get(key) for key, argument in _LANDMARKS.items()}
    points = {argument: point for argument, point in known.items() if point is not None}
    if len(points) < len(_LANDMARKS):
        return None
    if "AnatomicalLandmarkCoordinateUnits" in frame:
        unit = _unit(frame, "AnatomicalLandmarkCoordinateUnits", table)
    left, right = points["lpa"] - points["nasion"], points["rpa"] - points["nasion"]
    area = np.linalg.norm(np.cross(left, right))
    if not area > _LEAST_ANGLE * np.linalg.norm(left) * np.linalg.norm(right):
        return None
    return {argument: point * unit for argument, point in points.items()}


def _point(values: Any) -> np.ndarray | None:
    try:
        point = np.array([float(value) for value in values])
    except (TypeError, ValueError):
        return None
    return point if point.shape == (3,) and np.isfinite(point).all() else None
