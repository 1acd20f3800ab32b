import numpy as np
import pytest

from cerebro.errors import UserError
from cerebro.recordings.montages import (
    LAYOUTS,
    canonical_name,
    canonical_order,
    layout_positions,
    positions,
)

# The neighbours that the literature gives (Luu & Ferree 2005).
NEIGHBOURS = {
    **{"Fp1": "E22", "Fp2": "E9", "F7": "E33", "F3": "E24", "Fz": "E11", "F4": "E124", "F8": "E122"},
    **{"T7": "E45", "C3": "E36", "Cz": "Cz", "C4": "E104", "T8": "E108"},
    **{"P7": "E58", "P3": "E52", "Pz": "E62", "P4": "E92", "P8": "E96", "O1": "E70", "O2": "E83"},
}


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("EEG FP1-REF", "Fp1"),
        ("EEG T3-LE", "T7"),
        ("EEG T4-REF", "T8"),
        ("EEG T5-REF", "P7"),
        ("EEG T6-REF", "P8"),
        ("EEG CZ-REF", "Cz"),
        ("EEG A1-REF", "A1"),
        ("FPz", "Fpz"),
        ("oz", "Oz"),
        ("E1", "E1"),
        ("E128", "E128"),
        ("E129", "Cz"),
        ("EEG EKG1-REF", None),
        ("EEG 26-REF", None),
        ("PHOTIC-REF", None),
        ("IBI", None),
        ("BURSTS", None),
        ("EMG-REF", None),
        ("EEG FP1-F7", None),
        ("E130", None),
        ("Status", None),
        ("", None),
    ],
)
def test_a_label_becomes_its_electrode_or_nothing(label: str, name: str | None) -> None:
    assert canonical_name(label) == name


def test_every_electrode_of_the_ten_twenty_system_lies_within_16_degrees_of_its_hydrocel_neighbour() -> None:
    ten_twenty, net = positions(NEIGHBOURS), positions(NEIGHBOURS.values())
    degrees = np.degrees(np.arccos(np.clip((ten_twenty * net).sum(axis=1), -1, 1)))
    assert dict(zip(NEIGHBOURS, degrees > 16, strict=True)) == dict.fromkeys(NEIGHBOURS, False)
    assert degrees.mean() < 8


def test_axes_point_right_front_and_up_in_both_montages() -> None:
    right, left = positions(["T8", "E108"]), positions(["T7", "E45"])
    front, back, top = positions(["Fpz", "E15"]), positions(["Oz", "E75"]), positions(["Cz"])
    assert (right[:, 0] > 0.9).all()
    assert (left[:, 0] < -0.9).all()
    assert (front[:, 1] > 0.9).all()
    assert (back[:, 1] < -0.9).all()
    assert top[0, 2] > 0.99


def test_positions_are_float32_on_the_unit_sphere() -> None:
    for layout, names in LAYOUTS.items():
        places = layout_positions(layout)
        assert places.shape == (len(names), 3)
        assert places.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(places, axis=1), 1, atol=1e-6)
    assert positions([]).shape == (0, 3)


def test_left_and_right_mirror_each_other() -> None:
    left = positions(["Fp1", "F3", "C3", "P3", "O1", "F7", "T7", "P7"])
    right = positions(["Fp2", "F4", "C4", "P4", "O2", "F8", "T8", "P8"])
    np.testing.assert_allclose(left * [-1, 1, 1], right, atol=0.08)


def test_the_layouts_are_the_21_electrodes_with_earlobes_and_the_128_of_the_net() -> None:
    assert len(set(LAYOUTS["ten_twenty"])) == 21
    assert {"A1", "A2"} < set(LAYOUTS["ten_twenty"])
    assert set(NEIGHBOURS) < set(LAYOUTS["ten_twenty"])
    assert LAYOUTS["hbn_128"] == tuple(f"E{number}" for number in range(1, 129))


def test_the_net_is_ordered_as_the_scorer_hands_it_over() -> None:
    net = [*LAYOUTS["hbn_128"], "Cz"]
    assert canonical_order(reversed(net)) == net


def test_an_unknown_electrode_is_named_in_the_error() -> None:
    with pytest.raises(UserError, match="EKG1"):
        positions(["Cz", "EKG1"])
    with pytest.raises(UserError, match="ten_twenty"):
        layout_positions("biosemi")
