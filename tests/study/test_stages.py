"""Which encoders are compared: along the lineage, and between variants."""

from cerebro.check.configuration import layered
from cerebro.config import load_config
from cerebro.study.stages import along_lineage, before_finetuning, is_untrained, untrained, untrained_seed
from cerebro.study.variants import expand


def comparisons(variants):
    content = layered({})
    content["ablations"] = {"seeds": [0, 1], "variants": variants}
    nodes, lineups = expand(load_config(content))
    return along_lineage(nodes, lineups), before_finetuning(nodes, lineups)


def test_every_phase_is_compared_with_the_one_it_started_from_seed_by_seed():
    phases, _ = comparisons({})
    assert list(phases.rows) == [
        "signal",
        "random",
        "tokenizer",
        "pretrain",
        "contrast",
        "reaction_time",
        "externalizing",
    ]
    assert phases.rows["signal"] == ["signal", "signal"]
    assert phases.rows["random"] == ["random", "random-1"]
    assert phases.rows["contrast"] == ["contrast", "contrast-full-1"]
    assert phases.references == {
        "tokenizer": "random",
        "pretrain": "random",
        "contrast": "pretrain",
        "reaction_time": "contrast",
        "externalizing": "contrast",
    }


def test_variants_are_compared_by_the_encoder_that_phase_3_starts_from():
    _, variants = comparisons(
        {
            "no_contrast": {"reaction_time": {"init": "pretrain"}},
            "no_pretraining": {"reaction_time": {"init": None}},
            "no_auxiliary": {"pretrain": {"auxiliary_weight": 0}},
            "frozen": {"reaction_time": {"encoder_learning_rate": 0}},
            "mean": {"reaction_time": {"kind": "baseline", "target": "reaction_time", "features": "mean"}},
            "network": {"reaction_time": {"init": None, "encoder": {"braindecode": "EEGNeX"}}},
        }
    )
    assert variants.rows == {
        "full": ["contrast", "contrast-full-1"],
        "no_contrast": ["pretrain", "pretrain-full-1"],
        "no_pretraining": ["random", "random-1"],
        "no_auxiliary": ["contrast-no_auxiliary-0", "contrast-no_auxiliary-1"],
    }
    assert set(variants.references.values()) == {"full"}
    assert "full" not in variants.references


def test_the_name_of_an_untrained_encoder_holds_its_seed():
    for seed in (0, 1, 12):
        assert is_untrained(untrained(seed))
        assert untrained_seed(untrained(seed)) == seed
    assert not is_untrained("pretrain")


def test_variants_with_one_encoder_share_a_row():
    start = {"reaction_time": {"init": None}}
    frozen = {"reaction_time": {"init": None, "encoder_learning_rate": 0}}
    _, variants = comparisons({"no_pretraining": start, "random_encoder": frozen})
    assert variants.rows["no_pretraining, random_encoder"] == ["random", "random-1"]


def test_a_study_that_answers_by_a_network_from_scratch_compares_no_starting_encoders():
    content = layered({})
    content["phases"]["scratch"] = {
        "kind": "finetune",
        "target": "reaction_time",
        "encoder": {"braindecode": "EEGNeX"},
    }
    content["submission"]["challenge_1"] = "scratch"
    content["ablations"] = {"variants": {"lineage": {"submission": {"challenge_1": "reaction_time"}}}}
    nodes, lineups = expand(load_config(content))
    assert before_finetuning(nodes, lineups).rows == {}
    assert "scratch" in along_lineage(nodes, lineups).rows
