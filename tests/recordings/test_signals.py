import re
import shutil
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import edfio
import mne
import numpy as np
import pytest
import scipy.io

from cerebro.recordings.montages import positions
from cerebro.recordings.signals import open_raw, source_files

WriteSignals = Callable[..., Path]
TEN_TWENTY = (
    "Fp1",
    "Fp2",
    "F7",
    "F3",
    "Fz",
    "F4",
    "F8",
    "T7",
    "C3",
    "Cz",
    "C4",
    "T8",
    "P7",
    "P3",
    "Pz",
    "O1",
)
UV = {"physical_dimension": "uV", "physical_range": (-3000, 3000)}


def write_edf(path: Path, *, rates: dict[str, int], units: dict[str, str] | None = None) -> Path:
    """Write 10 s of noise per label at its rate."""
    random = np.random.default_rng(0)
    signals = [
        edfio.EdfSignal(
            random.normal(0, 20, 10 * rate),
            rate,
            label=label,
            physical_dimension=(units or {}).get(label, "uV"),
            physical_range=(-3000, 3000),
        )
        for label, rate in rates.items()
    ]
    edfio.Edf(signals, data_record_duration=1).write(path)
    return path


def write_set(path: Path, names: Sequence[str], *, places: np.ndarray | None = None) -> Path:
    """Write 10 s at 100 Hz of noise in a .set with its signals inside."""
    random = np.random.default_rng(0)
    raw = mne.io.RawArray(
        random.normal(0, 2e-5, (len(names), 1000)), mne.create_info(list(names), 100, "eeg"), verbose="error"
    )
    if places is not None:
        raw.set_montage(
            mne.channels.make_dig_montage(dict(zip(names, places, strict=True)), coord_frame="head")
        )
    mne.export.export_raw(path, raw, verbose="error")
    return path


def test_opened_signals_equal_mne_under_canonical_names(tmp_path: Path, write_signals: WriteSignals) -> None:
    path = write_signals(tmp_path / "a.bdf", ["E1", "Status", "E128", "Cz"])
    raw = open_raw(path)
    assert raw.ch_names == ["E1", "E128", "Cz"]
    expected = mne.io.read_raw_bdf(path, verbose="error").get_data(["E1", "E128", "Cz"])
    np.testing.assert_array_equal(raw.get_data(), expected)


