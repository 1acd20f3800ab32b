import mne
import numpy as np
import pytest

from cerebro.simulation.head import NET, TEN_TWENTY, electrode_directions, lead_field

SAME_PLACE = {
    "Fp1": "E22", "Fp2": "E9", "F3": "E24", "F4": "E124", "C3": "E36", "C4": "E104", "P3": "E52",
    "P4": "E92", "O1": "E70", "O2": "E83", "F7": "E33", "F8": "E122", "T7": "E45", "T8": "E108",
    "P7": "E58", "P8": "E96", "Fz": "E11", "Cz": "Cz", "Pz": "E62",
}  # fmt: skip
RADIUS = 0.09


@pytest.fixture
def dipoles():
    rng = np.random.default_rng(0)
    positions, orientations = rng.standard_normal((2, 12, 3))
    positions /= np.linalg.norm(positions, axis=1, keepdims=True)
    orientations /= np.linalg.norm(orientations, axis=1, keepdims=True)
    return positions * rng.uniform(0.2, 0.85, (12, 1)), orientations


def test_the_lead_field_agrees_with_mne_s_sphere_model(dipoles):
    positions, orientations = dipoles
    net = electrode_directions(NET)
    ours = lead_field(
        np.array(list(net.values())), positions=positions, orientations=orientations, radius=RADIUS
    )
    sphere = mne.make_sphere_model(r0=(0, 0, 0), head_radius=RADIUS, verbose="error")
    places = {name: RADIUS * direction for name, direction in net.items()}
    info = mne.create_info(list(net), 100, "eeg")
    info.set_montage(mne.channels.make_dig_montage(places, coord_frame="head"))
    sources = mne.setup_volume_source_space(
        pos={"rr": RADIUS * positions, "nn": orientations}, sphere=sphere, verbose="error"
    )
    forward = mne.make_forward_solution(
        info, mne.transforms.Transform("head", "mri"), sources, sphere, meg=False, verbose="error"
    )
    gains = forward["sol"]["data"].reshape(len(net), len(positions), 3)
    theirs = (gains * orientations).sum(axis=2) * 1e-3  # V per A·m to µV per nA·m
    ours, theirs = ours - ours.mean(axis=0), theirs - theirs.mean(axis=0)
    error = np.linalg.norm(ours - theirs, axis=0) / np.linalg.norm(theirs, axis=0)
    # MNE replaces the shells by three dipoles in one sphere, which costs it some tenths of a percent
    assert error.max() < 0.01


def test_turning_head_and_source_together_changes_nothing(dipoles):
    positions, orientations = dipoles
    electrodes = np.array(list(electrode_directions(TEN_TWENTY).values()))
    turn, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))
    before = lead_field(electrodes, positions=positions, orientations=orientations, radius=RADIUS)
    after = lead_field(
        electrodes @ turn, positions=positions @ turn, orientations=orientations @ turn, radius=RADIUS
    )
    np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-12)


def test_a_smaller_head_shows_the_same_source_more_strongly(dipoles):
    positions, orientations = dipoles
    electrodes = np.array(list(electrode_directions(TEN_TWENTY).values()))
    large = lead_field(electrodes, positions=positions, orientations=orientations, radius=0.09)
    small = lead_field(electrodes, positions=positions, orientations=orientations, radius=0.08)
    np.testing.assert_allclose(small, large * (0.09 / 0.08) ** 2)


def test_a_source_in_the_skull_is_refused():
    with pytest.raises(ValueError, match="outside the brain"):
        lead_field(np.eye(3), positions=0.95 * np.eye(3), orientations=np.eye(3), radius=RADIUS)


def test_both_montages_look_at_the_same_head():
    cap, net = electrode_directions(TEN_TWENTY), electrode_directions(NET)
    angles = [np.degrees(np.arccos(cap[ours] @ net[theirs])) for ours, theirs in SAME_PLACE.items()]
    assert max(angles) < 17
    assert np.mean(angles) < 9
