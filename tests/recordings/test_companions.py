"""Signals of a recording are those of its own name, and two recordings are one only if they hold the same."""

import json
import shutil
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import edfio
import mne
import numpy as np
import pandas as pd
import pytest
import scipy.io

from cerebro.config import Dataset
from cerebro.recordings.copies import what_is_alike
from cerebro.recordings.headers import Header, read_headers
from cerebro.recordings.inventory import build_inventory
from cerebro.recordings.signals import open_raw, source_files

WriteSignals = Callable[..., Path]
NAMES = ("Fp1", "Cz", "O1", "O2")
SFREQ = 100


def signal(seed: int, seconds: int = 10) -> np.ndarray:
    """Noise of 20 µV, in µV."""
    return np.random.default_rng(seed).normal(0, 20, (len(NAMES), SFREQ * seconds))


def write_set(path: Path, signal_uv: np.ndarray, *, names_signals: str = "") -> Path:
    """Write an EEGLAB file; its signals inside, or in the file that it names, which is written by others."""
    content = {
        "setname": path.stem,
        "nbchan": float(len(signal_uv)),
        "trials": 1.0,
        "pnts": float(signal_uv.shape[1]),
        "srate": float(SFREQ),
        "xmin": 0.0,
        "xmax": (signal_uv.shape[1] - 1) / SFREQ,
        "chanlocs": np.array([(name,) for name in NAMES], dtype=[("labels", "O")]),
        "icawinv": [],
        "icaweights": [],
        "icasphere": [],
        "ref": "common",
        "event": [],
        "data": names_signals or signal_uv.astype("<f4"),
    }
    scipy.io.savemat(path, content, appendmat=False)
    return path


def write_fdt(path: Path, signal_uv: np.ndarray) -> Path:
    signal_uv.T.astype("<f4").tofile(path)
    return path


def write_vhdr(path: Path, *, names_signals: str) -> Path:
    channels = "".join(f"Ch{index}={name},,0.1,µV\n" for index, name in enumerate(NAMES, start=1))
    path.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={names_signals}\nMarkerFile=nowhere.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        f"NumberOfChannels={len(NAMES)}\nSamplingInterval={1_000_000 // SFREQ}\n\n[Binary Infos]\n"
        f"BinaryFormat=INT_16\n\n[Channel Infos]\n{channels}",
        encoding="utf-8",
    )
    return path


def write_eeg(path: Path, signal_uv: np.ndarray) -> Path:
    (signal_uv.T / 0.1).round().astype("<i2").tofile(path)
    return path


def write_edf(path: Path, signal_uv: np.ndarray, *, sex: str = "X", age: str = "") -> Path:
    signals = [
        edfio.EdfSignal(row, SFREQ, label=name, physical_dimension="uV", physical_range=(-300, 300))
        for name, row in zip(NAMES, signal_uv, strict=True)
    ]
    patient = edfio.Patient(sex=sex, additional=[age] if age else [])
    edfio.Edf(signals, patient=patient).write(path)
    return path


def header(path: Path) -> Header:
    (only,) = read_headers([path])
    return only


def inventory(folder: Path, output: Path, reader: str = "files") -> pd.DataFrame:
    dataset = Dataset(reader=reader, roots=(folder,), max_failed_share=1)
    build_inventory({"mine": dataset}, raw=None, excluded_subjects=(), output=output)
    return pd.read_parquet(output)


def test_an_eeglab_recording_has_the_signals_of_its_own_name_whatever_its_header_says(tmp_path: Path) -> None:
    mine, others = signal(1), signal(2)
    path = write_set(tmp_path / "sub-B.set", mine, names_signals="sub-A.fdt")
    write_fdt(tmp_path / "sub-A.fdt", others)
    assert header(path).status in ("missing", "quarantined")
    with pytest.raises((ValueError, FileNotFoundError), match=r"sub-B\.fdt"):
        open_raw(path)
    write_fdt(tmp_path / "sub-B.fdt", mine)
    assert header(path).status == "ok"
    np.testing.assert_allclose(open_raw(path).get_data(), mine / 1e6, atol=1e-10)
    assert source_files(path, open_raw(path)) == [path, tmp_path / "sub-B.fdt"]
    (tmp_path / "sub-A.fdt").unlink()
    np.testing.assert_allclose(open_raw(path).get_data(), mine / 1e6, atol=1e-10)


