"""One bad file costs one file: every kind of fault, from the archive to the window index."""

import errno
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import edfio
import mne
import numpy as np
import pandas as pd
import pytest

from cerebro.cli import main
from cerebro.config import Dataset, Preprocessing, Quality, Splits, Windows
from cerebro.errors import UserError
from cerebro.recordings import matlab, signals
from cerebro.recordings.inventory import build_inventory
from cerebro.shards import build
from cerebro.shards.build import build_shard
from cerebro.shards.windows import build_index

LABELS = ("EEG FP1-REF", "EEG CZ-REF", "EEG O1-REF", "EEG O2-REF")
UV = {"physical_dimension": "uV", "physical_range": (-3e3, 3e3)}


def edf(path: Path, labels: tuple[str, ...] = LABELS, rates: tuple[int, ...] = (100,) * 4) -> Path:
    random = np.random.default_rng(0)
    signals = [
        edfio.EdfSignal(random.normal(0, 20, 10 * rate), rate, label=label, **UV)
        for label, rate in zip(labels, rates, strict=True)
    ]
    edfio.Edf(signals, data_record_duration=1).write(path)
    return path


def fif(path: Path, signal: np.ndarray) -> Path:
    info = mne.create_info(["Fp1", "Cz", "O1"], 100, "eeg")
    mne.io.RawArray(signal, info, verbose="error").save(path, verbose="error")
    return path


def fails_with(error: OSError) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


