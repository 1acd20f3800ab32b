"""Features on disk: one NPZ per encoder, with one part per set of windows.

Labels stay in the window index and are looked up by window, so that a new target never runs an encoder again.
Windows are known by their numbers, so the features say which index numbered them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cerebro.errors import UserError
from cerebro.files import atomic_path, digest_file


@dataclass(frozen=True)
class Features:
    """Numbers ``window`` (n,) of rows of the window index, and their features ``values`` (n, width)."""

    window: NDArray[np.int64]
    values: NDArray[np.float32]


def write_features(path: Path, origin: Mapping[str, Any], sets: Mapping[str, Features]) -> None:
    """Write features by set, and where they come from (plain values), atomically."""
    arrays: dict[str, Any] = {"origin": np.array(json.dumps(origin))}
    for name, part in sets.items():
        arrays |= {f"{name}/window": part.window, f"{name}/values": part.values}
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)


def read_features(path: Path) -> tuple[dict[str, Any], dict[str, Features]]:
    """Read what :func:`write_features` wrote: where the features come from, and the features by set."""
    with np.load(path, allow_pickle=False) as arrays:
        names = [key.removesuffix("/values") for key in arrays.files if key.endswith("/values")]
        sets = {name: Features(arrays[f"{name}/window"], arrays[f"{name}/values"]) for name in names}
        return json.loads(str(arrays["origin"])), sets


def require_same_index(origin: Mapping[str, Any], *, features: Path, index: Path) -> None:
    """Refuse features whose windows another index numbered, or labelled.

    Raises
    ------
    UserError
        Naming both files, and the older of the two.
    """
    if origin.get("index") == digest_file(index):
        return
    older = min((features, index), key=lambda path: path.stat().st_mtime)
    raise UserError(
        f"{features} was made from another window index than {index} ({older} is the older file); make the "
        f"features of this one with: snakemake --cores 8 --force {features}, with the study's --configfile"
    )
