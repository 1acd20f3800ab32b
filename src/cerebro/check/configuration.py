"""The configuration as the workflow sees it: layers merged by Snakemake's own functions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

from cerebro.config import Config, load_config, needs_demo
from cerebro.config.files import check_files
from cerebro.errors import UserError
from cerebro.provenance import PACKAGE

SHIPPED = PACKAGE / "shipped"
"""Layers that the Snakefile reads before any overlay: `config/`, or its copy in a wheel."""


def read_configuration(overlays: Sequence[Path]) -> Config:
    """Merge overlays into the base, or into base and demo, the later ones on top, and validate the result.

    Raises
    ------
    UserError
        If a file can't be read, or what comes out is no valid configuration.
    """
    merged = _merged([SHIPPED / "base.yaml", *overlays])
    if needs_demo(merged):
        merged = _merged([SHIPPED / "base.yaml", SHIPPED / "demo.yaml", *overlays])
    return load_config(merged)


def _merged(layers: Sequence[Path]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    check_files(layers)
    for path in layers:
        try:
            update_config(merged, load_configfile(path))
        except WorkflowError as error:
            raise UserError(f"{path}: {' '.join(str(error).split())}") from error
    return merged


def lists_ablations(overlays: Sequence[Path]) -> bool:
    """Tell whether a study asks for variants itself; those of the base are of the study without overlays."""
    return any("ablations" in load_configfile(path) for path in overlays or (SHIPPED / "demo.yaml",))
