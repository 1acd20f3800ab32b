"""Probes follow from declarations, whatever the labels are called."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from cerebro.config import AnyLabel
from cerebro.probes.targets import needed_sets, probe_targets

LABELS = TypeAdapter(dict[str, AnyLabel]).validate_python(
    {
        "years": {"of": "person", "column": "age"},
        "diagnosis": {"of": "person", "column": "group", "classes": ["control", "epilepsy"]},
        "load": {"of": "recording", "entity": "task", "classes": "all"},
        "state": {"of": "interval", "classes": ["open", "closed"]},
        "depth": {"of": "interval", "column": "depth"},
        "speed": {"of": "event", "at": "go", "column": "rt", "window": [0, 2], "range": [0, 2]},
        "movie": {"of": "moment", "classes": "all"},
    }
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("years", ("fixed", "regression", "subject", "nrmse")),
        ("diagnosis", ("fixed", "classification", "subject", "balanced_accuracy")),
        ("load", ("fixed", "classification", "window", "balanced_accuracy")),
        ("state", ("state", "classification", "window", "balanced_accuracy")),
        ("depth", ("depth", "regression", "window", "nrmse")),
        ("speed", ("speed", "regression", "window", "nrmse")),
        ("movie", ("movie", "moment", "window", "rank")),
        ("identity", ("fixed", "identity", "window", "accuracy")),
    ],
)
def test_windows_form_unit_and_metric_follow_from_what_a_label_is_of(name: str, expected: Any) -> None:
    target = probe_targets([name], LABELS)[name]
    assert (target.windows, target.form, target.unit, target.metric) == expected


def test_no_names_ask_for_all_labels_and_for_who_it_is() -> None:
    assert list(probe_targets((), LABELS)) == [*LABELS, "identity"]
    assert needed_sets((), LABELS) == ["fixed", "state", "depth", "speed", "movie"]
    assert needed_sets(["movie", "years", "identity"], LABELS) == ["movie", "fixed"]
