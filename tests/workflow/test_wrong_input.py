"""A mistake gets one sentence on the terminal before anything runs, and no traceback."""

from typing import Any

import pytest

MISTAKES = {
    "an unknown key": (
        {"phases": {"pretrain": {"learning_rat": 1}}},
        "configuration: unknown key 'phases.pretrain.learning_rat'; did you mean 'learning_rate'?",
    ),
    "a missing folder": (
        {"datasets": {"hbn": {"roots": ["data/nowhere"]}}},
        "configuration: datasets.hbn.roots: there is no folder data/nowhere",
    ),
    "a phase that starts from a phase that does not exist": (
        {"phases": {"contrast": {"init": "pretrian"}}},
        "configuration: phases.contrast.init: there is no phase 'pretrian'; did you mean 'pretrain'?",
    ),
    "a cycle": (
        {"phases": {"pretrain": {"init": "contrast"}}},
        "configuration: phases: pretrain -> contrast -> pretrain is a cycle",
    ),
}


@pytest.mark.parametrize(("overlay", "sentence"), MISTAKES.values(), ids=list(MISTAKES))
def test_a_mistake_gets_one_sentence(overlay: dict[str, Any], sentence: str, empty: Any) -> None:
    done = empty.snakemake("submission", overlay=overlay)
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if not line.startswith(("Using ", "Config file "))]
    assert said == [f"cerebro: {sentence}"]
    assert not (empty.folder / "results").exists()