@pytest.mark.parametrize("link", [False, True])
def test_whose_signals_are_whose_is_known_by_relative_paths_and_links_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: bool
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    write_fdt(there / "a.fdt", signal(1))
    write_set(there / "a.set", signal(1), names_signals="a.fdt")
    write_eeg(there / "b.eeg", signal(2))
    write_vhdr(there / "b.vhdr", names_signals="a.eeg")
    if link:  # as git-annex and datalad lay out their files
        (tmp_path / "archive").mkdir()
        for number, file in enumerate(sorted(there.iterdir())):
            file.rename(tmp_path / f"object-{number}")
            (tmp_path / "archive" / file.name).symlink_to(f"../object-{number}")
    else:
        there.rename(tmp_path / "archive")
    monkeypatch.chdir(tmp_path)
    np.testing.assert_allclose(open_raw(Path("archive/a.set")).get_data(), signal(1) / 1e6, atol=1e-10)
    np.testing.assert_allclose(open_raw(Path("archive/b.vhdr")).get_data(), signal(2) / 1e6, atol=1e-7)
    rows = inventory(Path("archive"), tmp_path / "inventory.parquet")
    assert rows["status"].to_list() == ["ok", "ok"]


def test_a_brainvision_recording_has_the_signals_of_its_own_name_whatever_its_header_says(
    tmp_path: Path,
) -> None:
    mine, others = signal(1), signal(2)
    path = write_vhdr(tmp_path / "sub-B.vhdr", names_signals="sub-A.eeg")
    write_eeg(tmp_path / "sub-A.eeg", others)
    # A header of another name than its signals is all right, if no other header has theirs.
    np.testing.assert_allclose(open_raw(path).get_data(), others / 1e6, atol=1e-7)
    write_vhdr(tmp_path / "sub-A.vhdr", names_signals="sub-A.eeg")
    with pytest.raises(ValueError, match=r"sub-A\.eeg for its signals, and sub-B\.eeg is not there"):
        open_raw(path)
    write_eeg(tmp_path / "sub-B.eeg", mine)
    np.testing.assert_allclose(open_raw(path).get_data(), mine / 1e6, atol=1e-7)
    assert source_files(path, open_raw(path)) == [path, tmp_path / "sub-B.eeg"]


