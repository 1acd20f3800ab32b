"""TUH as it lies on disks: layouts of TUEG and TUAB, four montages, what headers say of the patient."""

from pathlib import Path

import pytest

from cerebro.recordings import tuh
from cerebro.recordings.recording import Recording


def scan(root: Path, *files: str) -> list[Recording]:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return list(tuh.scan([root]))


@pytest.mark.parametrize(
    ("montage", "reference"),
    [
        ("01_tcp_ar", "average"),
        ("02_tcp_le", "linked ears"),
        ("03_tcp_ar_a", "average"),
        ("04_tcp_le_a", "linked ears"),
    ],
)
def test_the_folder_of_the_montage_tells_the_reference(tmp_path: Path, montage: str, reference: str) -> None:
    (one,) = scan(tmp_path, f"edf/000/aaaaaaaa/s001_2015_12_30/{montage}/aaaaaaaa_s001_t000.edf")
    assert one.reference == reference
    assert (one.subject, one.session) == ("aaaaaaaa", "s001_2015_12_30")
    assert not one.filtered


@pytest.mark.parametrize(
    ("file", "session"),
    [
        ("edf/000/aaaaaaaa/s001_2015/01_tcp_ar/aaaaaaaa_s001_t000.edf", "s001_2015"),
        ("edf/01_tcp_ar/000/aaaaaaaa/s001_2003_01_01/aaaaaaaa_s001_t000.edf", "s001_2003_01_01"),
        ("edf/train/normal/01_tcp_ar/aaaaaaaa_s001_t000.edf", "s001"),
        ("edf/eval/abnormal/01_tcp_ar/aaaaaaaa_s001_t000.edf", "s001"),
        ("flat/aaaaaaaa_s001_t000.edf", "s001"),
    ],
)
def test_a_recording_has_one_name_in_every_layout(tmp_path: Path, file: str, session: str) -> None:
    (one,) = scan(tmp_path, file)
    assert one.name == ("aaaaaaaa", "s001", "t000")
    assert one.session == session
    assert one.reference == ("unknown" if file.startswith("flat") else "average")


def test_other_files_of_the_corpus_are_no_recordings(tmp_path: Path) -> None:
    names = ("aaaaaaaa_s001.txt", "aaaaaaaa_s001_t000.csv", "aaaaaaaa_s001_t000.csv_bi", "notes.edf")
    assert scan(tmp_path, *names) == []


@pytest.mark.parametrize(
    ("field", "age", "sex"),
    [
        ("aaaaaaaa F 01-JAN-1950 aaaaaaaa Age:65", "65", "F"),
        ("aaaaaaaa M 01-JAN-1950 aaaaaaaa Age:7", "7", "M"),
        ("00000258 M X 00000258 Age:0.5", "0.5", "M"),
        ("aaaaaaaa X X aaaaaaaa", None, None),
        ("aaaaaaaa F X aaaaaaaa Age:999", "999", "F"),  # the label's range refuses it
        ("aaaaaaaa F X aaaaaaaa age: 44", "44", "F"),
        ("FEMALE", None, None),
        ("", None, None),
    ],
)
def test_age_and_sex_are_those_of_the_header_where_it_has_them(
    field: str, age: str | None, sex: str | None
) -> None:
    person = tuh.read_person(field)
    assert (person.get("age"), person.get("sex")) == (age, sex)
    assert set(person) <= {"age", "sex"}
