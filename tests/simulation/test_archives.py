"""The files as a reader of the real archives meets them."""

import json

import mne
import mne_bids
import numpy as np
import pandas as pd
import pytest
from eegdash.hbn.windows import build_trial_table

from cerebro.simulation.head import NET

RELEASES = {"R1": ("R1", "set", 500), "R5_L100_bdf": ("R5", "bdf", 100)}
TASKS = ("contrastChangeDetection_run-1", "RestingState", "DespicableMe")
READERS = {"set": mne.io.read_raw_eeglab, "bdf": mne.io.read_raw_bdf}


def _recordings(raw, folder, task="*"):
    return sorted((raw / "hbn" / folder).glob(f"sub-*/eeg/*_task-{task}_eeg.{RELEASES[folder][1]}"))


@pytest.mark.slow
@pytest.mark.parametrize("folder", RELEASES)
def test_mne_reads_every_hbn_recording_with_its_129_channels_in_plausible_microvolts(raw, folder):
    _, kind, sfreq = RELEASES[folder]
    paths = _recordings(raw, folder)
    assert len(paths) == len(TASKS) * len(list((raw / "hbn" / folder).glob("sub-*")))
    for path in paths:
        recording = READERS[kind](path, preload=True, verbose="error")
        assert recording.ch_names == [*(f"E{number}" for number in range(1, 129)), "Cz"]
        assert recording.info["sfreq"] == sfreq
        microvolts = 1e6 * recording.get_data()
        assert (microvolts[-1] == 0).all() or np.abs(microvolts[-1]).max() < 0.01  # the reference
        assert 5 < np.median(microvolts.std(axis=1)) < 100
        described = json.loads(path.with_name(path.name.replace(f"_eeg.{kind}", "_eeg.json")).read_text())
        assert described["RecordingDuration"] == pytest.approx(recording.n_times / sfreq)
        assert described["SamplingFrequency"] == sfreq


@pytest.mark.slow
@pytest.mark.parametrize("folder", RELEASES)
def test_mne_bids_reads_the_releases(raw, folder):
    root = raw / "hbn" / folder
    subject = mne_bids.get_entity_vals(root, "subject")[0]
    path = mne_bids.BIDSPath(
        root=root, subject=subject, task="contrastChangeDetection", run="1", datatype="eeg"
    )
    recording = mne_bids.read_raw_bids(path, verbose="error")
    assert set(recording.get_channel_types()) == {"eeg"}
    assert "contrastTrial_start" in set(recording.annotations.description)
    assert recording.info["line_freq"] == 60


@pytest.mark.parametrize("folder", RELEASES)
def test_reaction_times_of_the_events_file_are_the_true_ones(raw, folder):
    truth = pd.read_parquet(raw / "ground_truth.parquet").set_index("name")
    for path in _recordings(raw, folder, "contrastChangeDetection_run-1"):
        kind = RELEASES[folder][1]
        events = pd.read_csv(path.with_name(path.name.replace(f"_eeg.{kind}", "_events.tsv")), sep="\t")
        row = truth.loc[path.parents[1].name]
        table = build_trial_table(events)
        np.testing.assert_allclose(table.stimulus_onset, row.target_onset)
        np.testing.assert_allclose(table.rt_from_stimulus, row.reaction_time, atol=1e-9)


def test_only_originals_have_a_sample_column_and_it_counts_at_500_hz(raw):
    original = next((raw / "hbn" / "R1").glob("sub-*/eeg/*run-1_events.tsv"))
    copy = next((raw / "hbn" / "R5_L100_bdf").glob("sub-*/eeg/*run-1_events.tsv"))
    events = pd.read_csv(original, sep="\t")
    np.testing.assert_allclose(events["sample"], 500 * events["onset"], atol=1e-6)
    assert list(pd.read_csv(copy, sep="\t").columns) == [
        "onset", "duration", "value", "event_code", "feedback",
    ]  # fmt: skip