def test_hearts_lamps_muscles_and_event_marks_are_dropped_and_old_names_understood(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    labels = ["EEG FP1-LE", "EEG T3-LE", "EEG T6-LE", "EEG A1-LE", "EEG EKG1-LE", "EEG EKG-LE", "ECG EKG-LE"]
    labels += ["EMG-LE", "PHOTIC-LE", "IBI", "BURSTS", "SUPPR", "EEG 26-LE", "EEG LOC-LE", "EEG ROC-LE"]
    labels += ["EEG RESP1-LE", "EEG SP1-LE", "EEG C3P-LE", "PULSE RATE", "DC1-DC", "EEG PG1-LE", "EEG T1-LE"]
    raw = open_raw(write_signals(tmp_path / "a.edf", labels, sfreq=250))
    assert raw.ch_names == ["Fp1", "T7", "P8", "A1"]


def test_channels_that_are_no_electrodes_may_have_any_rate_and_unit(tmp_path: Path) -> None:
    rates = {"EEG CZ-REF": 250, "EEG EKG1-REF": 1000, "EEG O1-REF": 250, "PULSE RATE": 1}
    raw = open_raw(write_edf(tmp_path / "a.edf", rates=rates, units={"PULSE RATE": "bpm"}))
    assert raw.info["sfreq"] == 250
    assert raw.get_data().shape == (2, 2500)
    assert 15e-6 < raw.get_data().std() < 25e-6


def test_electrodes_of_uneven_rates_are_refused(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "a.edf", rates={"EEG CZ-REF": 250, "EEG O1-REF": 500})
    with pytest.raises(ValueError, match="uneven sampling rates: 250, 500 Hz"):
        open_raw(path)


def test_electrodes_without_a_unit_of_voltage_are_refused(tmp_path: Path) -> None:
    for unit in ("", "degC"):
        path = write_edf(tmp_path / "a.edf", rates={"EEG CZ-REF": 250}, units={"EEG CZ-REF": unit})
        with pytest.raises(ValueError, match=f"'{unit}', which is no unit"):
            open_raw(path)


@pytest.mark.parametrize("sfreq", [250, 256, 400, 500, 512, 1000, 1024])
def test_every_rate_of_tuh_opens_in_volts(tmp_path: Path, sfreq: int) -> None:
    raw = open_raw(write_edf(tmp_path / "a.edf", rates={"EEG FP1-REF": sfreq, "EEG T4-REF": sfreq}))
    assert raw.info["sfreq"] == sfreq
    assert raw.n_times == 10 * sfreq
    np.testing.assert_allclose(raw.get_data().std(axis=1), 20e-6, rtol=0.1)


def test_records_of_any_length_hold_the_same_signal(tmp_path: Path) -> None:
    signal = np.random.default_rng(0).normal(0, 20, 2500)
    opened = []
    for seconds in (0.1, 1, 5):
        path = tmp_path / f"{seconds}.edf"
        edfio.Edf(
            [edfio.EdfSignal(signal, 250, label="EEG CZ-REF", **UV)], data_record_duration=seconds
        ).write(path)
        opened.append(open_raw(path).get_data())
    np.testing.assert_array_equal(opened[0], opened[1])
    np.testing.assert_array_equal(opened[0], opened[2])


@pytest.mark.parametrize("n_chans", [16, 32, 64])
def test_montages_of_16_to_64_electrodes_are_kept_whole(tmp_path: Path, n_chans: int) -> None:
    names = mne.channels.make_standard_montage("biosemi64").ch_names[:n_chans]
    raw = open_raw(write_edf(tmp_path / "a.edf", rates={f"EEG {name.upper()}-REF": 256 for name in names}))
    assert [name.upper() for name in raw.ch_names] == [name.upper() for name in names]


def test_e1_and_e2_beside_ten_twenty_names_are_the_eyes(tmp_path: Path) -> None:
    rates = dict.fromkeys(("E1", "E2", "EEG C3-REF", "EEG CZ-REF"), 250)
    assert open_raw(write_edf(tmp_path / "a.edf", rates=rates)).ch_names == ["C3", "Cz"]
    assert open_raw(write_edf(tmp_path / "b.edf", rates={"E1": 250, "E129": 250})).ch_names == ["E1", "Cz"]


@pytest.mark.parametrize(("size", "why"), [(64, "HydroCel-64"), (256, "larger net")])
def test_a_net_of_another_size_is_not_taken_for_the_one_of_hbn(tmp_path: Path, size: int, why: str) -> None:
    rates = dict.fromkeys([*(f"E{number}" for number in range(1, size + 1)), "Cz"], 100)
    with pytest.raises(ValueError, match=why):
        open_raw(write_edf(tmp_path / "a.edf", rates=rates))


def test_electrodes_of_unknown_names_are_named_after_their_places(tmp_path: Path) -> None:
    places = 0.09 * positions(TEN_TWENTY).astype(float)
    path = write_set(tmp_path / "a.set", [f"chan{index}" for index in range(len(TEN_TWENTY))], places=places)
    assert open_raw(path).ch_names == list(TEN_TWENTY)
    unplaced = write_set(tmp_path / "b.set", [f"chan{index}" for index in range(len(TEN_TWENTY))])
    with pytest.raises(ValueError, match=r"no EEG channel: none of its labels .*, and it holds no positions"):
        open_raw(unplaced)


def test_places_of_a_real_file_agree_with_its_names(tmp_path: Path, real_recordings: Path) -> None:
    named = mne.io.read_raw_eeglab(real_recordings / "eeglab_data.set", preload=True, verbose="error")
    named.pick([name for name in named.ch_names if not name.startswith("EOG")])
    unnamed = named.copy().rename_channels({name: f"chan{i}" for i, name in enumerate(named.ch_names)})
    mne.export.export_raw(tmp_path / "a.set", unnamed, verbose="error")
    found = open_raw(tmp_path / "a.set").ch_names
    assert len(found) == 30
    canonical = open_raw(real_recordings / "eeglab_data.set").ch_names
    degrees = np.degrees(np.arccos(np.clip((positions(found) * positions(canonical)).sum(axis=1), -1, 1)))
    assert degrees.max() < 13  # its template is that of another head: at most one step of the 10-05 system


def test_brainvision_and_fif_open_as_mne_reads_them(tmp_path: Path) -> None:
    names = ["Fp1", "Cz", "HEOG", "O2"]
    signal = np.random.default_rng(0).normal(0, 2e-5, (4, 1000))
    raw = mne.io.RawArray(signal, mne.create_info(names, 250, "eeg"), verbose="error")
    raw.save(tmp_path / "a_eeg.fif", verbose="error")
    (signal.T / 1e-7).astype("<i2").tofile(tmp_path / "b.eeg")
    channels = "".join(f"Ch{index}={name},,0.1,µV\n" for index, name in enumerate(names, start=1))
    (tmp_path / "b.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        "DataFile=b.eeg\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=4\n"
        f"SamplingInterval=4000\n\n[Binary Infos]\nBinaryFormat=INT_16\n\n[Channel Infos]\n{channels}",
        encoding="utf-8",
    )
    for path in (tmp_path / "a_eeg.fif", tmp_path / "b.vhdr"):
        opened = open_raw(path)
        assert opened.ch_names == ["Fp1", "Cz", "O2"]
        assert opened.info["sfreq"] == 250
        np.testing.assert_allclose(opened.get_data(), signal[[0, 1, 3]], atol=1e-7)
    assert [file.name for file in source_files(tmp_path / "b.vhdr", opened)] == ["b.vhdr", "b.eeg"]


def test_a_set_with_its_signals_beside_it_is_two_files(tmp_path: Path, real_recordings: Path) -> None:
    for file in real_recordings.glob("eeglab_data.*"):
        shutil.copyfile(file, tmp_path / file.name)
    path = tmp_path / "eeglab_data.set"
    assert source_files(path, open_raw(path)) == [path, tmp_path / "eeglab_data.fdt"]
    inside = write_set(tmp_path / "inside.set", ["Cz", "O1"])
    assert source_files(inside, open_raw(inside)) == [inside]
    whole = (tmp_path / "eeglab_data.fdt").read_bytes()
    (tmp_path / "eeglab_data.fdt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"truncated: eeglab_data\.fdt holds 15252 of 30504 samples"):
        open_raw(path)
    (tmp_path / "eeglab_data.fdt").unlink()
    with pytest.raises(FileNotFoundError, match=r"\.fdt"):
        open_raw(path)


def test_an_electrode_that_appears_twice_is_named(tmp_path: Path, write_signals: WriteSignals) -> None:
    with pytest.raises(ValueError, match="electrode T7 appears twice"):
        open_raw(write_signals(tmp_path / "a.edf", ["EEG T3-REF", "EEG T7-REF", "EEG CZ-REF"]))
    with pytest.raises(ValueError, match="electrode E5 appears twice"):
        open_raw(write_signals(tmp_path / "b.bdf", ["E5", "E5", "Cz"]))
    assert open_raw(write_signals(tmp_path / "c.edf", ["EEG CZ-REF", "IBI", "IBI"])).ch_names == ["Cz"]


def _damaged(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_every_broken_file_says_what_is_wrong_with_it(tmp_path: Path, write_signals: WriteSignals) -> None:
    edf = write_signals(tmp_path / "good.edf", ["EEG CZ-REF", "EEG O1-REF"]).read_bytes()
    bdf = write_signals(tmp_path / "good.bdf", ["E1", "Cz"]).read_bytes()
    eeglab = write_set(tmp_path / "good.set", ["E1", "Cz"]).read_bytes()
    more_records = edf[:236] + b"%-8d" % 99 + edf[244:]
    gaps = edf[:192] + b"EDF+D" + edf[197:]
    cases = {
        "empty.edf": (b"", "the file is empty"),
        "empty.set": (b"", "the file is empty"),
        "magic.edf": (b"<html>" + edf[6:], "not an EDF or BDF file"),
        "magic.set": (b"<html>" + eeglab[6:], "not an EEGLAB file"),
        "half.edf": (edf[: len(edf) // 2], "truncated: its header promises"),
        "half.bdf": (bdf[: len(bdf) // 2], "truncated: its header promises"),
        "header.bdf": (bdf[:400], "truncated within its header"),
        "half.set": (eeglab[: len(eeglab) // 2], "truncated: its variables take"),
        "records.edf": (more_records, "promises 99 data records"),
        "really_bdf.edf": (bdf, "a BDF file under the name of an EDF file"),
        "gaps.edf": (gaps, "EDF\\+D file without the signal that says when its data records began"),
        "eeg.xyz": (edf, "unknown format 'xyz'"),
        "noise.fif": (edf, r"MNE cannot read it \(.*it warned: "),
        "noise.gdf": (edf, "not a GDF file"),
    }
    for name, (content, reason) in cases.items():
        with pytest.raises(ValueError, match=reason):
            open_raw(_damaged(tmp_path / name, content))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("struct", [False, True])
def test_an_eeglab_file_that_lost_its_end_is_truncated_though_its_header_is_whole(
    tmp_path: Path, *, struct: bool, compressed: bool
) -> None:
    path = write_set(tmp_path / "a.set", ["E1", "Cz"])
    fields = {key: value for key, value in scipy.io.loadmat(path).items() if not key.startswith("__")}
    fields["data"] = fields.pop("data")  # last
    content = {"EEG": fields} if struct else fields
    scipy.io.savemat(path, content, appendmat=False, do_compression=compressed)
    assert open_raw(path).n_times == 1000
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="truncated: its variables take"):
        open_raw(path)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("struct", [False, True])
def test_signals_of_an_eeglab_file_are_not_read_for_its_header(
    tmp_path: Path, *, struct: bool, compressed: bool
) -> None:
    """Those of an hour of a net of 129 channels would not fit in memory side by side."""
    path = write_set(tmp_path / "a.set", ["E1", "Cz"])
    fields = {key: value for key, value in scipy.io.loadmat(path).items() if not key.startswith("__")}
    signals = np.random.default_rng(0).normal(0, 20, (2, 1_000_000)).astype(np.float32)
    fields |= {"data": signals, "pnts": 1_000_000}
    scipy.io.savemat(path, {"EEG": fields} if struct else fields, appendmat=False, do_compression=compressed)
    tracemalloc.start()
    raw = open_raw(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    if not (struct and compressed):  # which is one piece
        assert most < signals.nbytes / 4
    np.testing.assert_allclose(raw.get_data([1], 7, 9), signals[1:, 7:9] * 1e-6, rtol=1e-6)
    np.testing.assert_allclose(raw.get_data()[:, -5:], signals[:, -5:] * 1e-6, rtol=1e-6)


def test_a_header_of_a_recorder_that_was_never_stopped_is_no_fault(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    whole = write_signals(tmp_path / "a.edf", ["EEG CZ-REF"])
    content = whole.read_bytes()
    unclosed = _damaged(tmp_path / "b.edf", content[:236] + b"-1      " + content[244:])
    np.testing.assert_array_equal(open_raw(unclosed).get_data(), open_raw(whole).get_data())


@pytest.mark.parametrize(
    ("suffix", "unit", "volt"), [("edf", "nV", 1e-9), ("bdf", "mV", 1e-3), ("edf", "V", 1)]
)
def test_every_voltage_is_scaled_to_volts(tmp_path: Path, suffix: str, unit: str, volt: float) -> None:
    kind, signal = (edfio.Bdf, edfio.BdfSignal) if suffix == "bdf" else (edfio.Edf, edfio.EdfSignal)
    values = np.random.default_rng(0).normal(0, 20e-6 / volt, 1000)
    limits = (-1e-3 / volt, 1e-3 / volt)
    channel = signal(values, 100, label="Cz", physical_dimension=unit, physical_range=limits)
    kind([channel]).write(tmp_path / f"a.{suffix}")
    np.testing.assert_allclose(open_raw(tmp_path / f"a.{suffix}").get_data()[0], values * volt, atol=1e-7)


def write_vhdr(
    path: Path,
    names: Sequence[str],
    *,
    units: dict[str, str] | None = None,
    infos: str = "",
    resolution: str = "0.1",
) -> Path:
    """Write 4 s at 250 Hz of 20 µV of noise as BrainVision, with further lines for its common part."""
    signal = np.random.default_rng(0).normal(0, 20, (1000, len(names)))
    (signal / 0.1).astype("<i2").tofile(path.with_suffix(".eeg"))
    channels = "".join(
        f"Ch{index}={name},,{resolution},{(units or {}).get(name, 'µV')}\n"
        for index, name in enumerate(names, start=1)
    )
    path.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={path.stem}.eeg\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        f"NumberOfChannels={len(names)}\nSamplingInterval=4000\n{infos}\n"
        f"[Binary Infos]\nBinaryFormat=INT_16\n\n[Channel Infos]\n{channels}",
        encoding="utf-8",
    )
    return path


def test_a_channel_whose_unit_is_no_voltage_is_dropped_whatever_the_format(tmp_path: Path) -> None:
    names = ["Fp1", "Cz", "O2"]
    edf = write_edf(tmp_path / "a.edf", rates=dict.fromkeys(names, 250), units={"Cz": "BS"})
    vhdr = write_vhdr(tmp_path / "a.vhdr", names, units={"Cz": "BS"})
    info = mne.create_info(names, 250, ["eeg", "misc", "eeg"])
    noise = np.random.default_rng(0).normal(0, 2e-5, (3, 1000))
    mne.io.RawArray(noise, info, verbose="error").save(tmp_path / "a_raw.fif", verbose="error")
    for path in (edf, vhdr, tmp_path / "a_raw.fif"):
        assert open_raw(path).ch_names == ["Fp1", "O2"]
    with pytest.raises(ValueError, match="'BS', which is no unit of voltage"):
        open_raw(write_vhdr(tmp_path / "b.vhdr", names, units=dict.fromkeys(names, "BS")))


def test_a_file_of_signals_that_does_not_hold_what_its_header_says_is_refused(tmp_path: Path) -> None:
    names = ["Fp1", "Cz", "O2"]
    path = write_vhdr(tmp_path / "a.vhdr", names, infos="DataPoints=1000\n")
    assert open_raw(path).n_times == 1000
    signals, whole = path.with_suffix(".eeg"), path.with_suffix(".eeg").read_bytes()
    cases = {
        r"truncated: a\.eeg holds 500 of 1000 samples": whole[: len(whole) // 2],
        r"its header states 1000 samples, a\.eeg holds 1001": whole + whole[:6],
    }
    for words, content in cases.items():
        signals.write_bytes(content)
        with pytest.raises(ValueError, match=words):
            open_raw(path)
    signals.write_bytes(whole)
    path.write_text(path.read_text("utf-8").replace("DataPoints=1000\n", ""), encoding="utf-8")
    signals.write_bytes(whole[:-2])
    with pytest.raises(ValueError, match=r"truncated: a\.eeg holds 999\.6666667 samples of 3 channels"):
        open_raw(path)
    signals.write_bytes(whole)
    fewer = path.read_text("utf-8").replace("NumberOfChannels=3", "NumberOfChannels=2")
    path.write_text(fewer, encoding="utf-8")
    with pytest.raises(ValueError, match="its header states 2 channels and names 3"):
        open_raw(path)


def test_a_fif_file_that_lost_its_end_is_truncated(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 2e-5, (2, 1000))
    path = tmp_path / "a_raw.fif"
    mne.io.RawArray(noise, mne.create_info(["Fp1", "Cz"], 250, "eeg"), verbose="error").save(
        path, verbose="error"
    )
    whole = path.read_bytes()
    assert open_raw(path).n_times == 1000
    buffer = whole.index(noise[:, 500].astype(">f4").tobytes())  # the third of four
    for length in (buffer + 1000, buffer, buffer - 16, len(whole) - 8):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"truncated: .*a_raw\.fif"):
            open_raw(path)


@pytest.mark.parametrize("struct", [False, True])
def test_an_eeglab_header_and_its_signals_must_agree(tmp_path: Path, *, struct: bool) -> None:
    path = write_set(tmp_path / "a.set", ["E1", "Cz"])
    fields = {key: value for key, value in scipy.io.loadmat(path).items() if not key.startswith("__")}

    def write(changes: dict[str, Any]) -> None:
        content = fields | changes
        scipy.io.savemat(path, {"EEG": content} if struct else content, appendmat=False)

    cases: dict[str, dict[str, Any]] = {
        r"truncated: a\.set holds 1000 of 1500 samples": {"pnts": 1500},
        "its header states 2 channels of 900 samples, a.set holds 2 x 1000": {"pnts": 900},
        "its header states 3 channels and names 2": {"nbchan": 3},
        "it holds 2 epochs": {"trials": 2},
        "its header states no srate": {"srate": "fast"},
        "a sampling rate of 0 Hz": {"srate": 0.0},
        "its header states -5 as pnts": {"pnts": -5},
    }
    for words, changes in cases.items():
        write(changes)
        with pytest.raises(ValueError, match=re.escape(words) if "." not in words[:20] else words):
            open_raw(path)
    write({"event": np.array([(-5.0, "square")], dtype=[("latency", "O"), ("type", "O")])})
    assert open_raw(path).n_times == 1000  # events come from the table beside it


def test_eeglab_files_are_read_as_mne_reads_them(tmp_path: Path, real_recordings: Path) -> None:
    beside = real_recordings / "eeglab_data.set"
    whole = mne.io.read_raw_eeglab(beside, preload=True, verbose="error")
    mne.export.export_raw(tmp_path / "inside.set", whole, verbose="error")
    fields = {k: v for k, v in scipy.io.loadmat(tmp_path / "inside.set").items() if not k.startswith("__")}
    scipy.io.savemat(tmp_path / "struct.set", {"EEG": fields}, appendmat=False)
    for path in (beside, tmp_path / "inside.set", tmp_path / "struct.set"):
        ours, theirs = open_raw(path), mne.io.read_raw_eeglab(path, preload=True, verbose="error")
        names = [name for name in theirs.ch_names if not name.startswith("EOG")]
        np.testing.assert_allclose(ours.get_data(), theirs.get_data(names), rtol=1e-6)
        np.testing.assert_array_equal(ours.get_data([3, 1], 100, 300), ours.get_data()[[3, 1], 100:300])


def test_the_signals_of_a_set_are_those_of_its_own_name(tmp_path: Path, real_recordings: Path) -> None:
    for name in ("sub-A", "sub-B"):
        shutil.copyfile(real_recordings / "eeglab_data.set", tmp_path / f"{name}.set")
    whole = (real_recordings / "eeglab_data.fdt").read_bytes()
    (tmp_path / "eeglab_data.fdt").write_bytes(bytes(len(whole)))  # by this name both headers call for it
    (tmp_path / "sub-B.fdt").write_bytes(whole)
    expected = open_raw(real_recordings / "eeglab_data.set").get_data()
    np.testing.assert_array_equal(open_raw(tmp_path / "sub-B.set").get_data(), expected)
    with pytest.raises(FileNotFoundError, match=r"sub-A\.fdt"):
        open_raw(tmp_path / "sub-A.set")


def change(content: bytes, at: int, text: bytes) -> bytes:
    return content[:at] + text + content[at + len(text) :]


def edf_plus(path: Path, onsets: Sequence[float]) -> bytes:
    """An EDF+D file of records of 1 s that begin at these times."""
    noise = np.random.default_rng(0).normal(0, 20, 100 * len(onsets))
    edf = edfio.Edf(
        [edfio.EdfSignal(noise, 100, label="Cz", **UV), edfio.EdfSignal(noise, 100, label="O1", **UV)],
        annotations=[edfio.EdfAnnotation(0.5, None, "eyes closed")],
    )
    content = edf.to_bytes().replace(b"EDF+C", b"EDF+D")
    for record, onset in enumerate(onsets):
        before, after = (f"+{time:g}\x14\x14\x00".encode() for time in (record, onset))
        at = content.index(before, content.index(b"EDF Annotations") + 1024)
        content = content[:at] + after.replace(b"\x00", b"\x00") + content[at + len(after) :]
    path.write_bytes(content)
    return content


def test_an_edf_plus_d_file_is_read_where_its_record_stamps_have_no_gap(tmp_path: Path) -> None:
    edf_plus(tmp_path / "a.edf", [0, 1, 2, 3, 4])
    assert open_raw(tmp_path / "a.edf").n_times == 500
    edf_plus(tmp_path / "b.edf", [0, 1, 2, 7, 8])
    with pytest.raises(ValueError, match="its record stamps jump from 2 s to 7 s, while a record lasts 1 s"):
        open_raw(tmp_path / "b.edf")


def test_what_the_signals_of_an_edf_file_do_not_need_costs_nothing(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    whole = write_signals(tmp_path / "a.edf", ["EEG CZ-REF", "EEG O1-REF", "IBI"])
    content, expected = whole.read_bytes(), open_raw(whole).get_data()
    header, signals = content[:1024], content[1024:]
    harmless = {
        "start": change(content, 168, b"99.99.99xx:yy:zz"),
        "length": change(content, 184, b"256     "),
        "nul": re.sub(rb" {2,}", lambda spaces: bytes(len(spaces[0])), header) + signals,
        "latin1": change(content, 8, b"M\xfcller \xff\xfe"),
        "comma": content.replace(b"-3000   ", b"-3000,0 "),
        "of_another_channel": change(content, 256 + 3 * 104 + 16, b"nothing "),
        "longer": content + signals[:600],
        "unclosed": change(content, 236, b"0       "),
    }
    for name, changed in harmless.items():
        path = _damaged(tmp_path / f"{name}.edf", changed)
        np.testing.assert_array_equal(open_raw(path).get_data(), expected, err_msg=name)
    harmful = {
        "its header states no physical minimum of EEG CZ-REF, but 'nothing'": (256 + 3 * 104, b"nothing "),
        "digital limits of 32767 and 32767 for EEG CZ-REF": (256 + 3 * 120, b"32767   "),
        "no length of a data record, but 'one'": (244, b"one     "),
        "no number of samples in a record, but '-100'": (256 + 3 * 216, b"-100    "),
        "a sampling rate of 0.01 Hz": (244, b"10000   "),
    }
    for words, (at, text) in harmful.items():
        path = _damaged(tmp_path / "harmful.edf", change(content, at, text))
        with pytest.raises(ValueError, match=words):
            open_raw(path)


def test_electrodes_that_all_have_a_scale_of_zero_are_refused(
    tmp_path: Path, write_signals: WriteSignals
) -> None:
    content = write_signals(tmp_path / "a.edf", ["Cz", "O1"]).read_bytes()
    for index in (0, 1):
        content = change(content, 256 + 2 * 112 + 8 * index, b"-3000   ")
    with pytest.raises(ValueError, match="all EEG channels have a scale of 0: Cz, O1"):
        open_raw(_damaged(tmp_path / "b.edf", content))
    one = change(content, 256 + 2 * 112, b"3000    ")
    assert np.ptp(open_raw(_damaged(tmp_path / "c.edf", one)).get_data(["O1"])) == 0
