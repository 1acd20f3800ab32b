"""The configuration as the workflow sees it: layers merged by Snakemake's own functions."""

from collections.abc import Mapping, Sequence
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
    return load_config(layered(*map(read_layer, overlays)))


def layered(*overlays: Mapping[str, Any]) -> dict[str, Any]:
    """Contents of overlays over the layers that they stand on.

    Raises
    ------
    UserError
        If a layer can't be read or there is none of its name.
    """
    below = [SHIPPED / "base.yaml", *_below(overlays)]
    return _merged([*map(read_layer, below), *overlays])


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
    contents = [read_layer(path) for path in overlays]
    own = [read_layer(path) for path in _below(contents) if path.parent != SHIPPED]
    return not overlays or any("ablations" in content for content in (*own, *contents))


def _below(overlays: Sequence[Mapping[str, Any]]) -> list[Path]:
    return layers_below(_merged([read_layer(SHIPPED / "base.yaml"), *overlays]), SHIPPED, read_layer)


def _merged(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for layer in layers:
        update_config(merged, layer)
    return merged
