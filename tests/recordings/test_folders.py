"""Whose files are whose, by their names alone: what runs again when they change goes by it."""

from pathlib import Path

import pytest

from cerebro.recordings.folders import EVERYBODY, name_in_files, subject_of_file


@pytest.mark.parametrize(
    ("file", "subject"),
    [
        ("sub-01_task-rest_eeg.edf", "sub-01"),
        ("sub-01_sessions.tsv", "sub-01"),
        ("sub-01_ses-a_space-CTF_electrodes.tsv", "sub-01"),
        ("task-rest_eeg.json", EVERYBODY),
        ("channels.tsv", EVERYBODY),
        ("ses-a_electrodes.tsv", EVERYBODY),
        ("task-rest_events.tsv", EVERYBODY),
        ("participants.tsv", ""),
        ("dataset_description.json", ""),
        ("README", ""),
        ("sub-01.txt", ""),
    ],
)
def test_an_inherited_sidecar_is_everybody_s_and_other_files_are_one_subject_s(
    file: str, subject: str
) -> None:
    for reader in ("bids", "hbn"):
        assert subject_of_file(Path("data", file), reader) == subject
    assert subject_of_file(Path("data", file), "a.reader.of.ones.own") == ""


def test_files_know_nothing_of_the_dataset_that_stands_before_a_subject() -> None:
    assert name_in_files("my_study_sub-01", "bids") == name_in_files("sub-01", "bids") == "sub-01"
    assert name_in_files("aaaa_b", "files") == "aaaa_b"
