"""The configuration as the workflow sees it: layers merged by Snakemake's own functions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

from cerebro.config import Config, layers_below, load_config
from cerebro.config.files import check_files
from cerebro.errors import UserError
from cerebro.provenance import PACKAGE

SHIPPED = PACKAGE / "shipped"
"""The layers that are shipped: `config/`, or its copy in a wheel."""


def read_configuration(overlays: Sequence[Path]) -> Config:
    """Merge overlays over the layers that they stand on, the later ones on top, and validate the result.

    Raises
    ------
    UserError
        If a file can't be read, or what comes out is no valid configuration.
    """
    return load_config(_merged([SHIPPED / "base.yaml", *_below(overlays), *overlays]))


def read_layer(path: Path) -> dict[str, Any]:
    """Read one file as Snakemake does.

    Raises
    ------
    UserError
        If it is no configuration.
    """
    check_files([path])
    try:
        content: dict[str, Any] = load_configfile(path)
    except WorkflowError as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from error
    return content


def lists_ablations(overlays: Sequence[Path]) -> bool:
    """Tell whether a study asks for variants itself; shipped ones are of the study without overlays."""
    own = [path for path in _below(overlays) if path.parent != SHIPPED]
    return not overlays or any("ablations" in read_layer(path) for path in (*own, *overlays))


def _below(overlays: Sequence[Path]) -> list[Path]:
    return layers_below(_merged([SHIPPED / "base.yaml", *overlays]), SHIPPED, read_layer)


def _merged(layers: Sequence[Path]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for path in layers:
        update_config(merged, read_layer(path))
    return merged
