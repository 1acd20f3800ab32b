"""Readouts of states: centred on recordings, and averaged over 20 s."""

import numpy as np
import pandas as pd
import pytest

from cerebro.config import IntervalLabel, RecordingLabel
from cerebro.probes.readouts import centre_of, centred
from cerebro.probes.run import probed, scored
from cerebro.probes.targets import Target

STATE = Target.of("state", IntervalLabel(of="interval", classes=["open", "closed"]))
LOAD = Target.of("load", RecordingLabel(of="recording", entity="task", classes=["rest", "sums"]))
PENALTIES = (1.0, 100.0)


def windows(people: int = 24, per_class: int = 20) -> pd.DataFrame:
    """Two recordings of each person; in each, 40 s of either state, of windows of 2 s."""
    rows = [
        {
            "subject": f"s{person:02}",
            "split": "test" if person % 2 else "validation",
            "recording": f"s{person:02}/{load}",
            "onset": 2.0 * number,
            "state": "open" if number < per_class else "closed",
            "load": load,
        }
        for person in range(people)
        for load in ("rest", "sums")
        for number in range(2 * per_class)
    ]
    return pd.DataFrame(rows).assign(window=np.arange(len(rows)))


def features(table: pd.DataFrame, label: str, *, between: float, seed: int = 4) -> np.ndarray:
    """A weak mark of the label under what tells people apart."""
    print("seed", seed)
    random = np.random.default_rng(seed)
    x = random.normal(size=(len(table), 3))
    person = pd.factorize(table["subject"])[0]
    mark = pd.factorize(table[label])[0] - 0.5
    x[:, 0] += 0.8 * mark + between * random.normal(size=person.max() + 1)[person]
    return x.astype(np.float32)


def test_averaging_over_twenty_seconds_finds_what_single_windows_hardly_show():
    table = windows()
    found = scored(
        probed(STATE, features(table, "state", between=0), table, penalties=PENALTIES), STATE, resamples=100
    )
    window, averaged = found["metrics"]["balanced_accuracy"]["value"], found["readouts"]["averaged"]["value"]
    assert 0.6 < window < 0.75
    assert averaged > 0.85
    assert found["readouts"]["averaged"]["floor"] == 0.5


@pytest.mark.parametrize(("target", "over"), [(STATE, "recording"), (LOAD, "subject")])
def test_centring_takes_off_what_tells_people_apart(target, over):
    """On each recording where the state changes within one, else on the person."""
    table = windows()
    x = features(table, target.label, between=5)
    found = scored(probed(target, x, table, penalties=PENALTIES), target, resamples=100)
    assert found["centred_on"] == over
    assert found["metrics"]["balanced_accuracy"]["value"] < 0.6
    assert found["readouts"]["centred"]["value"] > 0.6
    assert found["readouts"]["centred_averaged"]["value"] > found["readouts"]["centred"]["value"]


def test_features_that_are_centred_have_no_mean_in_any_recording():
    table = windows(people=4)
    x = centred(features(table, "state", between=5), table, "recording")
    assert np.abs(pd.DataFrame(x).groupby(table["recording"]).mean().to_numpy()).max() < 1e-5


def test_where_nobody_has_both_classes_nothing_is_centred():
    table = windows(people=8)
    table["load"] = np.where(table["subject"].isin(["s00", "s01", "s02", "s05"]), "rest", "sums")
    found = probed(LOAD, features(table, "load", between=0), table, penalties=PENALTIES)
    assert found.centred_on is None
    assert set(found.readouts) == {"averaged"}
    assert centre_of(table.assign(truth=table["load"])) is None