def test_channels_that_the_table_beside_a_file_calls_something_else_are_no_eeg(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    path = write_signals(tmp_path / "sub-A_task-rest_eeg.edf", ["Fp1", "Fp2", "A1", "A2", "Cz", "Ear"])
    table = tmp_path / "sub-A_task-rest_channels.tsv"
    state = tmp_path / "state"
    (before,) = read_headers([path], state=state)
    assert (before.channels, before.left_out) == (("Fp1", "Fp2", "A1", "A2", "Cz"), ("Ear",))
    rows = "Fp1\tEEG\tuV\nFp2\tEOG\tuV\nA1\tMISC\tuV\nA2\tn/a\tuV\nCz\tREF\tuV\nEar\tmisc\tuV\n"
    table.write_text(f"name\ttype\tunits\n{rows}")
    (after,) = read_headers([path], state=state)  # although the recording itself has not changed
    assert (after.channels, after.left_out) == (("Fp1", "A2", "Cz"), ())
    assert open_raw(path).ch_names == ["Fp1", "A2", "Cz"]
    table.write_text("name\ttype\n" + "".join(f"{name}\tSEEG\n" for name in (*after.channels, "Ear")))
    table.write_text(table.read_text() + "Fp2\tSEEG\nA1\tECOG\n")
    with pytest.raises(ValueError, match="no EEG channel: its channels are said to be ECOG, SEEG"):
        open_raw(path)
    assert "said to be ECOG, SEEG" in header(path).reason
    for useless in (b"", b"name\n", b"\xff\x00\ttype\n"):
        table.write_bytes(useless)
        assert header(path).channels == before.channels


@pytest.mark.parametrize(
    ("recording", "signals"),
    [
        ("a.set", "a.FDT"),
        ("a.SET", "a.fdt"),
        ("A.SET", "A.FDT"),
        ("a.SET", ""),
        ("a.vhdr", "a.EEG"),
        ("A.VHDR", "A.EEG"),
        ("a.vhdr", "a.dat"),
    ],
)
def test_files_are_known_in_capitals_as_well(tmp_path: Path, recording: str, signals: str) -> None:
    path, mine = tmp_path / recording, signal(1)
    if path.suffix.lower() == ".set":
        write_set(path, mine, names_signals=signals.lower() and "a.fdt")
        beside = write_fdt(tmp_path / signals, mine) if signals else path
    else:
        write_vhdr(path, names_signals="a.eeg")
        beside = write_eeg(tmp_path / signals, mine)
    found = header(path)
    assert (found.status, found.channels) == ("ok", NAMES), found.reason
    raw = open_raw(path)
    np.testing.assert_allclose(raw.get_data(), mine / 1e6, atol=1e-7)
    assert source_files(path, raw) == list(dict.fromkeys([path, beside]))
    assert found.size_bytes == sum(file.stat().st_size for file in {path, beside})


def test_a_file_of_signals_that_changed_is_read_again(tmp_path: Path) -> None:
    path = write_set(tmp_path / "a.set", signal(1), names_signals="a.fdt")
    beside = write_fdt(tmp_path / "a.FDT", signal(1))
    (first,) = read_headers([path], state=tmp_path / "state")
    assert first.status == "ok"
    beside.write_bytes(beside.read_bytes()[:-1000])
    (second,) = read_headers([path], state=tmp_path / "state")
    assert second.status == "quarantined"
    assert "truncated" in second.reason


def test_signals_inside_a_file_are_read_though_another_file_lies_beside_it(tmp_path: Path) -> None:
    path = write_set(tmp_path / "a.set", signal(1))
    write_fdt(tmp_path / "a.fdt", signal(2))
    np.testing.assert_allclose(open_raw(path).get_data(), signal(1) / 1e6, atol=1e-10)


def test_two_recordings_of_one_name_and_two_formats_are_two(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    write_edf(folder / "anna_rest.edf", signal(1))
    write_set(folder / "anna_rest.set", signal(2))
    rows = inventory(folder, tmp_path / "inventory.parquet")
    assert rows["status"].to_list() == ["ok", "ok"]
    assert rows["recording"].to_list() == ["mine/anna_rest", "mine/anna_rest#2"]
    assert rows["subject"].to_list() == ["anna", "anna"]


def test_a_copy_in_another_format_is_used_once_and_told_by_what_was_seen(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    write_edf(folder / "anna_rest.edf", signal(1))
    write_set(folder / "anna_rest.set", 1000 * signal(1))  # in another unit
    shutil.copy(folder / "anna_rest.edf", folder / "bob.edf")
    rows = inventory(folder, tmp_path / "inventory.parquet")
    assert rows["status"].to_list() == ["ok", "excluded", "ok"]
    assert rows["reason"][1] == f"its first 10 s are those of {folder / 'anna_rest.edf'}, which is used"


def test_a_copy_in_another_folder_is_used_once_and_another_recording_of_its_name_is_kept(
    tmp_path: Path,
) -> None:
    for folder, seed in (("first", 1), ("second", 1), ("third", 3)):
        (tmp_path / folder).mkdir()
        write_edf(tmp_path / folder / "anna.edf", signal(seed))
    roots = tuple(tmp_path / folder for folder in ("first", "second", "third"))
    dataset, output = Dataset(reader="files", roots=roots), tmp_path / "inventory.parquet"
    build_inventory({"mine": dataset}, raw=None, excluded_subjects=(), output=output)
    rows = pd.read_parquet(output)
    assert rows["status"].to_list() == ["ok", "excluded", "ok"]
    assert rows["reason"][1] == f"its bytes are those of {tmp_path / 'first/anna.edf'}, which is used"


@pytest.mark.parametrize("naming", ["neuromag", "bids"])
def test_parts_of_a_recording_that_was_split_are_no_recordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, naming: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("archive")
    folder.mkdir()
    info = mne.create_info(list(NAMES), SFREQ, "eeg")
    raw = mne.io.RawArray(signal(1, seconds=3000) / 1e6, info, verbose="error")
    raw.save(folder / "anna_task-rest_eeg.fif", split_size="2MB", split_naming=naming, verbose="error")
    assert len(list(folder.iterdir())) > 2
    rows = inventory(folder, tmp_path / "inventory.parquet").set_index("status")
    assert rows.loc["ok", "duration"] == 3000
    assert rows.loc[["excluded"], "reason"].str.startswith("its signals are a part of those of").all()


def test_signals_are_alike_only_where_every_electrode_is(tmp_path: Path) -> None:
    first = write_edf(tmp_path / "a.edf", signal(1))
    one_other = signal(1)
    one_other[2] = signal(5)[2]
    assert what_is_alike(first, write_edf(tmp_path / "b.edf", one_other)) == ""
    assert what_is_alike(first, write_edf(tmp_path / "c.edf", signal(1, seconds=20)[:, :1000])) == ""
    assert what_is_alike(first, write_set(tmp_path / "d.set", signal(1) + 500)) == "first 10 s"
    flat = np.zeros((len(NAMES), 1000))
    assert what_is_alike(write_set(tmp_path / "e.set", flat), write_edf(tmp_path / "f.edf", flat)) == ""


def write_neuroscan(path: Path, signal_uv: np.ndarray) -> Path:
    """Write the fields of a Neuroscan file that its signals need, 32 bits a sample."""
    n_chans, n_times = signal_uv.shape
    start = 900 + 75 * n_chans
    fixed = bytearray(900)
    fixed[:11] = b"Version 3.0"
    fixed[225:233], fixed[235:243] = b"01/01/20", b"12:00:00"
    for place, kind, value in ((370, "<H", n_chans), (376, "<H", SFREQ), (864, "<I", n_times)):
        struct.pack_into(kind, fixed, place, value)
    struct.pack_into("<I", fixed, 886, start + 4 * n_chans * n_times)
    electrodes = b""
    for name in NAMES:
        one = bytearray(75)
        one[: len(name)] = name.encode()
        struct.pack_into("<f", one, 59, 1.0)  # sensitivity
        struct.pack_into("<f", one, 71, 20.48)  # calibration: their product is 204.8 for 1 µV a step
        electrodes += bytes(one)
    samples = (signal_uv.T / 0.1).round().astype("<i4").tobytes()
    path.write_bytes(bytes(fixed) + electrodes + samples + struct.pack("<BII", 1, 0, 0))
    return path


def test_neuroscans_cnt_is_read_and_any_other_is_one_sentence(tmp_path: Path) -> None:
    path = write_neuroscan(tmp_path / "a.cnt", signal(1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MNE, on places that are not there
        np.testing.assert_allclose(open_raw(path).get_data(), signal(1) / 1e6, atol=1e-7)
    (tmp_path / "eego.cnt").write_bytes(b"RIFF\x10\x00\x00\x00CNT " + bytes(2000))
    found = header(tmp_path / "eego.cnt")
    assert found.status == "quarantined"
    assert "not Neuroscan's (ANT Neuro writes others of this name) can't be read: export it" in found.reason


@pytest.mark.parametrize("lost", [1, 40, 4000, 15_000])
def test_a_neuroscan_file_that_was_cut_has_fewer_samples_than_its_header_says(
    tmp_path: Path, lost: int
) -> None:
    """The nine bytes at its end are a table of events."""
    path = write_neuroscan(tmp_path / "a.cnt", signal(1))
    n_chans, n_times = signal(1).shape
    path.write_bytes(path.read_bytes()[: path.stat().st_size - 9 - lost])
    found = header(path)
    held = n_times - -(-lost // (4 * n_chans))
    assert (found.status, found.reason) == (
        "quarantined",
        f"truncated: a.cnt holds {held} of {n_times} samples",
    )


READER = """
from cerebro.recordings.bids_tables import read_participants
from cerebro.recordings.folders import walk_files
from cerebro.recordings.recording import Recording

def scan(roots):
    people = read_participants(roots[0] / "participants.tsv")
    for path in walk_files(roots):
        if path.suffix == ".edf":
            person = people["sub-" + path.stem]
            yield Recording(path=path, subject=path.stem, name=(path.stem,), reference="Cz", person=person)
"""


def test_the_table_wins_over_headers_that_say_otherwise_and_one_warning_counts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "reader_of_two_tables.py").write_text(READER)
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "archive"
    folder.mkdir()
    write_edf(folder / "a.edf", signal(1), sex="M", age="Age:30")
    write_edf(folder / "b.edf", signal(2), sex="M", age="Age:41")
    write_edf(folder / "c.edf", signal(3), sex="F")
    write_edf(folder / "d.edf", signal(4))
    (folder / "participants.tsv").write_text(
        "participant_id\tsex\tage\nsub-a\tF\t30.6\nsub-b\tF\t30\nsub-c\tF\t20\nsub-d\tF\t20\n"
    )
    with pytest.warns(UserWarning, match="headers is another") as warned:
        rows = inventory(folder, tmp_path / "inventory.parquet", reader="reader_of_two_tables")
    people = rows["person"].map(json.loads).to_list()
    assert people == [{"sex": "F", "age": age} for age in ("30.6", "30", "20", "20")]
    (said,) = [str(one.message) for one in warned if "headers is another" in str(one.message)]
    assert "datasets.mine: sex in 2 of 3 and age in 1 of 2 headers is another" in said
    assert f"(first: {folder / 'a.edf'}); the table is used" in said


def test_what_was_left_out_of_recordings_stands_in_the_inventory_and_is_told(
    tmp_path: Path, write_signals: WriteSignals, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "archive"
    write_signals(folder / "a.edf", ["Fp1", "Cz", "O1", "CB1", "CB2", "EKG1"])
    info = mne.create_info(["Fp1", "Cz", "O1", "CB1", "EKG1"], 100, "eeg")
    mne.io.RawArray(np.zeros((5, 999)), info, verbose="error").save(folder / "b_raw.fif", verbose="error")
    write_signals(folder / "c.edf", ["Fp1", "Cz", "O1", "EKG1"])
    rows = inventory(folder, tmp_path / "inventory.parquet")
    assert [json.loads(labels) for labels in rows["left_out"]] == [["CB1", "CB2"], ["CB1"], []]
    assert "mine: 2 recordings hold channels that are left out, since" in (said := capsys.readouterr().out)
    assert f"CB1, CB2 (first: {folder / 'a.edf'})" in said


def test_of_a_real_set_whose_headers_name_the_other_sex_the_table_is_used(
    tmp_path: Path, real_recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = READER.replace('"sub-" + path.stem', "path.name.partition('_')[0]")
    (tmp_path / "reader_of_real_people.py").write_text(reader)
    monkeypatch.syspath_prepend(tmp_path)
    folder = real_recordings / "eegmat"
    table = pd.read_csv(folder / "participants.tsv", sep="\t").set_index("participant_id")
    with pytest.warns(UserWarning, match=r"sex in 5\d of 56 headers is another"):
        rows = inventory(folder, tmp_path / "inventory.parquet", "reader_of_real_people")
    expected = rows["path"].map(lambda path: table.loc[Path(path).name.partition("_")[0], "sex"])
    assert (rows["person"].map(lambda text: json.loads(text)["sex"]) == expected).all()