@pytest.mark.parametrize("task", TASKS)
def test_sidecars_have_the_columns_values_and_codes_of_the_real_ones(raw, sidecars, task):
    ours = sorted((raw / "hbn").glob(f"*/sub-*/eeg/*_task-{task}_events.tsv"))
    theirs = sorted(sidecars.glob(f"sub-*/eeg/*_task-{task}_events.tsv"))
    text = {"dtype": str, "keep_default_na": False, "sep": "\t"}
    known = pd.concat(pd.read_csv(path, **text) for path in theirs)
    for path in ours:
        events = pd.read_csv(path, **text)
        original = path.parents[2].name == "R1"
        columns = [name for name in pd.read_csv(theirs[0], **text).columns if original or name != "sample"]
        assert list(events.columns) == columns
        labels = [name for name in ("value", "event_code", "feedback") if name in columns]
        assert set(map(tuple, events[labels].to_numpy())) <= set(map(tuple, known[labels].to_numpy()))
        assert set(events["duration"]) == {"n/a"}
        described = json.loads(path.with_name(path.name.replace("_events.tsv", "_eeg.json")).read_text())
        real = json.loads(next(sidecars.glob(f"sub-*/eeg/*_task-{task}_eeg.json")).read_text())
        assert set(described) == set(real)
        for key in ("TaskName", "EEGReference", "EEGChannelCount", "PowerLineFrequency", "RecordingType"):
            assert described[key] == real[key]
    channels = next(sidecars.glob(f"sub-*/eeg/*_task-{task}_channels.tsv")).read_text()
    assert ours[0].with_name(ours[0].name.replace("_events", "_channels")).read_text() == channels


def test_participants_have_the_columns_and_values_of_the_real_table(raw, sidecars):
    text = {"dtype": str, "keep_default_na": False, "sep": "\t"}
    real = pd.read_csv(sidecars / "participants.tsv", **text)
    for folder, (release, _, _) in RELEASES.items():
        ours = pd.read_csv(raw / "hbn" / folder / "participants.tsv", **text)
        assert list(ours.columns) == list(real.columns)
        assert set(ours.release_number) == {release}
        assert set(ours.sex) <= {"M", "F"}
        for task in real.columns[11:]:
            assert set(ours[task]) <= {"available", "unavailable", "caution"}
        assert (ours.RestingState == "available").all()
        assert (ours.symbolSearch == "unavailable").all()


def test_tuh_recordings_have_the_corpus_s_folders_names_rates_and_headers(raw):
    truth = pd.read_parquet(raw / "ground_truth.parquet").set_index("name")
    paths = sorted((raw / "tuh" / "edf").glob("000/*/s001_*/*/*_s001_t000.edf"))
    assert len(paths) == 8
    rates, ages = set(), 0
    for path in paths:
        patient, montage = path.parents[2].name, path.parent.name
        recording = mne.io.read_raw_edf(path, preload=True, verbose="error")
        suffix = "LE" if montage == "02_tcp_le" else "REF"
        assert f"EEG FP1-{suffix}" in recording.ch_names
        assert f"PHOTIC-{suffix}" in recording.ch_names
        assert (f"EEG A1-{suffix}" in recording.ch_names) == (not montage.endswith("_a"))
        rates.add(recording.info["sfreq"])
        brain = 1e6 * recording.get_data([f"EEG {name}-{suffix}" for name in ("C3", "C4", "O1", "F4")])
        assert 4 < np.median(brain.std(axis=1)) < 100
        field = path.read_bytes()[8:88].decode()
        if "Age:" in field:
            ages += 1
            assert f"Age:{int(truth.loc[patient].age)}" in field.split()
            assert field.split()[1] == ("M" if truth.loc[patient].male else "F")
    assert rates == {250.0, 256.0}
    assert ages >= 5


def test_the_net_is_the_one_that_mne_knows(raw):
    path = _recordings(raw, "R5_L100_bdf")[0]
    recording = mne.io.read_raw_bdf(path, verbose="error")
    recording.set_montage(NET)
