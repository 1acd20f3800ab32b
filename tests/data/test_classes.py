"""Classes of labels as codes."""

import numpy as np
import pandas as pd
import pytest

from cerebro.config import PersonLabel
from cerebro.data.classes import coded, training_classes
from cerebro.errors import UserError

INDEX = pd.DataFrame(
    {
        "split": ["train", "train", "train", "validation"],
        "keep": [True, True, False, True],
        "group": ["control", "", "control", "epilepsy"],
        "site": ["B", "A", "C", "D"],
    }
)
LABELS = {
    "group": PersonLabel(of="person", column="group", classes=["epilepsy", "control"]),
    "site": PersonLabel(of="person", column="site", classes="all"),
    "age": PersonLabel(of="person", column="age"),
}


def test_codes_are_in_declared_order_or_sorted_as_kept_training_windows_have_them():
    assert training_classes(INDEX, LABELS, LABELS) == {"group": ("epilepsy", "control"), "site": ("A", "B")}


def test_what_is_unknown_or_no_class_becomes_nan():
    found = coded(INDEX, training_classes(INDEX, ["group", "site"], LABELS))
    np.testing.assert_array_equal(found["group"], [1, np.nan, 1, 0])
    np.testing.assert_array_equal(found["site"], [1, 0, np.nan, np.nan])


def test_a_label_of_all_values_that_has_one_in_training_says_so():
    with pytest.raises(UserError, match=r"label 'site' takes every value as a class.* have A only"):
        training_classes(INDEX.assign(site="A"), ["site"], LABELS)