FAULTS = {
    "empty.edf": "empty",
    "halved.edf": "truncated",
    "header.edf": "truncated within its header",
    "magic.edf": "wrong first bytes",
    "twice.edf": "electrode Cz appears twice",
    "uneven.edf": "EEG channels at uneven sampling rates: 100, 200 Hz",
    "none.edf": "no EEG channel",
    "unitless.edf": "no unit of voltage",
    "disguised.bdf": "under the name of",
    "garbage.set": "not an EEGLAB file",
    "nan_raw.fif": "samples that are not finite in Cz",
    "millivolts_raw.fif": "three quarters of the seconds of its channels spread by less than 0.02",
}
"""Files and what must be said of them."""
IN_THE_SIGNALS = {"nan_raw.fif", "millivolts_raw.fif"}
"""Those of which it is found when their signals are read."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five sound recordings and one of each fault."""
    folder = tmp_path_factory.mktemp("archive")
    for name in "abcde":
        edf(folder / f"{name}.edf")
    whole = (folder / "a.edf").read_bytes()
    (folder / "empty.edf").touch()
    (folder / "halved.edf").write_bytes(whole[: len(whole) // 2])
    (folder / "header.edf").write_bytes(whole[:300])
    (folder / "magic.edf").write_bytes(b"<html>" + whole[6:])
    edf(folder / "twice.edf", (*LABELS[:3], "EEG CZ-LE"))
    edf(folder / "uneven.edf", rates=(100, 100, 100, 200))
    edf(folder / "none.edf", ("EEG EKG1-REF", "PHOTIC-REF", "IBI", "EEG 26-REF"))
    unit = edf(folder / "unitless.edf").read_bytes()
    (folder / "unitless.edf").write_bytes(unit.replace(b"uV      ", b"degC    "))
    shutil.copy(folder / "a.edf", folder / "disguised.bdf")
    (folder / "garbage.set").write_bytes(b"nothing at all")
    random = np.random.default_rng(0).normal(0, 2e-5, (3, 1000))
    broken = random.copy()
    broken[1, 500] = np.nan
    fif(folder / "nan_raw.fif", broken)
    fif(folder / "millivolts_raw.fif", random / 1000)
    return folder


def inventory(archive: Path, output: Path, *, state: Path | None = None, limit: float = 1.0) -> pd.DataFrame:
    dataset = Dataset(reader="files", roots=(archive,), max_failed_share=limit)
    build_inventory({"mine": dataset}, raw=None, excluded_subjects=(), output=output, state=state)
    return pd.read_parquet(output).assign(file=lambda rows: rows["path"].map(lambda path: Path(path).name))


def test_every_fault_is_quarantined_by_its_reason_and_the_rest_becomes_windows(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = inventory(archive, tmp_path / "inventory.parquet").set_index("file")
    said = capsys.readouterr().out
    build_shard(
        Preprocessing(),
        Quality(),
        inventory=tmp_path / "inventory.parquet",
        group="mine-0",
        output=tmp_path / "mine-0.npy",
        table=tmp_path / "mine-0.parquet",
    )
    build_index(
        Windows(),
        Splits(test=None),
        {},
        inventory=tmp_path / "inventory.parquet",
        shards=[tmp_path / "mine-0.parquet"],
        max_failed_share={"mine": 1.0},
        output=tmp_path / "index.parquet",
        summary=tmp_path / "index.json",
    )
    shard = pd.read_parquet(tmp_path / "mine-0.parquet")
    reasons = rows.loc[rows["status"] == "quarantined", "reason"].to_dict()
    names = {row.recording: file for file, row in rows.iterrows()}
    bad = shard[shard["status"] == "quarantined"]
    reasons |= dict(zip(bad["recording"].map(names), bad["reason"], strict=True))
    assert set(reasons) == set(FAULTS)
    for file, words in FAULTS.items():
        assert words in reasons[file], file
        assert "\n" not in reasons[file]
    assert set(bad["recording"].map(names)) == IN_THE_SIGNALS
    for file in set(FAULTS) - IN_THE_SIGNALS:
        assert str(archive / file) in said
    index = pd.read_parquet(tmp_path / "index.parquet")
    assert index.groupby("subject").size().to_dict() == dict.fromkeys("abcde", 5)
    summary = json.loads((tmp_path / "index.json").read_text())
    assert sum(summary["recordings_unused"]["mine"]["quarantined"].values()) == 10
    assert sum(summary["recordings_quarantined"]["mine"].values()) == 2


def test_more_than_the_allowed_share_of_faults_stops_the_step(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"10 of 17 recordings of mine are quarantined.*max_failed_share = 0\.1"
    ):
        inventory(archive, tmp_path / "inventory.parquet", limit=0.1)
    assert not (tmp_path / "inventory.parquet").exists()


def test_whoever_is_stopped_by_faults_finds_every_file_and_its_reason_in_a_list(
    archive: Path, tmp_path: Path
) -> None:
    listed = tmp_path / "quarantined.csv"
    with pytest.raises(UserError, match=rf"{re.escape(str(listed))} lists all of them"):
        inventory(archive, tmp_path / "inventory.parquet", limit=0.1)
    reasons = {Path(row.path).name: row.reason for row in pd.read_csv(listed).itertuples()}
    assert set(reasons) == set(FAULTS) - IN_THE_SIGNALS
    for file, reason in reasons.items():
        assert FAULTS[file] in reason
    (tmp_path / "sound").mkdir()
    edf(tmp_path / "sound" / "a.edf")
    inventory(tmp_path / "sound", tmp_path / "inventory.parquet")
    assert pd.read_csv(listed).empty


def test_a_clean_second_run_opens_no_quarantined_file_again_unless_it_changed(
    archive: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "archive"
    shutil.copytree(archive, folder)
    state = tmp_path / "state"
    first = inventory(folder, tmp_path / "inventory.parquet", state=state)
    for path in folder.iterdir():  # as if it had been mended behind the back of size and time
        if path.name in FAULTS and path.suffix == ".edf":
            stat = path.stat()
            path.write_bytes(b"x" * stat.st_size)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    second = inventory(folder, tmp_path / "inventory.parquet", state=state)
    pd.testing.assert_frame_equal(first, second)
    edf(folder / "halved.edf")
    third = inventory(folder, tmp_path / "inventory.parquet", state=state).set_index("file")
    assert third.loc["halved.edf", "status"] == "ok"
    others = second[second["file"] != "halved.edf"].set_index("file")
    pd.testing.assert_frame_equal(third.drop("halved.edf"), others)


def test_what_the_disk_does_not_give_stops_the_inventory_and_is_tried_again(tmp_path: Path) -> None:
    folder, state, output = tmp_path / "archive", tmp_path / "state", tmp_path / "inventory.parquet"
    folder.mkdir()
    edf(folder / "a.edf")
    path = folder / "b.edf"
    path.symlink_to("/proc/self/mem")  # every read fails, for root too
    with pytest.raises(
        UserError, match=r"1 of mine's recordings can't be read \(first: .*b\.edf: OSError: "
    ) as it:
        inventory(folder, output, state=state)
    assert "running again may help" in str(it.value)
    assert not output.exists()
    assert "b.edf" not in (state / "headers.jsonl").read_text()
    path.unlink()
    edf(path)
    assert inventory(folder, output, state=state)["status"].to_list() == ["ok", "ok"]


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENOMEM])
@pytest.mark.parametrize("file", ["a.set", "a_raw.fif"])
def test_a_passing_fault_of_the_disk_is_no_fault_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, file: str
) -> None:
    folder, state, output = tmp_path / "archive", tmp_path / "state", tmp_path / "inventory.parquet"
    folder.mkdir()
    raw = mne.io.RawArray(np.zeros((2, 400)), mne.create_info(["Fp1", "Cz"], 100, "eeg"), verbose="error")
    if file == "a.set":
        mne.export.export_raw(folder / file, raw, verbose="error")
    else:
        raw.save(folder / file, verbose="error")
    edf(folder / "b.edf")
    reader = (matlab.os, "pread") if file == "a.set" else (mne.io, "read_raw")
    with monkeypatch.context() as patch:
        patch.setattr(*reader, fails_with(OSError(code, os.strerror(code))))
        with pytest.raises(UserError, match=rf"{file}: .*{os.strerror(code)}.*running again may help"):
            inventory(folder, output, state=state)
    assert inventory(folder, output, state=state)["status"].to_list() == ["ok", "ok"]
    with monkeypatch.context() as patch:
        patch.setattr(*reader, fails_with(OSError("no number, a reader's own words")))
        os.utime(folder / file)
        assert "no number, a reader's own words" in inventory(folder, output, state=state)["reason"][0]
    assert inventory(folder, output, state=state)["status"][0] == "quarantined"  # remembered


@pytest.mark.parametrize("where", ["read_edf_header", "get_data"])
def test_a_shard_is_never_finished_without_what_the_disk_did_not_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    (tmp_path / "archive").mkdir()
    edf(tmp_path / "archive" / "a.edf")
    edf(tmp_path / "archive" / "b.edf")
    inventory(tmp_path / "archive", tmp_path / "inventory.parquet")
    settings = {"preprocessing": Preprocessing(), "quality": Quality()}
    texts = {name: part.model_dump(mode="json") for name, part in settings.items()}
    command = [
        *("shard", "--settings", json.dumps(texts), "--group", "mine-0"),
        *("--inventory", str(tmp_path / "inventory.parquet")),
        *("--output", str(tmp_path / "mine-0.npy"), "--table", str(tmp_path / "mine-0.parquet")),
    ]
    with monkeypatch.context() as patch:
        stale = OSError(errno.ESTALE, "Stale file handle")
        patch.setattr(signals if where == "read_edf_header" else mne.io.BaseRaw, where, fails_with(stale))
        assert main(command) == 1
    said = capsys.readouterr().err
    assert re.fullmatch(r"cerebro shard: .*a\.edf can't be read \(.*Stale.*running again may help\n", said)
    assert not list(tmp_path.glob("*mine-0*"))
    assert main(command) == 0
    assert (pd.read_parquet(tmp_path / "mine-0.parquet")["length"] == 1000).all()


def fault_of_our_own(*_: object, **__: object) -> None:
    raise AttributeError("'NoneType' object has no attribute 'shape'")


@pytest.mark.parametrize("where", ["bad_channels", "preprocess", "recording_quality", "refuse_no_eeg"])
def test_a_fault_of_this_package_is_never_called_a_broken_recording_by_the_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (tmp_path / "archive").mkdir()
    edf(tmp_path / "archive" / "a.edf")
    inventory(tmp_path / "archive", tmp_path / "inventory.parquet")
    monkeypatch.setattr(build, where, fault_of_our_own)
    with pytest.raises(AttributeError, match="no attribute 'shape'"):
        build_shard(
            Preprocessing(),
            Quality(),
            inventory=tmp_path / "inventory.parquet",
            group="mine-0",
            output=tmp_path / "mine-0.npy",
            table=tmp_path / "mine-0.parquet",
        )
    assert not list(tmp_path.glob("*mine-0*"))


@pytest.mark.parametrize("where", ["edf_electrodes", "electrodes_by_any", "refuse_times", "RawEeglab"])
def test_a_fault_of_this_package_is_never_called_a_broken_recording_by_the_inventory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (tmp_path / "archive").mkdir()
    edf(tmp_path / "archive" / "a.edf")
    raw = mne.io.RawArray(np.zeros((2, 400)), mne.create_info(["Fp1", "Cz"], 100, "eeg"), verbose="error")
    mne.export.export_raw(tmp_path / "archive" / "a.set", raw, verbose="error")
    monkeypatch.setattr(signals, where, fault_of_our_own)
    with pytest.raises(AttributeError, match="no attribute 'shape'"):
        inventory(tmp_path / "archive", tmp_path / "inventory.parquet")
    assert not (tmp_path / "inventory.parquet").exists()
