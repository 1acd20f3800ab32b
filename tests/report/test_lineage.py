import json

from cerebro.report.lineage import draw_lineages, in_training_order, steps


def _content(node, lineage, value):
    score = {"value": value, "low": value - 0.1, "high": value + 0.1, "floor": 0.5}
    targets = {
        "eyes": {"metrics": {"balanced_accuracy": score}},
        "age": {"not_measurable": "the test split holds nothing"},
    }
    return {"node": node, "lineage": lineage, "targets": targets}


CONTENTS = [
    _content("finetuned", ["unprobed", "pretrain", "finetuned"], 0.8),
    _content("random", [], 0.6),
    _content("pretrain", ["unprobed", "pretrain"], 0.7),
    _content("tokenizer", ["tokenizer"], 0.65),
]


def test_checkpoints_lie_between_the_start_of_their_phase_and_its_end():
    within = [_content(f"finetuned@{k}", ["unprobed", "pretrain", f"finetuned@{k}"], 0.7) for k in (1, 2)]
    pairs = steps({content["node"]: content for content in [*CONTENTS, *within]})
    chain = {("pretrain", "finetuned@1"), ("finetuned@1", "finetuned@2"), ("finetuned@2", "finetuned")}
    assert {pair for pair in pairs if "finetuned" in pair[1]} == chain


def test_encoders_stand_in_the_order_of_training_and_equals_as_the_study_lists_them():
    study = [
        _content("tokenizer", ["tokenizer"], 0.6),
        _content("pretrain", ["pretrain"], 0.6),
        _content("later", ["pretrain", "later"], 0.6),
        _content("earlier", ["earlier"], 0.6),
        _content("random", [], 0.6),
        _content("pretrain@2", ["pretrain@2"], 0.6),
        _content("pretrain@1", ["pretrain@1"], 0.6),
    ]
    order = ["random", "tokenizer", "pretrain@1", "pretrain@2", "pretrain", "earlier", "later"]
    assert in_training_order({content["node"]: content for content in study}) == order


def test_an_encoder_is_joined_to_where_it_started():
    pairs = steps({content["node"]: content for content in CONTENTS})
    assert set(pairs) == {("pretrain", "finetuned"), ("random", "pretrain"), ("random", "tokenizer")}


def test_the_signal_itself_starts_no_line_and_ends_none():
    contents = {content["node"]: content for content in [_content("signal", [], 0.7), *CONTENTS]}
    assert not [pair for pair in steps(contents) if "signal" in pair]


def test_every_target_that_was_asked_for_has_a_panel_and_every_encoder_a_name(tmp_path):
    files = []
    for content in CONTENTS:
        files.append(tmp_path / f"{content['node']}.json")
        files[-1].write_text(json.dumps(content))
    draw_lineages(files, output=tmp_path / "figures" / "lineage.svg")
    text = (tmp_path / "figures" / "lineage.svg").read_text()
    for written in ("eyes, bal. acc.", "age", "not measurable", "finetuned", "random"):
        assert written in text
    assert "identity" not in text
