import numpy as np
import pandas as pd
import pytest

from cerebro.scoring.smoothing import smoothed

ANSWERS = pd.DataFrame(
    {
        "recording": ["a", "a", "a", "a", "b", "b"],
        "onset": [0.0, 2.0, 4.0, 6.0, 0.0, 2.0],
        "prediction": [1.0, 2.0, 6.0, 4.0, 100.0, 200.0],
    }
).eval("unshrunk = 2 * prediction")
BY_HAND = {1: [1, 2, 6, 4, 100, 200], 3: [1.5, 3, 4, 5, 150, 150], 5: [3, 13 / 4, 13 / 4, 4, 150, 150]}


@pytest.mark.parametrize("windows", sorted(BY_HAND))
def test_means_are_those_calculated_by_hand_and_never_cross_recordings(windows: int) -> None:
    found = smoothed(ANSWERS, windows)
    assert found["prediction"].tolist() == pytest.approx(BY_HAND[windows])
    assert found["unshrunk"].tolist() == pytest.approx([2 * mean for mean in BY_HAND[windows]])


def test_the_order_of_rows_does_not_matter_and_is_kept() -> None:
    """Neighbours are those in time, wherever they stand in the table."""
    print("seed 4")
    order = np.random.default_rng(4).permutation(len(ANSWERS))
    mixed = ANSWERS.iloc[order].reset_index(drop=True)
    found = smoothed(mixed, 3)
    assert found[["recording", "onset"]].equals(mixed[["recording", "onset"]])
    assert found["prediction"].tolist() == pytest.approx(np.array(BY_HAND[3])[order].tolist())
