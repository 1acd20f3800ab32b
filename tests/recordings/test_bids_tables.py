"""Tables of participants and scans: text as it is written, broken tables as missing values, no exception."""

import warnings
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cerebro.errors import UserError
from cerebro.recordings.bids_tables import is_missing, read_participants, read_scans

HEADER = "participant_id\tgroup\tsex\tage\n"


def table(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "participants.tsv"
    path.write_text(header + "".join(f"{row}\n" for row in rows))
    return path


@pytest.mark.filterwarnings("error::UserWarning")
def test_the_real_table_of_release_1_is_read_as_it_is_written(sidecars: Path) -> None:
    people = read_participants(sidecars / "participants.tsv")
    reference = pd.read_csv(sidecars / "participants.tsv", sep="\t", dtype=str, keep_default_na=False)
    assert list(people) == list(reference["participant_id"])
    for row in reference.to_dict(orient="records"):
        name = row.pop("participant_id")
        assert people[name] == {column: value for column, value in row.items() if value != "n/a"}


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("folder", ["guinea_bissau", "eegmat", "muse_cueing"])
def test_real_tables_of_other_archives_are_read_without_a_warning(real_recordings: Path, folder: str) -> None:
    path = real_recordings / folder / "participants.tsv"
    reference = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False).set_index("participant_id")
    people = read_participants(path)
    assert list(people) == list(reference.index)
    for column in reference:
        stated = [person.get(column, "n/a") for person in people.values()]
        assert stated == list(reference[column])


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("nothing", ["n/a", "", "N/A", "NaN", "null"])
def test_what_is_not_available_is_left_out_without_a_word(tmp_path: Path, nothing: str) -> None:
    path = table(tmp_path, f"sub-A\tcontrol\t{nothing}\t9.5")
    assert read_participants(path) == {"sub-A": {"group": "control", "age": "9.5"}}


@pytest.mark.filterwarnings("error::UserWarning")
def test_none_is_a_value_like_another(tmp_path: Path) -> None:
    path = table(tmp_path, "sub-A\tnone\tF\t9.5")
    assert read_participants(path)["sub-A"]["group"] == "none"


def test_a_subject_listed_twice_keeps_what_the_rows_agree_on(tmp_path: Path) -> None:
    path = table(tmp_path, "sub-A\tcontrol\tM\t9.5", "sub-A\tn/a\tM\t9.6")
    with pytest.warns(
        UserWarning, match="more than once 1.*values of age on which rows .* disagree 1"
    ) as said:
        people = read_participants(path)
    assert people == {"sub-A": {"group": "control", "sex": "M"}}
    assert len(said) == 1


def test_rows_of_another_length_lose_or_add_no_other_value_and_are_counted(tmp_path: Path) -> None:
    path = table(tmp_path, "sub-A\tcontrol", "sub-B\tcontrol\tF\t3\tmore", "\tcontrol\tF\t3")
    with pytest.warns(UserWarning, match="cells 2, rows without a participant_id 1"):
        people = read_participants(path)
    assert people == {
        "sub-A": {"group": "control"},
        "sub-B": {"group": "control", "sex": "F", "age": "3"},
    }


@pytest.mark.filterwarnings("error::UserWarning")
def test_of_two_columns_of_one_name_the_first_counts(tmp_path: Path) -> None:
    path = table(tmp_path, "sub-A\t3\t4", header="participant_id\tage\tage\n")
    assert read_participants(path) == {"sub-A": {"age": "3"}}


@pytest.mark.parametrize("content", [b"", b"subject\tage\nA\t3\n", b"\xff\xfe\x00p\x00a", b"\x00\x00"])
def test_a_table_that_is_none_knows_nobody_and_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "participants.tsv"
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="no column participant_id"):
        assert read_participants(path) == {}
    with pytest.warns(UserWarning, match="nothing is known from it, since it is not there"):
        assert read_participants(tmp_path / "elsewhere.tsv") == {}


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_any_line_end_a_byte_order_mark_and_ids_without_sub_are_read(tmp_path: Path, end: str) -> None:
    path = tmp_path / "participants.tsv"
    path.write_bytes(("\ufeff" + HEADER + "A\tcontrol\tfemale\t9").replace("\n", end).encode())
    assert read_participants(path)["sub-A"]["sex"] == "female"


@pytest.mark.filterwarnings("error::UserWarning")
def test_scans_are_named_by_their_file_and_their_table_is_optional(tmp_path: Path) -> None:
    path = tmp_path / "sub-A_scans.tsv"
    assert read_scans(path) == {}
    path.write_text("filename\tacq_time\tquality\neeg/sub-A_task-rest_eeg.edf\t2020-01-01\tn/a\n")
    assert read_scans(path) == {"eeg/sub-A_task-rest_eeg.edf": {"acq_time": "2020-01-01"}}


CELLS = st.one_of(
    st.sampled_from(["n/a", "", "F", "M", "control", "sub-A", "sub-B", "-999", "1e999", "inf", "9,5"]),
    st.floats(-200, 200).map(str),
    st.text(max_size=6),
)
COLUMNS = st.sampled_from(["participant_id", "group", "sex", "age", "handedness", ""])


@settings(max_examples=200, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    header=st.lists(COLUMNS, max_size=8),
    rows=st.lists(st.lists(CELLS, max_size=9), max_size=6),
    tail=st.binary(max_size=12),
)
def test_no_table_raises_and_every_value_that_is_kept_says_something(
    tmp_path_factory: pytest.TempPathFactory, header: list[str], rows: list[list[str]], tail: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "generated.tsv"
    lines = ["\t".join(["participant_id", *header]), *("\t".join(["sub-A", *row]) for row in rows)]
    lines += ["\t".join(row) for row in rows]
    path.write_bytes("\n".join(lines).encode(errors="replace") + tail)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        people = read_participants(path)
    for name, person in people.items():
        assert name.startswith("sub-")
        assert set(person) <= set(header)
        assert not any(is_missing(value) for value in person.values())


def test_a_table_that_the_disk_does_not_give_stops_the_step(tmp_path: Path) -> None:
    (tmp_path / "participants.tsv").symlink_to("/proc/self/mem")  # every read fails, for root too
    with pytest.raises(UserError, match=r"participants\.tsv can't be read .*running again may help"):
        read_participants(tmp_path / "participants.tsv")
