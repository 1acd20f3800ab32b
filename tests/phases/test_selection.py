"""The epoch that is kept is the best at what its kind of phase is for."""

import pandas as pd
import pytest

from cerebro.files import read_json
from cerebro.phases.run import KINDS
from cerebro.phases.selection import SELECTIONS

CHANGES = {
    "tokenizer": {"epochs": 4},
    "pretrain": {"epochs": 4, "auxiliary_weight": 3.0, "learning_rate": 2e-2},
    "contrast": {"epochs": 6, "learning_rate": 2e-2, "batch_size": 24},
    "reaction_time": {"epochs": 4, "learning_rate": 2e-2},
}


def test_every_kind_of_phase_declares_what_selects():
    assert SELECTIONS.keys() == KINDS.keys()


def test_the_first_of_equals_is_the_best_by_the_direction_of_the_metric():
    """InfoNCE is least after the first epoch here, while retrieval rises until the third."""
    history = pd.DataFrame(
        {
            "epoch": [0, 1, 2, 3, 4],
            "val/loss": [3, 1, 2, 4, 5],
            "val/retrieval_top1": [0.1, 0.3, 0.5, 0.6, 0.6],
        }
    )
    assert SELECTIONS["contrast"].best(history)["epoch"] == 3
    assert SELECTIONS["finetune"].best(history)["epoch"] == 1


@pytest.mark.parametrize("node", CHANGES)
def test_the_kept_weights_are_those_of_the_selected_epoch(trained, train, node):
    """What is validated at the end, on the weights that are written, is what the history says of it."""
    folder = train(node, f"{node}_selected", **CHANGES[node])
    selection = SELECTIONS["finetune" if node == "reaction_time" else node]
    history, metrics = pd.read_csv(folder / "history.csv"), read_json(folder / "metrics.json")
    values = history[selection.metric]
    print(history[["epoch", "val/loss", selection.metric]])
    assert metrics["kept_epoch"] == (values.argmin() if selection.mode == "min" else values.argmax())
    kept = history.iloc[int(metrics["kept_epoch"])]
    for name in ("val/loss", selection.metric):
        assert metrics[name] == pytest.approx(kept[name], rel=1e-4)


def test_patience_waits_for_what_selects(train):
    """The loss may get worse for as long as it likes while retrieval, which cannot improve on all, stands."""
    folder = train(
        "contrast", "impatient", epochs=8, patience=2, learning_rate=1e-12, batch_size=24, keep="last"
    )
    history = pd.read_csv(folder / "history.csv")
    assert history["epoch"].tolist() == [0, 1, 2, 3]
