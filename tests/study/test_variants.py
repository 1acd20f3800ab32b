from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from cerebro.check.configuration import layered
from cerebro.config import BaselinePhase, Config, load_config
from cerebro.errors import UserError
from cerebro.study.variants import answering, expand

CONFIG = Path(__file__).parents[2] / "config"
STUDIES = sorted(path for path in CONFIG.glob("*.yaml") if path.stem not in ("base", "challenge"))
CHALLENGE = {
    key: value
    for key, value in yaml.safe_load((CONFIG / "challenge.yaml").read_text()).items()
    if key in ("labels", "windows", "probes")
}
PHASES = """
tokenizer: {kind: tokenizer}
pretrain: {kind: pretrain, tokenizer: tokenizer, mix: {hbn: 0.7, tuh: 0.3}}
contrast: {kind: contrast, init: pretrain, sources: {movie: 1}}
reaction_time: {kind: finetune, init: contrast, target: reaction_time}
externalizing: {kind: finetune, init: contrast, target: externalizing, windows: crop, seed: 5}
"""


def study(variants: dict[str, Any], seeds: list[int]) -> Config:
    return load_config(
        {
            "name": "study",
            "datasets": {name: {"reader": name, "roots": ["."]} for name in ("hbn", "tuh")},
            **CHALLENGE,
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
    assert [lineup.members() for lineup in lineups] == [{1: ("reaction_time",), 2: ("externalizing",)}]


def test_a_variant_shares_the_ancestors_that_it_does_not_change() -> None:
    nodes, lineups = expand(study({"no_contrast": {"reaction_time": {"init": "pretrain"}}}, [0]))
    assert lineups[1].members() == {1: ("reaction_time-no_contrast-0",), 2: ("externalizing",)}
    assert set(nodes) - set(study({}, [0]).phases) == {"reaction_time-no_contrast-0"}
    assert nodes["reaction_time-no_contrast-0"].init == "pretrain"


def test_what_descends_from_a_changed_phase_is_trained_anew() -> None:
    nodes, lineups = expand(study({"warm": {"contrast": {"temperature": 0.2}}}, [0]))
    assert lineups[1].members() == {1: ("reaction_time-warm-0",), 2: ("externalizing-warm-0",)}
    assert nodes["reaction_time-warm-0"].init == nodes["externalizing-warm-0"].init == "contrast-warm-0"
    assert nodes["contrast-warm-0"].init == "pretrain"


def test_a_seed_moves_the_whole_lineage_and_is_trained_once_for_all_variants() -> None:
    nodes, lineups = expand(study({"no_contrast": {"reaction_time": {"init": "pretrain"}}}, [0, 3]))
    by_key = {(lineup.variant, lineup.seed): lineup for lineup in lineups}
    full, without = by_key["full", 3], by_key["no_contrast", 3]
    assert full.challenge_2 == without.challenge_2 == ("externalizing-full-3",)
    assert nodes["externalizing-full-3"].seed == 8
    assert nodes[without.challenge_1[0]].init == "pretrain-full-3"
    assert nodes["pretrain-full-3"].seed == nodes["tokenizer-full-3"].seed == 3


def test_null_in_a_variant_removes_an_entry() -> None:
    overlay = {"pretrain": {"mix": {"hbn": 1.0, "tuh": None}}}
    nodes, _ = expand(study({"no_tuh": overlay}, [0]))
    assert nodes["pretrain-no_tuh-0"].mix == {"hbn": 1.0}


def test_only_the_variants_that_are_asked_for_are_compared() -> None:
    config = study(
        {"warm": {"contrast": {"temperature": 0.2}}, "cold": {"contrast": {"temperature": 0.03}}}, [0]
    )
    chosen = config.ablations.model_copy(update={"compare": ("cold",)})
    _, lineups = expand(config.model_copy(update={"ablations": chosen}))
    assert [lineup.variant for lineup in lineups] == ["full", "cold"]


def test_variants_that_differ_by_the_share_of_subjects_alone_are_points_of_the_learning_curve() -> None:
    half = {name: {"subject_share": 0.5} for name in yaml.safe_load(PHASES)}
    variants = {
        "half": half,
        "uneven": {**half, "contrast": {"subject_share": 0.25}},
        "other": {**half, "contrast": {"subject_share": 0.5, "temperature": 0.2}},
        "fewer": {**half, "contrast": {"subject_share": 0.5, "subjects_per_moment": 2}},
        "few_labels": {name: {"subject_share": 0.5} for name in ("reaction_time", "externalizing")},
    }
    _, lineups = expand(study(variants, [0]))
    shares = {lineup.variant: lineup.subject_share for lineup in lineups}
    assert shares == {
        **{"full": 1.0, "half": 0.5, "fewer": 0.5},
        **{"uneven": None, "other": None, "few_labels": None},
    }


@pytest.mark.parametrize(
    "path",
    [path for path in STUDIES if "ablations" in layered(yaml.safe_load(path.read_text()))],
    ids=lambda p: p.stem,
)
def test_the_shipped_variants_fit_every_shipped_configuration(path: Path) -> None:
    content = layered(yaml.safe_load(path.read_text()))
    content["ablations"].pop("compare", None)
    config = load_config(content)
    nodes, lineups = expand(config)
    simulated = {"oracle"} if config.simulation else set()
    assert {lineup.variant for lineup in lineups} == {"full", *config.ablations.variants} | simulated
    by_answers: dict[Any, set[str]] = {}
    for lineup in lineups:
        by_answers.setdefault(replace(lineup, variant="", subject_share=None), set()).add(lineup.variant)
    assert [names for names in by_answers.values() if len(names) > 1] == []
    assert set(nodes) >= set(config.phases)


def test_ensembles_of_a_shipped_variant_with_different_seeds_have_no_trained_member_in_common() -> None:
    nodes, lineups = expand(load_config(layered({})))
    seeds_of: dict[tuple[str, str], set[int]] = {}
    for lineup in lineups:
        for name in (*lineup.challenge_1, *lineup.challenge_2):
            if name in nodes and not isinstance(nodes[name], BaselinePhase):
                seeds_of.setdefault((lineup.variant, name), set()).add(lineup.seed)
    assert ("seeds_averaged", "reaction_time-full-1") in seeds_of
    assert {member: seeds for member, seeds in seeds_of.items() if len(seeds) > 1} == {}


MEAN = {"kind": "baseline", "target": "reaction_time", "features": "mean"}


def test_a_baseline_takes_the_place_of_a_phase_and_is_fitted_once_for_all_seeds() -> None:
    nodes, lineups = expand(study({"mean": {"reaction_time": MEAN}}, [0, 1]))
    answers = [lineup.challenge_1 for lineup in lineups if lineup.variant == "mean"]
    assert answers == [("reaction_time-mean-0",)] * 2
    assert isinstance(nodes["reaction_time-mean-0"], BaselinePhase)
    assert not [name for name in nodes if name.startswith(("contrast-mean", "pretrain-mean"))]


def test_shuffled_labels_and_parts_of_the_subjects_are_drawn_anew_with_each_seed() -> None:
    shares = {name: {"subject_share": 0.5} for name in yaml.safe_load(PHASES)}
    variants = {"shuffled": {"reaction_time": {**MEAN, "shuffle_labels": True}}, "half": shares}
    nodes, lineups = expand(study(variants, [0, 1]))
    by_key = {(lineup.variant, lineup.seed): lineup for lineup in lineups}
    first, second = (by_key["shuffled", seed].challenge_1[0] for seed in (0, 1))
    assert (nodes[first].seed, nodes[second].seed) == (0, 1)
    lineage = {nodes[name].subject_seed for name in nodes if name.endswith("-half-1")}
    assert lineage == {1}  # externalizing has a seed of its own and learns from the same people


def test_a_variant_may_let_other_nodes_answer() -> None:
    overlay = {"mean": MEAN, "submission": {"challenge_1": "mean"}}
    nodes, lineups = expand(study({"mean": overlay}, [0]))
    assert lineups[1].members() == {1: ("mean-mean-0",), 2: ("externalizing",)}
    assert isinstance(nodes["mean-mean-0"], BaselinePhase)


def test_seeds_of_a_submission_are_added_to_those_of_the_comparison_and_trained_once() -> None:
    nodes, lineups = expand(study({"averaged": {"submission": {"seeds": [0, 1, 2]}}}, [0, 1]))
    by_key = {(lineup.variant, lineup.seed): lineup for lineup in lineups}
    assert by_key["full", 1].challenge_1 == ("reaction_time-full-1",)
    assert by_key["averaged", 0].challenge_1 == (
        *("reaction_time", "reaction_time-full-1", "reaction_time-averaged-2"),
    )
    assert by_key["averaged", 1].challenge_1 == (
        *("reaction_time-full-1", "reaction_time-averaged-2", "reaction_time-averaged-3"),
    )
    assert nodes["externalizing-averaged-3"].seed == 8
    assert nodes["reaction_time-averaged-3"].init == "contrast-averaged-3"


def test_a_study_and_its_full_variant_share_the_seeds_of_the_submission() -> None:
    config = study({}, [0, 1])
    content = config.model_dump(mode="json", exclude_unset=True)
    config = load_config({**content, "submission": {**content["submission"], "seeds": [0, 1]}})
    own, submitted = answering(config)
    nodes, lineups = expand(config)
    assert submitted.challenge_2 == lineups[0].challenge_2 == ("externalizing", "externalizing-full-1")
    assert lineups[1].challenge_2 == ("externalizing-full-1", "externalizing-full-2")
    assert set(nodes) - set(own) == {name for name in nodes if name.endswith("-full-2")}


def test_a_variant_may_smooth_answers_and_shares_all_trainings_with_the_study() -> None:
    nodes, lineups = expand(study({"smoothed": {"submission": {"smooth_windows": 5}}}, [0]))
    assert set(nodes) == set(study({}, [0]).phases)
    assert [lineup.smooth_windows for lineup in lineups] == [1, 5]


def test_a_phase_of_a_variant_may_be_like_another_and_two_that_are_equal_train_once() -> None:
    through = {"through": ["age"]}
    both = {
        "other": {"like": "externalizing", **through},
        "submission": {"challenge_2": ["externalizing", "other"]},
    }
    nodes, lineups = expand(study({"through": {"externalizing": through}, "both": both}, [0]))
    assert lineups[2].challenge_2 == ("externalizing", "externalizing-through-0")
    assert nodes["externalizing-through-0"].seed == nodes["externalizing"].seed == 5
    early = {"externalizing": {"init": "pretrain"}, **both}
    nodes, lineups = expand(study({"early": early}, [0]))
    assert [nodes[name].init for name in lineups[1].challenge_2] == ["pretrain", "pretrain"]


def test_a_baseline_in_place_of_a_phase_with_seeds_is_one_member_for_all_of_them() -> None:
    overlay = {"reaction_time": MEAN, "submission": {"seeds": [0, 1], "weights": "validation"}}
    _, lineups = expand(study({"mean": overlay}, [0]))
    assert lineups[1].challenge_1 == ("reaction_time-mean-0",)
    assert len(lineups[1].challenge_2) == 2
    assert lineups[1].weighed() == list(lineups[1].challenge_2)


SCRATCH = {"kind": "finetune", "target": "externalizing", "windows": "crop"}


def test_a_study_may_hold_two_equal_phases_and_each_stays_itself() -> None:
    content = study({}, [0]).model_dump(mode="json", exclude_unset=True)
    equal = {
        "other_contrast": {"kind": "contrast", "init": "pretrain", "sources": {"movie": 1}},
        "other": {**SCRATCH, "init": "contrast", "seed": 5},
    }
    config = load_config({**content, "phases": {**content["phases"], **equal}})
    nodes, lineups = expand(config)
    assert lineups[0].members() == {1: ("reaction_time",), 2: ("externalizing",)}
    assert nodes == config.phases


def test_two_entries_of_a_submission_that_are_one_phase_are_refused_by_name() -> None:
    content = study({}, [0]).model_dump(mode="json", exclude_unset=True)
    phases = {
        **content["phases"],
        "one": SCRATCH,
        "two": {**SCRATCH, "seed": 1, "subject_seed": 1},
        "three": SCRATCH,
    }
    answers = {"challenge_1": "reaction_time", "challenge_2": ["one", "two", "three"]}
    same = load_config({**content, "phases": phases, "submission": answers})
    with pytest.raises(
        UserError,
        match=r"^configuration: submission\.challenge_2: 'one' and 'three' are one and the same phase;",
    ):
        answering(same)
    seeds = {**answers, "challenge_2": ["one", "two"]}
    assert answering(load_config({**content, "phases": phases, "submission": seeds}))[1].challenge_2 == (
        *("one", "two"),
    )
    overlapping = load_config({**content, "phases": phases, "submission": {**seeds, "seeds": [0, 1]}})
    with pytest.raises(UserError, match=r"'one' and 'two', with seeds 1 and 0 added, are one and the same"):
        answering(overlapping)


def test_a_phase_with_the_name_of_one_that_a_further_seed_adds_is_refused() -> None:
    content = study({}, [0, 1]).model_dump(mode="json", exclude_unset=True)
    config = load_config({**content, "phases": {**content["phases"], "reaction_time-full-1": SCRATCH}})
    assert list(answering(config)[0]) == list(config.phases)
    with pytest.raises(
        UserError,
        match=r"^configuration: phase 'reaction_time' with seed 1 would be named 'reaction_time-full-1'",
    ):
        expand(config)


def test_two_phases_that_variants_add_never_take_one_name() -> None:
    variants = {
        "a-b": {"externalizing": {"epochs": 1}},
        "b": {"submission": {"challenge_2": "externalizing-a"}},
    }
    content = study(variants, [0]).model_dump(mode="json", exclude_unset=True)
    phases = {**content["phases"], "externalizing-a": SCRATCH}
    variants["b"]["externalizing-a"] = {"epochs": 2}
    ablations = {"seeds": [0], "variants": variants}
    config = load_config({**content, "phases": phases, "ablations": ablations})
    with pytest.raises(
        UserError, match=r"^ablations\.variants\.b: .*'externalizing-a-b-0', as another phase"
    ):
        expand(config)


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        ({"other": {"like": "externalising"}}, "no phase 'externalising'; did you mean 'externalizing'"),
        ({"submission": {"challenge_2": ["externalizing", "contrast"]}}, "'contrast' is no finetune phase"),
        ({"contrast": {"temprature": 0.2}}, "did you mean 'temperature'"),
        ({"reaction_time": {"init": "nothing"}}, "there is no phase 'nothing'"),
        ({"contrast": MEAN}, "'contrast' is a baseline and has no encoder to start from"),
        ({"submission": {"challenge_1": "externalizing"}}, "is no finetune phase with target reaction_time"),
        (
            {"again": {"like": "externalizing"}, "submission": {"challenge_2": ["externalizing", "again"]}},
            r"submission\.challenge_2: 'externalizing' and 'again' are one and the same phase",
        ),
    ],
)
def test_a_variant_that_gives_no_valid_graph_is_named(overlay: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=r"^ablations\.variants\.wrong: .*" + said):
        expand(study({"wrong": overlay}, [0]))
