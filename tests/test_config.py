"""The configuration as a user meets it: every shipped file loads, every mistake gets its sentence."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cerebro.check.configuration import layered
from cerebro.config import Config, config_schema, encoder_of, lineage, load_config, parents
from cerebro.errors import UserError

ROOT = Path(__file__).parents[1]
BASE = ROOT / "config" / "base.yaml"
LAYERS = (BASE, BASE.with_name("challenge.yaml"))
"""What is no study of its own."""
OVERLAYS = sorted(path for path in BASE.parent.glob("*.yaml") if path not in LAYERS)


AUXILIARY = ("age", "sex", "p_factor", "attention", "internalizing", "externalizing")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PARTS = ("settings", "own_data", "bids", "labels")
"""Pages that show parts of a configuration."""
SHOWN = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in PAGES
    if page.stem not in PARTS
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), flags=re.DOTALL))
]


@pytest.mark.parametrize("block", SHOWN)
def test_every_configuration_on_a_page_is_an_overlay_that_loads(block: str) -> None:
    load_config(layered(yaml.safe_load(block)))


def test_without_an_overlay_the_study_is_the_demo_with_all_phases() -> None:
    config = load_config(layered({}))
    assert config.name == "demo"
    assert [phase.kind for phase in config.phases.values()] == [
        "tokenizer",
        "pretrain",
        "contrast",
        "finetune",
        "finetune",
    ]


STRUCTURE = {"kind", "init", "tokenizer", "mix", "target", "objective", "auxiliary", "sources", "windows"}
"""Keys of a phase that say what it is, not how it trains."""


def test_the_layer_of_the_challenge_leaves_training_to_the_defaults() -> None:
    phases = yaml.safe_load(BASE.with_name("challenge.yaml").read_text())["phases"]
    assert {key for phase in phases.values() for key in phase} <= STRUCTURE


@pytest.mark.parametrize("name", ["hbn_mini", "hbn_tuh"])
def test_real_studies_take_no_setting_of_the_demo(name: str) -> None:
    """What an overlay leaves open is as the challenge's layer has it."""
    overlay = yaml.safe_load(BASE.with_name(f"{name}.yaml").read_text())
    config = load_config(layered(overlay))
    assert config.simulation is None
    roots = {"datasets": {name: {"roots": ["."]} for name in ("hbn", "tuh")}}
    challenge = load_config(layered({"extends": "challenge", **roots}))
    for name, phase in config.phases.items():
        own = overlay["phases"].get(name, {})
        for key in set(type(phase).model_fields) - STRUCTURE - own.keys():
            assert getattr(phase, key) == getattr(challenge.phases[name], key), f"{name}.{key}"
    own_sections = {"extends", "name", "datasets", "phases", "submission", "ablations"}
    for section in set(Config.model_fields) - own_sections - overlay.keys():
        assert getattr(config, section) == getattr(challenge, section), section


