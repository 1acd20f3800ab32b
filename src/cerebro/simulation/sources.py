"""Where activity is generated: named cortical areas, the eyes, and many places of background activity.

Cortex that is seen from outside is active over several square centimetres. Such a patch looks like a dipole
that lies deeper than itself (de Munck, van Dijk & Spekreijse, 1988, IEEE Trans Biomed Eng 35, 960), hence the
depths below.

Strengths in :mod:`cerebro.simulation.effects` are given in µV at the best electrode of an average head; here
they become dipole moments, once, so that a small head shows the same source more strongly.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cerebro.simulation import effects
from cerebro.simulation.head import TEN_FIVE, TEN_TWENTY, electrode_directions, lead_field


@dataclass(frozen=True)
class Generator:
    """A named source: below which electrode, how deep (share of the head's radius), pointing where."""

    below: str
    depth: float
    towards: str = ""
    """An electrode that a tangential dipole points to; empty points outwards."""
    radial: float = 1.0
    """Share of the moment that points outwards when ``towards`` is given."""


GENERATORS = {
    "alpha_left": Generator("PO3", 0.62),
    "alpha_right": Generator("PO4", 0.62),
    "alpha_medial": Generator("Oz", 0.64, "POz", 0.7),
    "mu_left": Generator("C3", 0.66, "CP1", 0.8),
    "mu_right": Generator("C4", 0.66, "CP2", 0.8),
    "beta_left": Generator("C3", 0.68, "FC3", 0.7),
    "beta_right": Generator("C4", 0.68, "FC4", 0.7),
    "motor_left": Generator("C3", 0.66),
    "motor_right": Generator("C4", 0.66),
    "centro_parietal": Generator("CPz", 0.45),
    "medial_frontal": Generator("FCz", 0.52),
    "visual": Generator("Oz", 0.66),
    "lateral_left": Generator("PO7", 0.68),
    "lateral_right": Generator("PO8", 0.68),
    "auditory_left": Generator("T7", 0.55, "FCz", 0.2),
    "auditory_right": Generator("T8", 0.55, "FCz", 0.2),
    "eye_left": Generator("Fp1", 0.72, "AF3", 0.95),
    "eye_right": Generator("Fp2", 0.72, "AF4", 0.95),
}
"""Both eyes have the same sign in a blink and opposite signs in a horizontal saccade."""
AVERAGE_RADIUS = 0.087
"""Metres; the head in which strengths are calibrated."""
_BACKGROUND_DEPTHS = (0.40, 0.80)


@dataclass(frozen=True)
class SourceModel:
    """Positions (n, 3) in head radii, orientations (n, 3), and moments (n,) in nA·m per unit of activity."""

    positions: NDArray[np.float64]
    orientations: NDArray[np.float64]
    moments: NDArray[np.float64]


@lru_cache
def average_sources() -> SourceModel:
    """The sources of an average brain: the named generators in order, then the background.

    A named generator's unit is 1 µV at the electrode of the 10-20 system that sees it best; the background's
    unit gives 1 µV RMS over that montage when all background sources have unit variance. Both refer to the
    average of the electrodes.
    """
    electrodes = electrode_directions(TEN_FIVE)
    positions, orientations = [], []
    for generator in GENERATORS.values():
        outward = electrodes[generator.below]
        moment = outward
        if generator.towards:
            tangent = electrodes[generator.towards] - outward
            tangent = tangent - (tangent @ outward) * outward
            tangent /= np.linalg.norm(tangent)
            moment = generator.radial * outward + np.sqrt(1 - generator.radial**2) * tangent
        positions.append(generator.depth * outward)
        orientations.append(moment)
    background_positions, background_orientations = _background()
    all_positions = np.vstack([positions, background_positions])
    all_orientations = np.vstack([orientations, background_orientations])
    cap = electrode_directions(TEN_TWENTY)
    field = lead_field(
        np.array([direction for name, direction in cap.items() if name not in ("A1", "A2")]),
        positions=all_positions,
        orientations=all_orientations,
        radius=AVERAGE_RADIUS,
    )
    field -= field.mean(axis=0)
    named = len(GENERATORS)
    moments = 1 / np.abs(field).max(axis=0)
    moments[named:] = 1 / np.sqrt((field[:, named:] ** 2).sum(axis=1).mean())
    return SourceModel(all_positions, all_orientations, moments)


def _background() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Evenly spread places (a Fibonacci spiral) above the skull base, at random depths, mostly outward."""
    rng = np.random.default_rng(len(GENERATORS))  # one fixed average brain
    count = effects.BACKGROUND_SOURCES
    height = np.linspace(0.98, -0.45, count)
    angle = np.arange(count) * np.pi * (3 - np.sqrt(5))
    ring = np.sqrt(1 - height**2)
    outward = np.column_stack([ring * np.cos(angle), ring * np.sin(angle), height])
    orientations = outward + 0.6 * rng.standard_normal((count, 3))
    orientations /= np.linalg.norm(orientations, axis=1, keepdims=True)
    return outward * rng.uniform(*_BACKGROUND_DEPTHS, (count, 1)), orientations


def individual_sources(rng: np.random.Generator, *, degrees: float) -> SourceModel:
    """The average sources, each moved by some ``degrees`` and turned a little: one person's anatomy."""
    average = average_sources()
    return SourceModel(
        positions=jitter(average.positions, degrees=degrees, rng=rng),
        orientations=jitter(average.orientations, degrees=effects.ORIENTATION_JITTER_DEG, rng=rng),
        moments=average.moments,
    )


def jitter(vectors: NDArray[np.float64], *, degrees: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Turn each vector (n, 3) by a random angle (sd in each of two directions), keeping its length."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    moved = vectors / length + np.deg2rad(degrees) * rng.standard_normal(vectors.shape)
    return moved / np.linalg.norm(moved, axis=1, keepdims=True) * length
