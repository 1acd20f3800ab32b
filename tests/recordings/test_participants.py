"""Tables of participants: the real one as it is, broken ones as missing labels, and never an exception."""

import math
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cerebro.errors import UserError
from cerebro.recordings.hbn import AGES
from cerebro.recordings.participants import MAX_FACTOR, read_participants
from cerebro.recordings.recording import FACTORS, Person

HEADER = "participant_id\trelease_number\tsex\tage\t" + "\t".join(FACTORS) + "\n"


def table(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "participants.tsv"
    path.write_text(header + "".join(f"{row}\n" for row in rows))
    return path


def missing(person: Person) -> set[str]:
    return {name for name, value in vars(person).items() if math.isnan(value)}


@pytest.mark.filterwarnings("error::UserWarning")
def test_the_real_table_of_release_1_reads_without_a_warning(sidecars: Path) -> None:
    people = read_participants(sidecars / "participants.tsv", ages=AGES)
    reference = pd.read_csv(sidecars / "participants.tsv", sep="\t", na_values="n/a")
    assert list(people) == list(reference["participant_id"])
    assert {one.releases for one in people.values()} == {frozenset({"R1"})}
    for name in ("age", *FACTORS):
        labels = [getattr(one.person, name) for one in people.values()]
        np.testing.assert_array_equal(labels, reference[name])
    np.testing.assert_array_equal([one.person.sex for one in people.values()], reference["sex"] == "F")


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("nothing", ["n/a", "", "N/A", "NaN", "null"])
def test_what_is_not_available_is_missing_without_a_word(tmp_path: Path, nothing: str) -> None:
    path = table(tmp_path, "\t".join(["sub-A", "R2", "F", "9.5", *[nothing] * 4]))
    assert missing(read_participants(path)["sub-A"].person) == set(FACTORS)


def test_odd_values_are_missing_labels_and_counted(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "sub-A\tR1\tX\ttwelve\t0.1\t0.2\t0.3\t0.4",
        "sub-B\tR1\t2\t9.5\t0.1\t-999\t0.3\tinf",
        "sub-C\tR1\tM\t99\t0.1\t0.2\t0.3\t0.4",
    )
    with pytest.warns(UserWarning, match="taken as missing") as warned:
        people = read_participants(path, ages=AGES)
    said = str(warned[0].message)
    for words in (
        "values of sex unexpected 2",
        "values of age unreadable 1",
        "values of age out of range 1",
        "values of attention out of range 1",
        "values of externalizing unreadable 1",
    ):
        assert words in said
    assert len(warned) == 1
    assert {name: missing(one.person) for name, one in people.items()} == {
        "sub-A": {"sex", "age"},
        "sub-B": {"sex", "attention", "externalizing"},
        "sub-C": {"age"},
    }


def test_a_subject_listed_twice_keeps_what_the_rows_agree_on(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "sub-A\tR1\tM\t9.5\t0.1\t0.2\t0.3\tn/a",
        "sub-A\tR1\tM\t9.6\t0.1\t0.2\t0.3\t0.4",
    )
    with pytest.warns(UserWarning, match="more than once 1.*values of age on which rows .* disagree 1"):
        person = read_participants(path)["sub-A"].person
    assert missing(person) == {"age"}
    assert (person.sex, person.externalizing) == (0.0, 0.4)


def test_rows_that_name_two_releases_are_both_remembered(tmp_path: Path) -> None:
    path = table(tmp_path, "sub-A\tR1\tM\t9", "sub-A\tR5\tM\t9")
    with pytest.warns(UserWarning, match="too few"):
        assert read_participants(path)["sub-A"].releases == {"R1", "R5"}


def test_columns_that_are_missing_are_missing_labels_and_counted(tmp_path: Path) -> None:
    path = table(tmp_path, "sub-A\tF", "sub-B\tM", header="participant_id\tsex\n")
    with pytest.warns(UserWarning, match="column age missing: labels of subjects 2"):
        people = read_participants(path)
    assert missing(people["sub-A"].person) == {"age", *FACTORS}
    assert people["sub-A"].releases == frozenset()


@pytest.mark.parametrize("content", [b"", b"subject\tage\nA\t3\n", b"\xff\xfe\x00p\x00a", b"\x00\x00"])
def test_a_table_that_is_none_has_no_subjects_and_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "participants.tsv"
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="no column participant_id"):
        assert read_participants(path) == {}
    with pytest.warns(UserWarning, match="no labels and no releases, since it is not there"):
        assert read_participants(tmp_path / "elsewhere.tsv") == {}


@pytest.mark.parametrize(
    ("stated", "release"),
    [
        ("R5", "R5"),
        ("5", "R5"),
        ("r05", "R5"),
        ("Release 5", "R5"),
        ("5.0", "R5"),
        ("R11", "R11"),
        ("n/a", ""),
    ],
)
def test_a_release_is_known_however_it_is_spelt(tmp_path: Path, stated: str, release: str) -> None:
    path = table(tmp_path, f"sub-A\t{stated}", header="participant_id\trelease_number\n")
    with pytest.warns(UserWarning, match="missing"):
        assert read_participants(path)["sub-A"].releases == frozenset({release} - {""})


@pytest.mark.filterwarnings("error::UserWarning")
def test_windows_line_ends_a_byte_order_mark_and_ids_without_sub_are_read(tmp_path: Path) -> None:
    path = tmp_path / "participants.tsv"
    path.write_bytes(("\ufeff" + HEADER + "A\tR1\tfemale\t9\t0\t0\t0\t0").replace("\n", "\r\n").encode())
    assert read_participants(path)["sub-A"].person.sex == 1.0


CELLS = st.one_of(
    st.sampled_from(["n/a", "", "F", "M", "m", "R1", "R5", "sub-A", "sub-B", "-999", "1e999", "inf", "9,5"]),
    st.floats(-200, 200).map(str),
    st.text(max_size=6),
)
COLUMNS = st.sampled_from(["participant_id", "release_number", "sex", "age", *FACTORS, "handedness", ""])


@settings(max_examples=200, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    header=st.lists(COLUMNS, max_size=8),
    rows=st.lists(st.lists(CELLS, max_size=9), max_size=6),
    tail=st.binary(max_size=12),
)
def test_no_table_raises_and_every_label_is_missing_or_in_range(
    tmp_path_factory: pytest.TempPathFactory, header: list[str], rows: list[list[str]], tail: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "generated.tsv"
    lines = ["\t".join(["participant_id", *header]), *("\t".join(["sub-A", *row]) for row in rows)]
    lines += ["\t".join(row) for row in rows]
    path.write_bytes("\n".join(lines).encode(errors="replace") + tail)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        people = read_participants(path, ages=AGES)
    for name, one in people.items():
        assert name.startswith("sub-")
        assert math.isnan(one.person.sex) or one.person.sex in (0, 1)
        assert math.isnan(one.person.age) or AGES[0] <= one.person.age <= AGES[1]
        for factor in FACTORS:
            value = getattr(one.person, factor)
            assert math.isnan(value) or abs(value) <= MAX_FACTOR


def test_a_table_that_the_disk_does_not_give_stops_the_step(tmp_path: Path) -> None:
    (tmp_path / "participants.tsv").symlink_to("/proc/self/mem")  # every read fails, for root too
    with pytest.raises(UserError, match=r"participants\.tsv can't be read .*running again may help"):
        read_participants(tmp_path / "participants.tsv")
