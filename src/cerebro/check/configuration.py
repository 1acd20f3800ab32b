"""The configuration as the workflow sees it: overlays merged into the base by Snakemake's own functions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

from cerebro.config import Config, load_config
from cerebro.errors import UserError
from cerebro.provenance import PACKAGE

BASE = PACKAGE / "shipped" / "base.yaml"
"""What the Snakefile reads before any overlay: `config/base.yaml`, or its copy in a wheel."""


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
