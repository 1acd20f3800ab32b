"""Which system a file's labels belong to: all of them decide, and what nobody knows is refused or told."""

from collections.abc import Callable
from pathlib import Path

import mne
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cerebro.recordings.electrodes import NoElectrodes, eeg_labels, electrodes, left_out, listed
from cerebro.recordings.montages import nearest_names, positions
from cerebro.recordings.signals import open_raw

WriteSignals = Callable[..., Path]

TUH = [
    *("FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T3", "T4", "T5", "T6"),
    *("FZ", "CZ", "PZ", "A1", "A2"),
]
TUH_OTHERS = (
    *(
        "EEG EKG1-REF",
        "ECG EKG-REF",
        "EMG-REF",
        "PHOTIC-REF",
        "IBI",
        "BURSTS",
        "SUPPR",
        "PULSE RATE",
        "DC1-DC",
    ),
    *(
        f"EEG {name}-REF"
        for name in ("26", "27", "LOC", "ROC", "SP1", "T1", "T2", "PG1", "C3P", "RESP1", "LUC")
    ),
)
EMOTIV = ["AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4"]
MUSE = ["TP9", "AF7", "AF8", "TP10"]
NET = [*(f"E{number}" for number in range(1, 129)), "Cz"]

NAMED = {
    "tuh": TUH,
    "emotiv": EMOTIV,
    "muse": MUSE,
    "hydrocel": NET,
    **{
        template: mne.channels.make_standard_montage(template).ch_names
        for template in ("biosemi16", "biosemi32", "biosemi64", "spherical_1020", "spherical_1010")
    },
    "easycap": mne.channels.make_standard_montage("easycap-M1").ch_names,
    "brainproducts": mne.channels.make_standard_montage("brainproducts-RNP-BA-128").ch_names,
    "ten_five": mne.channels.make_standard_montage("fsaverage_1005").ch_names,
}
OLD_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8", "O9": "I1", "O10": "I2"}


def lettered(letters: str, size: int) -> list[str]:
    return [f"{letter}{number}" for letter in letters for number in range(1, size + 1)]


CAPS = {128: lettered("ABCD", 32), 160: lettered("ABCDE", 32), 256: lettered("ABCDEFGH", 32)}


def decorated(labels: list[str], random: np.random.Generator) -> list[str]:
    """Spell the labels of a file as archives do."""
    prefix = random.choice(["", "EEG ", "EEG-", "eeg "])
    suffix = random.choice(["", "-REF", "-LE", "-AR", "-Ref", ".", ".."])
    case = [str, str.upper, str.lower][random.integers(3)]
    padded = random.random() < 0.3
    spelt = []
    for label in labels:
        name = case(label)
        if padded and name[-1:].isdigit():
            name = f"{name.rstrip('0123456789')}{int(''.join(c for c in name if c.isdigit())):03d}"
        spelt.append(f"{prefix}{name}{suffix}")
    return spelt


@pytest.mark.parametrize("system", NAMED)
def test_any_part_of_a_known_montage_is_itself_however_it_is_spelt(system: str) -> None:
    for seed in range(40):
        random = np.random.default_rng(seed)
        names = NAMED[system]
        size = random.integers(min(len(names), 8), len(names) + 1)
        chosen = [str(name) for name in random.permutation(names)[:size]]
        labels = decorated(chosen, random)
        found = electrodes([*labels, "Status", "EKG1"])
        expected = [OLD_NAMES.get(name.upper(), name).upper() for name in chosen]
        assert [found[label].upper() for label in labels] == expected, f"seed {seed}"