def test_an_overlay_without_datasets_stands_on_the_demo_and_another_on_what_it_extends(
    tmp_path: Path,
) -> None:
    tuh = {"datasets": {"tuh": {"reader": "tuh", "roots": ["data"]}}}
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump({**tuh, "phases": {"tokenizer": {"kind": "tokenizer"}}}))
    assert load_config(layered({"name": "mine"})).simulation is not None
    assert set(load_config(layered({"name": "mine", "extends": str(own)})).phases) == {"tokenizer"}
    without_tuh = {"phases": {"pretrain": {"mix": {"hbn": 1, "tuh": None}}}}
    hbn = {"datasets": {"hbn": {"roots": ["a"]}, "tuh": None}}
    challenge = load_config(layered({"extends": "challenge", **hbn, **without_tuh}))
    assert challenge.simulation is None
    assert set(challenge.datasets) == {"hbn"}


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        (
            {"extends": "chalenge"},
            "extends: 'chalenge' is no file and no shipped layer; shipped are challenge",
        ),
        ({"extends": 7}, "extends: '7' is no file"),
        (
            {"datasets": {"tuh": {"reader": "tuh", "roots": ["data"]}}},
            "there is no section phases, the trainings of the study, .* `extends: challenge` takes those",
        ),
    ],
)
def test_a_missing_layer_gets_a_sentence(overlay: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_config(layered(overlay))


def test_layers_that_extend_each_other_get_a_sentence(tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text(f"extends: {other}\n")
    other.write_text(f"extends: {one}\n")
    with pytest.raises(UserError, match="extends comes back to this file; break the circle"):
        layered({"extends": str(one)})


@pytest.mark.parametrize("path", OVERLAYS, ids=lambda path: path.stem)
def test_every_shipped_overlay_loads_under_its_own_name(path: Path) -> None:
    assert load_config(layered(yaml.safe_load(path.read_text()))).name == path.stem


def test_the_committed_schema_is_the_one_of_the_models() -> None:
    committed = (ROOT / "workflow" / "schemas" / "config.schema.json").read_text()
    assert committed == config_schema(), "run `make schema`"


def test_every_seed_is_the_number_of_a_random_stream() -> None:
    models = json.loads(config_schema())["$defs"]
    seeds = [
        (name, field.get("items", field))
        for name, model in models.items()
        for key, field in model.get("properties", {}).items()
        if re.search(r"(^|_)seeds?$", key)
    ]
    assert len(seeds) > 10
    assert [name for name, field in seeds if field.get("minimum") != 0] == []


def test_every_field_has_a_description() -> None:
    """Readers look the keys up in the schema."""
    schema = json.loads(config_schema())
    models = {"Config": schema, **schema["$defs"]}
    missing = [
        f"{name}.{key}"
        for name, model in models.items()
        for key, field in model.get("properties", {}).items()
        if not field.get("description") and "$ref" not in field  # a referenced model has its own
    ]
    assert missing == []


def scratch(encoder: dict[str, Any]) -> dict[str, Any]:
    """A phase with an encoder of its own and no other before it."""
    return {"kind": "finetune", "target": "reaction_time", "init": None, "encoder": encoder}


BASELINE = {"kind": "baseline", "target": "reaction_time", "features": "mean"}
WRONG = {
    "an unknown key": ({"phases": {"pretrain": {"learning_rat": 1}}}, "did you mean 'learning_rate'"),
    "an unknown section": ({"prepocessing": {}}, "unknown key 'prepocessing'; did you mean 'preprocessing'"),
    "an unknown key in a dataset": ({"datasets": {"hbn": {"root": []}}}, "datasets.hbn.root"),
    "a value of the wrong type": ({"phases": {"contrast": {"epochs": "many"}}}, "phases.contrast.epochs"),
    "a value out of range": ({"windows": {"max_bad_channels": 2}}, "windows.max_bad_channels"),
    "an unknown kind of phase": ({"phases": {"contrast": {"kind": "contrastive"}}}, "contrastive"),
    "a phase that starts from a missing one": (
        {"phases": {"contrast": {"init": "pretrian"}}},
        "phases.contrast.init: there is no phase 'pretrian'; did you mean 'pretrain'",
    ),
    "a missing tokenizer": (
        {"phases": {"pretrain": {"target": "codes", "tokenizer": "tokeniser"}}},
        "phases.pretrain.tokenizer: there is no phase 'tokeniser'; did you mean 'tokenizer'",
    ),
    "codes from a phase that is no tokenizer": (
        {"phases": {"pretrain": {"target": "codes", "tokenizer": "externalizing"}}},
        "phases.pretrain.tokenizer: 'externalizing' is no tokenizer phase",
    ),
    "codes without a tokenizer": (
        {"phases": {"pretrain": {"target": "codes", "tokenizer": None}}},
        "phases.pretrain: target codes needs a tokenizer phase",
    ),
    "a tokenizer that nothing reads": (
        {"phases": {"pretrain": {"target": "signal", "tokenizer": "tokenizer"}}},
        "phases.pretrain: target signal reads no tokenizer; set tokenizer: null",
    ),
    "a codebook that never starts": (
        {"phases": {"tokenizer": {"epochs": 3, "start_epoch": 3}}},
        "phases.tokenizer: start_epoch (3) must be less than epochs (3)",
    ),
    "a task without a weight": (
        {"phases": {"pretrain": {"auxiliary": {"age": 0}}}},
        "phases.pretrain.auxiliary.age",
    ),
    "a cycle": (
        {"phases": {"pretrain": {"init": "contrast"}}},
        "pretrain -> contrast -> pretrain is a cycle",
    ),
    "a phase that starts from itself": (
        {"phases": {"contrast": {"init": "contrast"}}},
        "contrast -> contrast is a cycle",
    ),
    "an encoder for a phase that has its parent's": (
        {"phases": {"contrast": {"encoder": {"dim": 32}}}},
        "phases.contrast.encoder: this phase has the encoder of 'pretrain'",
    ),
    "an unknown key in a phase's encoder": (
        {"phases": {"pretrain": {"encoder": {"dimm": 32}}}},
        "unknown key 'phases.pretrain.encoder.dimm'; did you mean 'dim'",
    ),
    "heads that do not divide the study's width": (
        {"encoder": {"dim": 32}, "phases": {"pretrain": {"encoder": {"heads": 5}}}},
        "phases.pretrain.encoder: heads (5) must divide dim (32)",
    ),
    "a setting of our own encoder for a network of braindecode": (
        {"phases": {"scratch": scratch({"braindecode": "EEGNeX", "dim": 32})}},
        "phases.scratch.encoder: dim is a setting of this package's own encoder",
    ),
    "published weights for our own encoder": (
        {"encoder": {"weights": "labram.pt"}},
        "unknown key 'encoder.weights'",
    ),
    "an unknown key beside a network of braindecode": (
        {"phases": {"scratch": scratch({"braindecode": "EEGNeX", "sfrq": 200})}},
        "unknown key 'phases.scratch.encoder.sfrq'; did you mean 'sfreq'",
    ),
    "a tokenizer of braindecode": (
        {"phases": {"tokenizer": {"encoder": {"braindecode": "CBraMod"}}}},
        "phases.tokenizer: kind tokenizer needs this package's own encoder, not braindecode: CBraMod",
    ),
    "masked modelling by a network that cannot hide patches": (
        {"phases": {"pretrain": {"encoder": {"braindecode": "Labram"}}}},
        "phases.pretrain: kind pretrain needs an encoder that hides patches, which braindecode: Labram",
    ),
    "a network for windows of another length than the challenge's": (
        {"windows": {"seconds": 4}, "phases": {"scratch": scratch({"braindecode": "EEGNeX"})}},
        "windows.seconds must be 2 with encoder.braindecode: EEGNeX",
    ),
    "a mix that misses its sum": ({"phases": {"pretrain": {"mix": {"hbn": 0.9}}}}, "mix must sum to 1"),
    "a mix of an unknown dataset": (
        {"phases": {"pretrain": {"mix": {"hbn": 0.5, "tuh": 0.3, "lemon": 0.2}}}},
        "there is no dataset 'lemon'",
    ),
    "nulls that leave nothing of a default": (
        {"phases": {"pretrain": {"auxiliary": dict.fromkeys(AUXILIARY)}}},
        "configuration: phases.pretrain: auxiliary: null removes",
    ),
    "datasets that are all removed": ({"datasets": {"hbn": None, "tuh": None}}, "datasets: null removes"),
    "a reserved name": ({"phases": {"random": {"kind": "tokenizer"}}}, "phases.random"),
    "the name of the row of covariances": (
        {"phases": {"covariance": {"kind": "tokenizer"}}},
        "phases.covariance",
    ),
    "the name of the oracle's answers": (
        {"phases": {"oracle-reaction_time": {"kind": "tokenizer"}}},
        "phases.oracle-reaction_time: this name is reserved",
    ),
    "the control's name": ({"phases": {"signal": {"kind": "tokenizer"}}}, "phases.signal"),
    "a source of pairs that there is not": (
        {"phases": {"contrast": {"sources": {"moovie": 1.0}}}},
        "phases.contrast.sources",
    ),
    "a source of pairs without weight": (
        {"phases": {"contrast": {"sources": {"movie": 0.0}}}},
        "phases.contrast.sources.movie",
    ),
    "no roots and no simulation": ({"simulation": None}, "datasets.hbn.roots"),
    "a submission of no such phase": ({"submission": {"challenge_1": "contrast"}}, "submission.challenge_1"),
    "heads that do not divide the width": ({"encoder": {"heads": 3}}, "heads (3) must divide dim"),
    "an encoder from a baseline": (
        {"phases": {"mean": BASELINE, "reaction_time": {"init": "mean"}}},
        "phases.reaction_time.init: 'mean' is a baseline and has no encoder to start from",
    ),
    "codes from a baseline": (
        {"phases": {"mean": BASELINE, "pretrain": {"tokenizer": "mean"}}},
        "phases.pretrain.tokenizer: 'mean' is a baseline",
    ),
    "a submission of a baseline": (
        {"phases": {"mean": BASELINE}, "submission": {"challenge_1": "mean"}},
        "submission.challenge_1: 'mean' is a baseline: ablations can compare it, but it has no encoder",
    ),
    "an ensemble with a phase of the other target": (
        {"submission": {"challenge_2": ["externalizing", "reaction_time"]}},
        "submission.challenge_2: 'reaction_time' is no finetune phase with target externalizing",
    ),
    "an ensemble of one phase twice": (
        {"submission": {"challenge_2": ["externalizing", "externalizing"]}},
        "submission.challenge_2: externalizing is named twice",
    ),
    "a seed twice": ({"submission": {"seeds": [0, 1, 0]}}, "submission.seeds: 0 is named twice"),
    "an ensemble of nobody": ({"submission": {"challenge_1": []}}, "submission.challenge_1: "),
    "a submission that sees neighbouring windows": (
        {"submission": {"smooth_windows": 3}},
        "submission.smooth_windows: the challenge shows a model one window at a time",
    ),
    "windows without a middle": (
        {"submission": {"smooth_windows": 4}},
        "submission.smooth_windows: 4 windows have none in their middle",
    ),
    "weights that nobody fits": ({"submission": {"weights": "test"}}, "submission.weights: "),
    "a baseline that trains": (
        {"phases": {"mean": {**BASELINE, "epochs": 3}}},
        "unknown key 'phases.mean.epochs'",
    ),
    "a tokenizer of an unknown dataset": (
        {"phases": {"tokenizer": {"datasets": ["lemon"]}}},
        "phases.tokenizer.datasets: there is no dataset 'lemon'",
    ),
    "a comparison of a variant that is not there": (
        {"ablations": {"compare": ["no_contrst"]}},
        "ablations: compare: there is no variant 'no_contrst'; did you mean 'no_contrast'",
    ),
    "a share of nobody": ({"phases": {"contrast": {"subject_share": 0}}}, "phases.contrast.subject_share"),
    "a phase with the name of a section": ({"phases": {"submission": BASELINE}}, "phases.submission"),
    "a name that is no folder": ({"name": "a/b"}, "name"),
    "a study whose name begins as an option does": ({"name": "-rf"}, "configuration: name: "),
    "a study whose name has no end": ({"name": "a" * 101}, "configuration: name: "),
    "a phase whose name begins as an option does": (
        {"phases": {"-x": BASELINE}},
        "phases: '-x' can't be a name",
    ),
    "a dataset whose name begins as an option does": (
        {"datasets": {"--raw": {"reader": "files", "roots": ["."]}}},
        "datasets: '--raw' can't be a name",
    ),
    "a variant whose name begins as an option does": (
        {"ablations": {"variants": {"-1": {}}}},
        "ablations: variants: '-1' can't be a name",
    ),
    "a phase whose name is longer than a file's may be": (
        {"phases": {"x" * 101: BASELINE}},
        "can't be a name",
    ),
    "a phase whose name is an argument file's": ({"phases": {"@x": BASELINE}}, "phases: '@x' can't be"),
    "a phase whose name is a wildcard": ({"phases": {"{x}": BASELINE}}, "phases: '{x}' can't be a name"),
    "weights whose path is a wildcard": (
        {"phases": {"scratch": scratch({"braindecode": "EEGNeX", "weights": "data/{x}/w.pt"})}},
        "phases.scratch.encoder.weights: data/{x}/w.pt holds a '{'",
    ),
    "a phase whose name is half a regular expression": (
        {"phases": {"(x": BASELINE}},
        "phases: '(x' can't be",
    ),
    "a phase with the name of a checkpoint": ({"phases": {"x@1": BASELINE}}, "phases: 'x@1' can't be a name"),
    "a phase outside of the results": ({"phases": {"../x": BASELINE}}, "phases: '../x' can't be a name"),
    "a dataset with a name of two lines": (
        {"datasets": {"my\n": {"reader": "files", "roots": ["."]}}},
        "datasets: 'my\\n' can't be a name",
    ),
    "a variant with a slash in its name": (
        {"ablations": {"variants": {"a/b": {}}}},
        "ablations: variants: 'a/b' can't be a name",
    ),
    "a seed below zero": (
        {"phases": {"tokenizer": {"seed": -1}}},
        "phases.tokenizer.seed: -1 is no seed; random streams are numbered 0, 1, 2",
    ),
    "a seed below zero in a list": ({"ablations": {"seeds": [0, -2]}}, "ablations.seeds.1: -2 is no seed"),
    "an accelerator that is none": (
        {"compute": {"accelerator": "gpuu"}},
        "compute.accelerator: Input should be 'auto', 'cpu' or 'gpu'",
    ),
    "a precision that is none": (
        {"compute": {"precision": "bf16_mixed"}},
        "compute.precision: Input should be '32-true', '16-mixed' or 'bf16-mixed'",
    ),
    "a band whose edges are reversed": (
        {"preprocessing": {"band": [50, 0.5]}},
        "preprocessing.band: [50, 0.5] is no band of signals at 100 Hz",
    ),
    "a band without its lower edge": ({"preprocessing": {"band": [0, 40]}}, "preprocessing.band: [0, 40]"),
    "a band beyond what 100 Hz can hold": (
        {"preprocessing": {"band": [0.5, 70]}},
        "preprocessing.band: [0.5, 70]",
    ),
    "a test release in other letters": (
        {"splits": {"test": {"releases": ["r5"]}}},
        "splits.test.releases.0: 'r5' would match no release; HBN's are written R5",
    ),
    "a release with a space": (
        {"datasets": {"hbn": {"releases": ["R1", "R 05"]}}},
        "datasets.hbn.releases.1: 'R 05' would match no release; HBN's are written R5",
    ),
}


@pytest.mark.parametrize(("overlay", "words"), WRONG.values(), ids=list(WRONG))
def test_a_mistake_gets_one_sentence_that_names_the_key(overlay: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as caught:
        load_config(layered({"extends": "demo"}, overlay))
    message = str(caught.value)
    assert words in message
    assert message.startswith("configuration: ")
    assert "\n" not in message


def test_an_overlay_removes_a_phase_by_setting_it_to_null() -> None:
    starts = {"init": "pretrain"}
    overlay = {"phases": {"contrast": None, "reaction_time": starts, "externalizing": starts}}
    config = load_config(layered(overlay))
    assert "contrast" not in config.phases
    assert lineage(config.phases, "reaction_time") == ["pretrain", "reaction_time"]


def test_an_overlay_removes_any_named_entry_by_setting_it_to_null() -> None:
    without_tuh = {"datasets": {"tuh": None}, "phases": {"pretrain": {"mix": {"hbn": 1.0, "tuh": None}}}}
    overlay = {"extends": "demo", **without_tuh, "simulation": {"releases": {"R1": None}}}
    config = load_config(layered(overlay))
    assert list(config.datasets) == ["hbn"]
    assert config.phases["pretrain"].mix == {"hbn": 1.0}
    assert list(config.simulation.releases) == ["R2", "R5"]
    content = layered({"phases": {"pretrain": {"auxiliary": dict.fromkeys(AUXILIARY[1:])}}})
    assert load_config(content).phases["pretrain"].auxiliary == {"age": 1.0}


def test_a_value_that_may_be_null_stays_null() -> None:
    roots = {"datasets": {"hbn": {"roots": ["."]}, "tuh": {"roots": ["."]}}}
    config = load_config(
        layered({"extends": "demo", "simulation": None, **roots, "phases": {"contrast": {"init": None}}})
    )
    assert config.simulation is None
    assert config.phases["contrast"].init is None


def test_a_lineage_follows_encoders_and_parents_name_all_that_must_be_finished() -> None:
    phases = load_config(layered({})).phases
    assert lineage(phases, "reaction_time") == ["pretrain", "contrast", "reaction_time"]
    assert parents(phases["pretrain"]) == {"tokenizer": "tokenizer"}
    assert parents(phases["contrast"]) == {"init": "pretrain"}


def test_a_phase_may_differ_from_the_studys_encoder_in_what_it_says() -> None:
    scratch = {"init": None, "encoder": {"adapter": "zero_pad", "heads": 3}}
    phases = load_config(layered({"encoder": {"dim": 48}, "phases": {"reaction_time": scratch}})).phases
    assert phases["reaction_time"].encoder.dim == 48
    assert phases["reaction_time"].encoder.heads == 3
    assert phases["reaction_time"].encoder.adapter == "zero_pad"
    assert phases["tokenizer"].encoder is None


def test_a_network_of_a_phase_shares_reference_adapter_and_layout_with_the_study_and_nothing_else() -> None:
    study = {"layout": "hbn_128", "reference": "recorded", "dim": 32}
    phases = {"first": scratch({"braindecode": "EEGNeX"}), "reaction_time": scratch({"dim": 64})}
    config = load_config(layered({"encoder": study, "phases": phases}))
    encoder = config.phases["first"].encoder
    assert (encoder.braindecode, encoder.layout, encoder.reference) == ("EEGNeX", "hbn_128", "recorded")
    assert config.phases["reaction_time"].encoder.dim == 64
    assert encoder_of(config.phases, "contrast", config.encoder) == config.encoder


def test_null_gives_a_phase_our_own_encoder_where_the_study_has_a_network() -> None:
    overlay = {"encoder": {"braindecode": "CBraMod", "layout": "hbn_128", "options": {"n_layer": 2}}}
    own = {"encoder": {"braindecode": None, "dim": 32}}
    overlay["phases"] = {
        "tokenizer": own,
        "pretrain": own,
        "network": {"kind": "finetune", "target": "externalizing"},
        "shallower": scratch({"options": {"n_layer": 1}}),
    }
    config = load_config(layered(overlay))
    assert encoder_of(config.phases, "reaction_time", config.encoder).dim == 32
    assert encoder_of(config.phases, "reaction_time", config.encoder).layout == "hbn_128"
    assert encoder_of(config.phases, "network", config.encoder).options == {"n_layer": 2}
    assert encoder_of(config.phases, "shallower", config.encoder).options == {"n_layer": 1}


@pytest.mark.parametrize(
    ("node", "changes", "fault"),
    [
        ("externalizing", {"jitter_seconds": 0.2}, "jitter_seconds: 0.2 is for a target that is a time"),
        (
            "externalizing",
            {"objective": "distribution"},
            "objective: distribution is for a target that is a time",
        ),
        (
            "reaction_time",
            {"through": ["age"], "objective": None},
            "through is for a target that is a number of a person",
        ),
        ("externalizing", {"through": ["age"], "objective": "huber"}, "objective: huber has no effect"),
        (
            "externalizing",
            {"target_width_seconds": 0.2},
            "target_width_seconds is for objective distribution",
        ),
        ("externalizing", {"freeze_epochs": 5}, r"freeze_epochs \(5\) must be less than epochs \(5\)"),
        (
            "reaction_time",
            {"encoder_learning_rate": 0, "low_rank": 4},
            "low_rank has no effect on an encoder",
        ),
        ("reaction_time", {"checkpoints": 2}, "weight_average keeps a mean of many: set one of them to 0"),
    ],
)
def test_options_of_fine_tuning_that_contradict_each_other_are_refused(node, changes, fault) -> None:
    with pytest.raises(UserError, match=f"phases.{node}[.:].*{fault}"):
        load_config(layered({"phases": {node: changes}}))


def test_names_may_hold_numbers_and_releases_of_ones_own_are_as_one_calls_them() -> None:
    overlay = {
        "phases": {"rate_0.1-b": BASELINE},
        "splits": {"test": {"releases": ["R5", "R12", "second wave"]}},
        "preprocessing": {"band": [1, 40]},
    }
    config = load_config(layered(overlay))
    assert "rate_0.1-b" in config.phases
    assert config.splits.test.releases == ("R5", "R12", "second wave")
