from typing import Any

import pytest
import yaml

from cerebro.config import Config, load_config
from cerebro.errors import UserError
from cerebro.variants import expand

PHASES = """
tokenizer: {kind: tokenizer}
pretrain: {kind: pretrain, tokenizer: tokenizer, mix: {hbn: 0.7, tuh: 0.3}}
contrast: {kind: contrast, init: pretrain}
reaction_time: {kind: finetune, init: contrast, target: reaction_time}
externalizing: {kind: finetune, init: contrast, target: externalizing, seed: 5}
"""


def study(variants: dict[str, Any], seeds: list[int]) -> Config:
    return load_config(
        {
            "name": "study",
            "datasets": {name: {"reader": name, "roots": ["."]} for name in ("hbn", "tuh")},
            "phases": yaml.safe_load(PHASES),
            "submission": {"challenge_1": "reaction_time", "challenge_2": "externalizing"},
            "ablations": {"seeds": seeds, "variants": variants},
        }
    )


def test_a_study_without_ablations_has_its_own_phases_and_no_lineups() -> None:
    config = study({}, [0]).model_copy(update={"ablations": None})
    assert expand(config) == (config.phases, [])


def test_the_full_study_with_its_own_seed_adds_no_training() -> None:
    config = study({}, [0])
    nodes, lineups = expand(config)
    assert nodes == config.phases
    assert [lineup.answers() for lineup in lineups] == [{1: "reaction_time", 2: "externalizing"}]


def test_a_variant_shares_the_ancestors_that_it_does_not_change() -> None:
    nodes, lineups = expand(study({"no_contrast": {"reaction_time": {"init": "pretrain"}}}, [0]))
    assert lineups[1].answers() == {1: "reaction_time-no_contrast-0", 2: "externalizing"}
    assert set(nodes) - set(study({}, [0]).phases) == {"reaction_time-no_contrast-0"}
    assert nodes["reaction_time-no_contrast-0"].init == "pretrain"


def test_what_descends_from_a_changed_phase_is_trained_anew() -> None:
    nodes, lineups = expand(study({"warm": {"contrast": {"temperature": 0.2}}}, [0]))
    assert lineups[1].answers() == {1: "reaction_time-warm-0", 2: "externalizing-warm-0"}
    assert nodes["reaction_time-warm-0"].init == nodes["externalizing-warm-0"].init == "contrast-warm-0"
    assert nodes["contrast-warm-0"].init == "pretrain"


def test_a_seed_moves_the_whole_lineage_and_is_trained_once_for_all_variants() -> None:
    nodes, lineups = expand(study({"no_contrast": {"reaction_time": {"init": "pretrain"}}}, [0, 3]))
    by_key = {(lineup.variant, lineup.seed): lineup for lineup in lineups}
    full, without = by_key["full", 3], by_key["no_contrast", 3]
    assert full.challenge_2 == without.challenge_2 == "externalizing-full-3"
    assert nodes["externalizing-full-3"].seed == 8
    assert nodes[without.challenge_1].init == "pretrain-full-3"
    assert nodes["pretrain-full-3"].seed == nodes["tokenizer-full-3"].seed == 3


def test_null_in_a_variant_removes_an_entry() -> None:
    overlay = {"pretrain": {"mix": {"hbn": 1.0, "tuh": None}}}
    nodes, _ = expand(study({"no_tuh": overlay}, [0]))
    assert nodes["pretrain-no_tuh-0"].mix == {"hbn": 1.0}


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        ({"contrast": {"temprature": 0.2}}, "did you mean 'temperature'"),
        ({"reaction_time": {"init": "nothing"}}, "there is no phase 'nothing'"),
    ],
)
def test_a_variant_that_gives_no_valid_graph_is_named(overlay: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=r"^ablations\.variants\.wrong: .*" + said):
        expand(study({"wrong": overlay}, [0]))
