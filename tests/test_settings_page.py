"""docs/settings.md is what the models say, and its examples are valid."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.utils import update_config

from cerebro.config import load_config
from cerebro.config.reference import SECTIONS, reference

ROOT = Path(__file__).parents[1]
BENEATH = {
    "name": "example",
    "datasets": {"rest": {"reader": "bids", "roots": ["data/rest"]}},
    "simulation": {"releases": {"R1": {"subjects": 2}}, "movies": ["ThePresent"]},
    "labels": {
        "age": {"of": "person", "column": "age"},
        "epilepsy": {"of": "person", "column": "group", "classes": ["control", "epilepsy"]},
        "eyes": {"of": "interval", "classes": ["open", "closed"]},
        "movie": {"of": "moment", "classes": "all"},
        "reaction_time": {
            **{"of": "event", "at": "target", "column": "rt", "window": [0.5, 2.5]},
            **{"range": [0, 2.4], "time": True},
        },
        "externalizing": {"of": "person", "column": "externalizing"},
    },
    "windows": {"crops": ["rest"]},
    "phases": {
        "tokenizer": {"kind": "tokenizer"},
        "pretrain": {"kind": "pretrain", "target": "signal", "mix": {"rest": 1.0}},
        "contrast": {"kind": "contrast", "init": "pretrain", "sources": {"eyes": 1}},
        "reaction_time": {"kind": "finetune", "init": "contrast", "target": "reaction_time"},
        **{name: {"kind": "finetune", "target": "reaction_time"} for name in ("a", "b")},
        "c": {"kind": "finetune", "target": "externalizing", "windows": "crop"},
    },
}


def test_the_page_is_current_so_that_make_settings_changes_nothing() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == reference()


def test_every_settings_model_of_the_schema_has_a_section() -> None:
    from cerebro.config import Config

    models = {*Config.model_json_schema()["$defs"], "Config"}
    assert models <= {model.__name__ for _, model, _ in SECTIONS}


EXAMPLES = [pytest.param(text, id=heading) for heading, _, text in SECTIONS] + [
    pytest.param(block, id=f"{page}-{number}")
    for page in ("bids", "labels", "own_data")
    for number, block in enumerate(
        re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / f"{page}.md").read_text(), flags=re.DOTALL)
    )
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_a_valid_part_of_a_configuration(example: str) -> None:
    merged: dict[str, Any] = {}
    update_config(merged, yaml.safe_load(yaml.safe_dump(BENEATH)))
    own = yaml.safe_load(example)
    if "braindecode" in str(own.get("encoder")):
        merged["phases"] = {"a": {"kind": "finetune", "target": "age"}}
    update_config(merged, own)
    load_config(merged)
