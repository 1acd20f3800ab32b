"""A small simulated population, written once and read by the tests of files and sidecars."""

import json
from pathlib import Path

import pytest

from cerebro.config import Simulation
from cerebro.simulation.population import simulate

SMALL = {
    "seed": 3,
    "releases": {"R1": {"subjects": 1, "format": "set"}, "R5": {"subjects": 2, "format": "bdf"}},
    "tuh_subjects": 8,
    "contrast_change_trials": 6,
    "resting_cycles": 1,
    "movies": ["DespicableMe"],
    "movie_seconds": 10,
    "tuh_seconds": 12,
}


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The raw folder of one child of R1 (500 Hz), two of R5 (100 Hz) and eight TUH patients."""
    folder = tmp_path_factory.mktemp("raw")
    simulate(Simulation.model_validate(SMALL), marker=folder / "simulation.json", workers=1)
    return folder


@pytest.fixture(scope="session")
def small() -> dict:
    return json.loads(json.dumps(SMALL))
