"""Inventory and shards say the same of every file for the same reason: tried on headers with errors."""

import re
import struct
from collections.abc import Callable
from pathlib import Path

import edfio
import h5py
import mne
import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cerebro.recordings.failures import BrokenRecording
from cerebro.recordings.headers import read_headers
from cerebro.recordings.signals import open_raw, read_signals

NAMES = ("Fp1", "Fp2", "C3", "C4", "O1", "O2", "Cz")
SFREQ, N_TIMES = 100, 400
NOISE_UV = np.random.default_rng(0).normal(0, 20, (len(NAMES), N_TIMES))


def edf(path: Path, *, bdf: bool = False) -> int:
    kind, signal = (edfio.Bdf, edfio.BdfSignal) if bdf else (edfio.Edf, edfio.EdfSignal)
    uv = {"physical_dimension": "uV", "physical_range": (-3e3, 3e3)}
    signals = [signal(row, SFREQ, label=name, **uv) for name, row in zip(NAMES, NOISE_UV, strict=True)]
    kind(signals).write(path)
    return 256 * (len(NAMES) + 1)


def edf_plus_d(path: Path) -> int:
    uv = {"physical_dimension": "uV", "physical_range": (-3e3, 3e3)}
    signals = [
        edfio.EdfSignal(row, SFREQ, label=name, **uv) for name, row in zip(NAMES, NOISE_UV, strict=True)
    ]
    content = edfio.Edf(signals, annotations=[edfio.EdfAnnotation(1, 1, "eyes")]).to_bytes()
    path.write_bytes(content.replace(b"EDF+C", b"EDF+D"))
    return len(content)


def vhdr(path: Path) -> int:
    (NOISE_UV.T / 0.1).astype("<i2").tofile(path.with_suffix(".eeg"))
    channels = "".join(f"Ch{index}={name},,0.1,µV\n" for index, name in enumerate(NAMES, start=1))
    path.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={path.stem}.eeg\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        f"NumberOfChannels={len(NAMES)}\nSamplingInterval=10000\nDataPoints={N_TIMES}\n\n"
        f"[Binary Infos]\nBinaryFormat=INT_16\n\n[Channel Infos]\n{channels}",
        encoding="utf-8",
    )
    return path.stat().st_size


def raw() -> mne.io.RawArray:
    return mne.io.RawArray(NOISE_UV / 1e6, mne.create_info(list(NAMES), SFREQ, "eeg"), verbose="error")


def eeglab(path: Path) -> int:
    mne.export.export_raw(path, raw(), verbose="error")
    return path.stat().st_size


def eeglab_struct(path: Path) -> int:
    mne.export.export_raw(path, raw(), verbose="error")
    fields = {key: value for key, value in scipy.io.loadmat(path).items() if not key.startswith("__")}
    scipy.io.savemat(path, {"EEG": fields}, appendmat=False)
    return path.stat().st_size


def eeglab_hdf5(path: Path) -> int:
    """As MATLAB 7.3 writes it: a user block, and references for arrays of structures."""

    def put(group: h5py.Group, name: str, values: np.ndarray, kind: str) -> h5py.Dataset:
        stored = group.create_dataset(name, data=values)
        stored.attrs["MATLAB_class"] = np.bytes_(kind)
        return stored

    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in (("nbchan", len(NAMES)), ("trials", 1), ("pnts", N_TIMES), ("srate", SFREQ)):
            put(file, name, np.array([[value]], "f8"), "double")
        put(file, "data", NOISE_UV.T.astype("f4"), "single")
        references = np.empty((len(NAMES), 1), h5py.ref_dtype)
        for index, label in enumerate(NAMES):
            text = put(file, f"#refs#/{index}", np.array([[ord(letter)] for letter in label], "u2"), "char")
            text.attrs["MATLAB_int_decode"] = 2
            references[index, 0] = text.ref
        file.create_dataset("chanlocs/labels", data=references, dtype=h5py.ref_dtype)
        file["chanlocs"].attrs["MATLAB_class"] = np.bytes_("struct")
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return path.stat().st_size


def fif(path: Path) -> int:
    raw().save(path, verbose="error", overwrite=True)
    return path.stat().st_size


def gdf(path: Path) -> int:
    """GDF 1.25: one record of one sample per channel each, single precision."""
    count = len(NAMES)
    fixed = b"GDF 1.25" + b"X X".ljust(80) + b"X".ljust(80) + b"2020010112000000"
    fixed += struct.pack("<q", 256 * (count + 1)) + bytes(24) + bytes(20)
    fixed += struct.pack("<qIII", N_TIMES, 1, SFREQ, count)
    fields = [name.encode().ljust(16) for name in NAMES] + [b"".ljust(80)] * count
    fields += [b"uV".ljust(8)] * count + [struct.pack("<d", -1e3)] * count + [struct.pack("<d", 1e3)] * count
    fields += [struct.pack("<q", -1000)] * count + [struct.pack("<q", 1000)] * count + [b"".ljust(80)] * count
    fields += [struct.pack("<i", 1)] * count + [struct.pack("<i", 16)] * count + [bytes(32)] * count
    path.write_bytes(fixed + b"".join(fields) + NOISE_UV.T.astype("<f4").tobytes() + bytes(8))
    return len(fixed) + 256 * count


