"""The configuration as the workflow sees it: overlays merged into the base by Snakemake's own functions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

from cerebro.config import Config, load_config
from cerebro.errors import UserError

BASE = Path(__file__).parents[3] / "config" / "base.yaml"
"""What the Snakefile reads before any overlay."""


def read_configuration(overlays: Sequence[Path]) -> Config:
    """Merge overlays into the base, the later ones on top, and validate the result.

    Raises
    ------
    UserError
        If a file can't be read, or what comes out is no valid configuration.
    """
    merged: dict[str, Any] = {}
    for path in (BASE, *overlays):
        if not path.is_file():
            raise UserError(f"there is no configuration {path}")
        try:
            update_config(merged, load_configfile(path))
        except WorkflowError as error:
            raise UserError(f"{path}: {' '.join(str(error).split())}") from error
    return load_config(merged)


def lists_ablations(overlays: Sequence[Path]) -> bool:
    """Tell whether a study asks for variants itself; those of the base are of the study without overlays."""
    return any("ablations" in load_configfile(path) for path in overlays or (BASE,))
