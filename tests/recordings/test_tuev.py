"""TUEV's files and annotations, as the corpus has them."""

from pathlib import Path

import numpy as np
import pytest
from edfio import Edf, EdfSignal, Patient

from cerebro.recordings import tuh


def write(path: Path, patient: str, annotations: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).standard_normal(2500)
    signals = [
        EdfSignal(noise, 250, label=f"EEG {name}-REF", physical_range=(-9, 9)) for name in ("FP1", "FP2")
    ]
    Edf(signals, patient=Patient(code=patient, name=patient)).write(path)
    path.with_suffix(".rec").write_text(annotations)
    return path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    write(tmp_path / "edf/train/aaaaaaar/aaaaaaar_00000001.edf", "aaaaaaar", "1,2.0,3.0,2\n")
    write(tmp_path / "edf/eval/032/bckg_032_a_.edf", "aaaaaabs", "1,2.0,3.0,6\n")
    write(tmp_path / "edf/eval/032/bckg_032_a_1.edf", "nobody", "")
    (tmp_path / "edf/eval/032/readme.edf").touch()
    return tmp_path


def test_patients_come_from_names_and_else_from_headers(corpus: Path) -> None:
    found = {recording.path.name: recording for recording in tuh.scan([corpus])}
    subjects = {name: recording.subject for name, recording in found.items()}
    assert subjects == {
        "aaaaaaar_00000001.edf": "aaaaaaar",
        "bckg_032_a_.edf": "aaaaaabs",
        "bckg_032_a_1.edf": "eval032",
    }
    assert len({recording.name for recording in found.values()}) == 3


def test_an_event_on_many_channels_is_one_and_background_stands_alone(corpus: Path) -> None:
    lines = "0,10.5,11.5,2\n3,10.5,11.5,2\n4,10.5,11.5,6\n4,12,13,6\n5,12,13,6\n0,20,21,1\n1,20,21,5\n"
    path = write(corpus / "edf/train/aaaaaaar/aaaaaaar_00000002.edf", "aaaaaaar", lines)
    events = tuh.read_events(path)
    assert events.to_dict("list") == {
        "onset": [10.5, 12.0, 20.0, 20.0],
        "duration": [1.0] * 4,
        "value": ["gped", "bckg", "artf", "spsw"],
        "channels": [2, 2, 1, 1],
    }


def test_a_recording_without_annotations_has_no_events(corpus: Path) -> None:
    assert tuh.read_events(corpus / "edf/eval/032/bckg_032_a_1.edf").empty
    assert tuh.read_events(corpus / "edf/eval/032/readme.edf").empty


@pytest.mark.parametrize("lines", ["1,2.0,3.0,7\n", "1,2.0,3.0\n", "nothing\n"])
def test_other_lines_are_no_annotations(corpus: Path, lines: str) -> None:
    path = write(corpus / "edf/train/aaaaaaar/aaaaaaar_00000003.edf", "aaaaaaar", lines)
    with pytest.raises(ValueError, match=r"aaaaaaar_00000003\.rec holds other lines"):
        tuh.read_events(path)