FORMATS: dict[str, tuple[str, Callable[[Path], int]]] = {
    "EDF": ("a.edf", edf),
    "EDF+D": ("a.edf", edf_plus_d),
    "BDF": ("a.bdf", lambda path: edf(path, bdf=True)),
    "BrainVision": ("a.vhdr", vhdr),
    "EEGLAB": ("a.set", eeglab),
    "EEGLAB, one variable": ("a.set", eeglab_struct),
    "EEGLAB, MATLAB 7.3": ("a.set", eeglab_hdf5),
    "FIF": ("a_raw.fif", fif),
    "GDF": ("a.gdf", gdf),
}
"""Writers of sound files; each returns how many bytes of it are header, or may be."""

TEXTS = (
    b"0",
    b"-1",
    b"9",
    b"99999999",
    b"nan",
    b"inf",
    b"1e9",
    b",",
    b"\x00",
    b"\xff",
    b" ",
    b"\n",
    b"=",
    b"x" * 8,
)
EDITS = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from(TEXTS) | st.binary(min_size=1, max_size=8)),
    min_size=1,
    max_size=3,
)


def verdict_of_inventory(path: Path) -> str:
    (header,) = read_headers([path])
    return "ok" if header.status == "ok" else f"{header.status}: {header.reason}"


def verdict_of_shards(path: Path) -> str:
    try:
        opened = open_raw(path)
        read_signals(opened, range(len(opened.ch_names)))
    except FileNotFoundError:
        return "missing"
    except BrokenRecording as error:
        return f"quarantined: {' '.join(str(error).split())}"
    return "ok"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, bytes, int]]:
    """A sound file of each format, its content, and the length of its header."""
    files = {}
    for name, (file, write) in FORMATS.items():
        path = tmp_path_factory.mktemp("sound") / file
        length = write(path)
        files[name] = (path, path.read_bytes(), length)
    return files


@pytest.mark.parametrize("name", FORMATS)
def test_a_sound_file_of_each_format_holds_the_same_signals(
    sound: dict[str, tuple[Path, bytes, int]], name: str
) -> None:
    path, content, _ = sound[name]
    path.write_bytes(content)
    assert verdict_of_inventory(path) == verdict_of_shards(path) == "ok"
    np.testing.assert_allclose(open_raw(path).get_data() * 1e6, NOISE_UV, atol=0.1)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_of_each_format_that_lost_its_end_says_what_it_holds(
    sound: dict[str, tuple[Path, bytes, int]], name: str
) -> None:
    path, content, _ = sound[name]
    path.write_bytes(content)
    signals = path.with_suffix(".eeg") if name == "BrainVision" else path
    whole = signals.read_bytes()
    try:
        signals.write_bytes(whole[: len(whole) * 7 // 10])
        inventory, shards = verdict_of_inventory(path), verdict_of_shards(path)
    finally:
        signals.write_bytes(whole)
    assert inventory == shards
    assert re.search(r"quarantined: truncated: .*\d+.* \d+|truncated file: eof = \d+", inventory)


@pytest.mark.parametrize(
    ("name", "unit"), [("EDF", b"uV"), ("BDF", b"uV"), ("BrainVision", "µV".encode()), ("GDF", b"uV")]
)
def test_a_channel_of_each_format_whose_unit_is_no_voltage_is_left_out(
    sound: dict[str, tuple[Path, bytes, int]], name: str, unit: bytes
) -> None:
    path, content, _ = sound[name]
    path.write_bytes(content.replace(unit, b"BS".ljust(len(unit)), 1))
    assert open_raw(path).ch_names == list(NAMES[1:])
    path.write_bytes(content.replace(unit, b"BS".ljust(len(unit))))
    assert "'BS" in verdict_of_inventory(path)
    assert "which is no unit of voltage that is understood: Fp1" in verdict_of_inventory(path)
    assert verdict_of_inventory(path) == verdict_of_shards(path)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
@given(edits=EDITS, cut=st.none() | st.floats(0, 1, exclude_max=True))
def test_inventory_and_shards_come_to_one_verdict_on_a_header_with_errors(
    sound: dict[str, tuple[Path, bytes, int]],
    name: str,
    edits: list[tuple[float, bytes]],
    cut: float | None,
) -> None:
    path, content, header = sound[name]
    for place, text in edits:
        at = int(place * header)
        content = content[:at] + text + content[at + len(text) :]
    if cut is not None:
        content = content[: int(cut * len(content))]
    path.write_bytes(content)
    inventory, shards = verdict_of_inventory(path), verdict_of_shards(path)
    if inventory == "ok" and "samples that are not finite" in shards:
        return  # which is seen in the signals alone
    assert inventory.startswith("missing") if shards == "missing" else inventory == shards
