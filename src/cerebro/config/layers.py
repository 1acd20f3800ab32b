"""Layers of a configuration: `config/base.yaml`, perhaps `config/demo.yaml`, then the overlays."""

from collections.abc import Mapping
from typing import Any


def needs_demo(content: Mapping[str, Any]) -> bool:
    """Tell whether a merged configuration stands on the demo: a dataset has no folders, and is simulated.

    Parameters
    ----------
    content : mapping
        `config/base.yaml` with all overlays on top, as YAML gives it; faulty content is left to validation.
    """
    datasets = content.get("datasets")
    named = datasets.values() if isinstance(datasets, Mapping) else [{}]
    return any(isinstance(dataset, Mapping) and not dataset.get("roots") for dataset in named)
