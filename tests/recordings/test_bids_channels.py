"""Sidecars say which channels are electrodes and where they are, to the inventory and the shards alike."""

import json
import math
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import mne
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mne.transforms import apply_trans, get_ras_to_neuromag_trans
from scipy.spatial.transform import Rotation

from cerebro.recordings.bids import scan
from cerebro.recordings.failures import BrokenRecording
from cerebro.recordings.headers import read_headers
from cerebro.recordings.signals import open_raw

WriteSignals = Callable[..., Path]
NAMES = (
    *("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz"),
    *("C4", "T8", "P7", "P3", "Pz", "P4", "P8", "O1", "O2"),
)
LABELS = tuple(f"chan{number}" for number in range(1, len(NAMES) + 1))
FILE = "sub-01/ses-a/eeg/sub-01_ses-a_task-rest_eeg.edf"


def table(path: Path, header: str, rows: list[tuple[object, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(header.split()), *("\t".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def verdict(path: Path) -> tuple[str, ...]:
    """Electrodes of a recording, or why there are none: the inventory's word, which must be the shards'."""
    (header,) = read_headers([path])
    if header.status == "ok":
        assert tuple(open_raw(path).ch_names) == header.channels
        return header.channels
    assert header.status == "quarantined"
    with pytest.raises(BrokenRecording) as raised:
        open_raw(path)
    assert " ".join(str(raised.value).split()) == header.reason
    return (header.reason,)


MONTAGE = mne.channels.make_standard_montage("colin27_1020").get_positions()
TO_HEAD = get_ras_to_neuromag_trans(MONTAGE["nasion"], MONTAGE["lpa"], MONTAGE["rpa"])
"""From MNI space to x through the ears, y through the nose, m."""


def electrodes_in_head() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Positions and landmarks, m, x to the right ear, y to the nose."""
    places = {
        label: apply_trans(TO_HEAD, MONTAGE["ch_pos"][name])
        for label, name in zip(LABELS, NAMES, strict=True)
    }
    return places, {key: apply_trans(TO_HEAD, MONTAGE[key]) for key in ("nasion", "lpa", "rpa")}


def write_positions(
    folder: Path, places: Mapping[str, np.ndarray], frame: Mapping[str, object], *, name: str = "sub-01_ses-a"
) -> None:
    rows = [(label, *(f"{value:.6f}" for value in place), "gel") for label, place in places.items()]
    table(folder / f"{name}_electrodes.tsv", "name x y z type", [*rows, ("GND", "n/a", "n/a", "n/a", "gel")])
    (folder / f"{name}_coordsystem.json").write_text(json.dumps(frame))


def test_the_nearest_table_of_channels_alone_says_which_are_eeg(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    path = write_signals(tmp_path / FILE, ["Fp1", "Cz", "O1", "M1", "EYE"])
    assert verdict(path) == ("Fp1", "Cz", "O1", "M1")
    table(tmp_path / "task-rest_channels.tsv", "name type", [("M1", "MISC"), ("Cz", "EEG")])
    assert verdict(path) == ("Fp1", "Cz", "O1")
    table(path.parents[1] / "sub-01_ses-a_channels.tsv", "name type", [("O1", "EOG")])
    assert verdict(path) == ("Fp1", "Cz", "M1")
    table(path.parent / "sub-01_ses-a_task-sleep_channels.tsv", "name type", [("Fp1", "EOG")])
    assert verdict(path) == ("Fp1", "Cz", "M1")


def test_bad_channels_are_named_and_their_signals_stay(tmp_path: Path, write_signals: WriteSignals) -> None:
    path = write_signals(tmp_path / FILE, ["Fp1", "EEG T3-REF", "O1", "EOG"])
    before = open_raw(path).get_data()
    rows = [("Fp1", "EEG", "good"), ("EEG T3-REF", "EEG", "BAD"), ("EOG", "EOG", "bad"), ("X", "EEG", "bad")]
    table(tmp_path / "task-rest_channels.tsv", "name type status", rows)
    raw = open_raw(path)
    assert raw.info["bads"] == ["T7"]
    np.testing.assert_array_equal(raw.get_data(), before)


def test_the_file_s_own_bad_channels_count_where_no_table_judges(tmp_path: Path) -> None:
    path = tmp_path / "sub-01/eeg/sub-01_task-rest_eeg.fif"
    path.parent.mkdir(parents=True)
    info = mne.create_info(["EEG FP1-REF", "Cz", "O1", "EKG"], 100, "eeg")
    info["bads"] = ["EEG FP1-REF", "EKG"]
    noise = np.random.default_rng(0).normal(0, 2e-5, (4, 1000))
    mne.io.RawArray(noise, info, verbose="error").save(path, verbose="error")
    assert open_raw(path).info["bads"] == ["Fp1"]
    table(tmp_path / "task-rest_channels.tsv", "name status", [("O1", "bad")])
    assert open_raw(path).info["bads"] == ["O1"]


def test_a_unit_of_the_table_counts_where_the_file_states_none(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    path = write_signals(tmp_path / FILE, ["Fp1", "Cz", "O1"])
    volts = open_raw(path).get_data()
    units = "name units"
    table(tmp_path / "task-rest_channels.tsv", units, [("Fp1", "mV"), ("Cz", "mV"), ("O1", "mV")])
    np.testing.assert_array_equal(open_raw(path).get_data(), volts)
    path.write_bytes(path.read_bytes().replace(b"uV      ", b"        "))  # no unit in the header
    np.testing.assert_allclose(open_raw(path).get_data(), volts * 1000)
    table(tmp_path / "task-rest_channels.tsv", units, [("Fp1", "µV"), ("Cz", "microV"), ("O1", "bananas")])
    assert verdict(path) == ("Fp1", "Cz")
    np.testing.assert_allclose(open_raw(path).get_data(), volts[:2])
    table(tmp_path / "task-rest_channels.tsv", units, [(name, "bananas") for name in ("Fp1", "Cz", "O1")])
    assert "'bananas', which is no unit of voltage that is understood: Fp1, Cz, O1" in verdict(path)[0]


def ctf(place: np.ndarray) -> np.ndarray:
    return np.array([place[1] + 0.01, 0.002 - place[0], place[2] - 0.02])


def mni(place: np.ndarray) -> np.ndarray:
    return apply_trans(np.linalg.inv(TO_HEAD), place)


@pytest.mark.parametrize(
    ("frame", "unit", "scale", "into"),
    [
        ("CapTrak", "m", 1, np.array),
        ("ElektaNeuromag", "cm", 100, np.array),
        ("CTF", "mm", 1000, ctf),
        ("EEGLAB", "cm", 100, ctf),
        ("MNI152NLin2009aSym", "mm", 1000, mni),
    ],
)
def test_positions_name_electrodes_whose_labels_say_nothing(
    tmp_path: Path,
    write_signals: WriteSignals,
    frame: str,
    unit: str,
    scale: float,
    into: Callable[[np.ndarray], np.ndarray],
) -> None:
    path = write_signals(tmp_path / FILE, [*LABELS, "EXTRA"])
    assert "none of its labels is a known electrode" in verdict(path)[0]
    places = {label: into(place) * scale for label, place in electrodes_in_head()[0].items()}
    write_positions(path.parents[1], places, {"EEGCoordinateSystem": frame, "EEGCoordinateUnits": unit})
    assert verdict(path) == NAMES
    (header,) = read_headers([path])
    assert header.left_out == ("EXTRA",)


@pytest.mark.parametrize("seed", range(5))
def test_landmarks_tell_any_frame(tmp_path: Path, write_signals: WriteSignals, seed: int) -> None:
    print("seed", seed)
    rng = np.random.default_rng(seed)
    turn, shift = Rotation.random(random_state=seed), rng.normal(0, 0.1, 3)
    places, landmarks = electrodes_in_head()
    path = write_signals(tmp_path / FILE, LABELS)
    frame = {
        "EEGCoordinateSystem": "Other",
        "EEGCoordinateUnits": "mm",
        "AnatomicalLandmarkCoordinates": {
            key: [*(turn.apply(landmarks[name]) + shift)]
            for key, name in (("NAS", "nasion"), ("LPA", "lpa"), ("RPA", "rpa"))
        },
        "AnatomicalLandmarkCoordinateSystem": "Other",
        "AnatomicalLandmarkCoordinateUnits": "m",
    }
    turned = {label: (turn.apply(place) + shift) * 1000 for label, place in places.items()}
    write_positions(path.parent, turned, frame)
    assert verdict(path) == NAMES


def test_labels_that_are_known_win_over_positions(tmp_path: Path, write_signals: WriteSignals) -> None:
    path = write_signals(tmp_path / FILE, NAMES)
    wrong = dict(zip(NAMES, reversed(electrodes_in_head()[0].values()), strict=True))
    write_positions(path.parent, wrong, {"EEGCoordinateSystem": "CapTrak", "EEGCoordinateUnits": "m"})
    assert verdict(path) == NAMES


def test_of_two_tables_the_one_in_a_known_frame_is_taken(tmp_path: Path, write_signals: WriteSignals) -> None:
    path = write_signals(tmp_path / FILE, LABELS)
    places, _ = electrodes_in_head()
    other = {"EEGCoordinateSystem": "Other", "EEGCoordinateUnits": "m"}
    write_positions(path.parent, places, other, name="sub-01_ses-a_space-A")
    known = {"EEGCoordinateSystem": "CapTrak", "EEGCoordinateUnits": "m"}
    write_positions(path.parent, places, known, name="sub-01_ses-a_space-CapTrak")
    assert verdict(path) == NAMES


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (
            {"EEGCoordinateSystem": "CapTrak", "EEGCoordinateUnits": "inch"},
            "positions in 'inch' .*m, cm and mm",
        ),
        ({"EEGCoordinateSystem": "CapTrak"}, "positions in 'n/a' .*m, cm and mm"),
        (
            {"EEGCoordinateSystem": "Other", "EEGCoordinateUnits": "m"},
            "frame 'Other', whose axes are not known",
        ),
        ({"EEGCoordinateUnits": "m"}, "frame 'n/a', whose axes are not known without landmarks"),
        ([], "holds no object of JSON"),
        (None, "no coordsystem.json says in which frame"),
    ],
)
def test_positions_in_an_unknown_frame_or_unit_are_refused(
    tmp_path: Path, write_signals: WriteSignals, frame: object, sentence: str
) -> None:
    path = write_signals(tmp_path / FILE, LABELS)
    write_positions(path.parent, electrodes_in_head()[0], {})
    coordsystem = path.parent / "sub-01_ses-a_coordsystem.json"
    coordsystem.unlink()
    if frame is not None:
        coordsystem.write_text(json.dumps(frame))
    (said,) = verdict(path)
    assert re.search(sentence, said), said


def test_positions_that_are_no_head_or_too_few_are_refused(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    path = write_signals(tmp_path / FILE, LABELS)
    known = {"EEGCoordinateSystem": "CapTrak", "EEGCoordinateUnits": "m"}
    places, _ = electrodes_in_head()
    write_positions(path.parent, dict(list(places.items())[:7]), known)
    assert "only 7 of its EEG channels have a position" in verdict(path)[0]
    write_positions(path.parent, {label: place * [0.1, 1, 1] for label, place in places.items()}, known)
    assert "not those of electrodes around a head" in verdict(path)[0]
    table(path.parent / "sub-01_ses-a_electrodes.tsv", "name x y", [("chan1", 0, 0)])
    assert "lacks a row, or one of the columns name, x, y and z" in verdict(path)[0]


def test_a_header_is_read_again_when_an_inherited_sidecar_changed(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    path, state = write_signals(tmp_path / "data" / FILE, LABELS), tmp_path / "state"
    frame = {"EEGCoordinateSystem": "Other", "EEGCoordinateUnits": "m"}
    write_positions(tmp_path / "data", electrodes_in_head()[0], frame, name="task-rest")
    (header,) = read_headers([path], state=state)
    assert header.status == "quarantined"
    (tmp_path / "data/task-rest_coordsystem.json").write_text(
        json.dumps({"EEGCoordinateSystem": "CapTrak", "EEGCoordinateUnits": "m"})
    )
    (header,) = read_headers([path], state=state)
    assert header.channels == NAMES
    table(tmp_path / "data/channels.tsv", "name type", [("chan1", "EOG")])
    (header,) = read_headers([path], state=state)
    assert header.channels == NAMES[1:]


TEXTS = (
    b"n/a",
    b"\t",
    b"\n",
    b"\r",
    b"{",
    b"}",
    b'"',
    b"[",
    b"0",
    b"1e999",
    b"nan",
    b"\x00",
    b"\xff",
    b"mm",
    b"bad",
)
SIDECARS = (
    "task-rest_channels.tsv",
    "task-rest_electrodes.tsv",
    "task-rest_coordsystem.json",
    "task-rest_eeg.json",
)


@settings(max_examples=150, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
@given(
    file=st.sampled_from(SIDECARS),
    edits=st.lists(
        st.tuples(st.floats(0, 1), st.sampled_from(TEXTS) | st.binary(min_size=1, max_size=6), st.booleans()),
        min_size=1,
        max_size=4,
    ),
)
def test_no_content_of_a_sidecar_raises_and_both_steps_come_to_one_verdict(
    tmp_path_factory: pytest.TempPathFactory,
    write_signals: WriteSignals,
    file: str,
    edits: list[tuple[float, bytes, bool]],
) -> None:
    root = tmp_path_factory.mktemp("data")
    path = write_signals(root / FILE, LABELS)
    places, landmarks = electrodes_in_head()
    points = {"NAS": "nasion", "LPA": "lpa", "RPA": "rpa"}
    frame = {
        "EEGCoordinateSystem": "Other",
        "EEGCoordinateUnits": "m",
        "AnatomicalLandmarkCoordinates": {key: [*landmarks[name]] for key, name in points.items()},
    }
    write_positions(root, places, frame, name="task-rest")
    rows = [(label, "EEG", "µV", "good") for label in LABELS]
    table(root / "task-rest_channels.tsv", "name type units status", rows)
    (root / "task-rest_eeg.json").write_text('{"PowerLineFrequency": 50, "EEGReference": "Cz"}')
    assert verdict(path) == NAMES
    content = (root / file).read_bytes()
    for place, text, replaces in edits:
        at = int(place * len(content))
        content = content[:at] + text + content[at + len(text) * replaces :]
    (root / file).write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (one,) = scan([root])
    assert math.isnan(one.mains_hz) or one.mains_hz in (50, 60)
    verdict(path)