@pytest.mark.parametrize("size", CAPS)
def test_electrodes_of_a_biosemi_cap_lie_where_that_cap_has_them(size: int) -> None:
    template = mne.channels.make_standard_montage(f"biosemi{size}").get_positions()["ch_pos"]
    for seed in range(10):
        random = np.random.default_rng(seed)
        last = [label for label in CAPS[size] if label.endswith("32")]
        others = [str(label) for label in random.permutation([one for one in CAPS[size] if one not in last])]
        chosen = last + others[: random.integers(size // 2, size - len(last) + 1)]
        labels = decorated(chosen, random)
        found = electrodes(labels)
        places = np.array([template[label] for label in chosen])
        places -= (np.max(list(template.values()), 0) + np.min(list(template.values()), 0)) * [0.5, 0.5, 0]
        places[:, 2] -= max(place[2] for place in template.values()) - 0.095  # the top of the cap's sphere
        directions = places / np.linalg.norm(places, axis=1, keepdims=True)
        turned, distance = Rotation.align_vectors(positions(found.values()), directions)
        assert np.sqrt(distance**2 / len(chosen)) < 0.02, f"seed {seed}"
        assert np.degrees(turned.magnitude()) < 15
        assert left_out(labels, found) == ()


def test_smaller_biosemi_caps_are_known_by_the_order_of_their_numbers() -> None:
    assert list(electrodes(lettered("AB", 32)).values()) == NAMED["biosemi64"]
    for size in (16, 32):
        labels = lettered("A", size)
        assert list(electrodes([*labels, "EXG1", "Status"]).values()) == NAMED[f"biosemi{size}"]
        with pytest.raises(NoElectrodes, match=rf"A1 to A{size}"):  # as well a strip on the cortex
            electrodes(labels)


def test_letters_of_a_biosemi_cap_are_no_earlobes_and_no_places_of_the_ten_twenty_system(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    opened = open_raw(write_signals(tmp_path / "a.bdf", [*CAPS[128], "Status"]))
    assert opened.ch_names == [f"BioSemi128-{label}" for label in CAPS[128]]
    top, forehead, back = positions(["BioSemi128-A1", "BioSemi128-C17", "BioSemi128-A23"])
    assert (top @ positions(["Cz"])[0], forehead @ positions(["Fpz"])[0], back @ positions(["Oz"])[0]) > (
        0.96,
    ) * 3
    with pytest.raises(NoElectrodes):  # a cap of another maker, or half of one
        electrodes(lettered("ABC", 32))
    with pytest.raises(NoElectrodes):  # nobody knows if the electrodes of E belong to a cap of 160
        electrodes([*CAPS[128], *lettered("E", 8)])


@pytest.mark.parametrize("gaps", [0.0, 0.05])
def test_contacts_of_implanted_electrodes_are_no_eeg(gaps: float) -> None:
    letters = [
        *"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "FP",
        "AF",
        "FC",
        "CP",
        "PO",
        "TP",
        "FT",
        "LA",
        "RH",
        "A'",
        "T'",
    ]
    mapped = []
    for seed in range(2000):
        random = np.random.default_rng(seed)
        shafts = random.choice(letters, random.integers(1, 14), replace=False)
        labels = [
            f"{shaft}{number}"
            for shaft in shafts
            for number in range(1, random.integers(5, 20))
            if random.random() >= gaps
        ]
        try:
            found = electrodes([*decorated(labels, random), *["EKG1", "DC1"][: random.integers(3)]])
        except NoElectrodes:
            continue
        mapped.append((seed, sorted(found.values())))
    assert len(mapped) <= 4 * (gaps > 0), mapped[:3]


def test_a_grid_is_refused_in_one_sentence_that_lists_its_labels(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    path = write_signals(tmp_path / "a.edf", lettered("ABCDEFGH", 16))
    with pytest.raises(
        NoElectrodes, match=r"no EEG channel.*not understood: A1 to A16, B1 to B16.* H1 to H16\)"
    ) as it:
        open_raw(path)
    assert "\n" not in str(it.value)


def test_a_few_matching_names_among_many_others_are_not_enough() -> None:
    with pytest.raises(
        NoElectrodes, match=r"only 2 of its 62 labels are known electrodes \(not understood: chan1 to"
    ):
        electrodes(["Cz", "Fz", *(f"chan{number}" for number in range(1, 61))])
    with pytest.raises(NoElectrodes, match="not understood: D1, S1 to S8"):
        electrodes(["D1", *lettered("S", 8)])


def test_what_a_known_montage_does_not_have_is_left_out_and_told() -> None:
    labels = [*NAMED["biosemi64"], "CB1", "CB2", "HEO", "VEO", "EKG", "Trigger"]
    found = electrodes(labels)
    assert list(found.values()) == NAMED["biosemi64"]
    assert left_out(labels, found) == ("CB1", "CB2")
    depth = [*TUH, *lettered("B", 8), "A3", "A4", "A5"]  # then A1 and A2 are a shaft's too
    assert left_out(depth, electrodes(depth)) == ("A1", "A2", *lettered("B", 8), "A3", "A4", "A5")


def test_clinical_recordings_keep_their_electrodes_whatever_lies_beside_them() -> None:
    labels = [*(f"EEG {name}-REF" for name in TUH), *TUH_OTHERS]
    found = electrodes(labels)
    assert [name.upper() for name in found.values()] == [OLD_NAMES.get(name, name) for name in TUH]
    assert left_out(labels, found) == ()
    sleep = ["E1", "E2", "F3", "C4", "O1", "M1", "M2", "Chin1", "Leg/L", "Airflow", "SaO2", "ECG"]
    assert list(electrodes(sleep).values()) == ["F3", "C4", "O1", "M1", "M2"]
    assert left_out(sleep, electrodes(sleep)) == ()
    assert list(electrodes(["C3", "C4"]).values()) == ["C3", "C4"]
    assert list(electrodes(["FC1", "FC2", "FC5", "FC6", "CP1", "CP2"])) == [
        "FC1",
        "FC2",
        "FC5",
        "FC6",
        "CP1",
        "CP2",
    ]


def test_a_net_with_leading_zeros_keeps_its_128_electrodes(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    labels = [f"E{number:03d}" for number in range(1, 129)]
    assert open_raw(write_signals(tmp_path / "a.edf", labels)).ch_names == NET[:-1]


@pytest.mark.parametrize("labels", [lettered("E", 12), lettered("E", 64), lettered("E", 256)])
def test_numbers_of_another_net_or_of_a_shaft_are_not_those_of_the_net_of_128(labels: list[str]) -> None:
    with pytest.raises(NoElectrodes, match=r"no EEG channel: .*E\d+"):
        electrodes(labels)


@pytest.mark.parametrize(
    ("template", "fewest"),
    [("GSN-HydroCel-129", 129), ("biosemi128", 128), ("biosemi256", 256), ("colin27_1020", 88)],
)
def test_places_name_the_electrodes_of_the_system_that_they_fit(template: str, fewest: int) -> None:
    places = np.array(list(mne.channels.make_standard_montage(template).get_positions()["ch_pos"].values()))
    named = [name for name in nearest_names(places) if name is not None]
    assert len(named) == len(set(named)) >= fewest


def test_places_in_a_brain_or_on_one_side_of_it_name_no_electrode() -> None:
    for seed in range(20):
        random = np.random.default_rng(seed)
        depth = random.uniform(-0.07, 0.07, (60, 3))
        assert nearest_names(depth) == [None] * 60, f"seed {seed}"
    across, along = np.meshgrid(np.linspace(-0.5, 0.5, 8), np.linspace(-0.5, 0.5, 8))
    grid = 0.09 * np.stack([np.cos(across) * np.cos(along), np.sin(along), np.sin(across)], -1).reshape(-1, 3)
    assert nearest_names(grid) == [None] * 64


def test_a_file_that_calls_its_channels_implanted_holds_no_eeg(tmp_path: Path) -> None:
    def fif(name: str, kinds: list[str]) -> Path:
        info = mne.create_info(["Fp1", "C3", "C4", "O1"], 100, kinds)
        mne.io.RawArray(np.zeros((4, 500)), info, verbose="error").save(tmp_path / name, verbose="error")
        return tmp_path / name

    assert open_raw(fif("a_raw.fif", ["eeg", "seeg", "eeg", "eog"])).ch_names == ["Fp1", "C4"]
    with pytest.raises(ValueError, match="no EEG channel: its channels are said to be seeg"):
        open_raw(fif("b_raw.fif", ["seeg"] * 4))
    raw = mne.io.RawArray(np.zeros((1, 9)), mne.create_info(["C3"], 100, "ecog"), verbose="error")
    with pytest.raises(NoElectrodes):
        eeg_labels(raw)


def test_places_of_implanted_contacts_do_not_make_them_electrodes(tmp_path: Path) -> None:
    cap = mne.channels.make_standard_montage("biosemi32")
    names = lettered("AB", 16)  # of a file that has the places of a cap, for whatever reason
    kinds = {kind: mne.create_info(names, 100, kind) for kind in ("eeg", "seeg")}
    places = dict(zip(names, cap.get_positions()["ch_pos"].values(), strict=True))
    fiducials = {name: cap.get_positions()[name] for name in ("nasion", "lpa", "rpa")}
    for kind, info in kinds.items():
        raw = mne.io.RawArray(np.zeros((32, 500)), info, verbose="error")
        raw.set_montage(mne.channels.make_dig_montage(places, **fiducials, coord_frame="unknown"))
        raw.save(tmp_path / f"{kind}_raw.fif", verbose="error")
    assert len(open_raw(tmp_path / "eeg_raw.fif").ch_names) == 32
    with pytest.raises(ValueError, match="said to be seeg"):
        open_raw(tmp_path / "seeg_raw.fif")


def test_labels_are_listed_with_their_running_numbers_drawn_together() -> None:
    assert (
        listed(["A1", "A2", "B1", "E001", "E002", "E003", "EEG 26-REF"])
        == "A1, A2, B1, E001 to E003, EEG 26-REF"
    )
    assert listed([]) == ""
