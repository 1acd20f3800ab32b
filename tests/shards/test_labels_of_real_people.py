"""Declared labels over recordings of real people, from their files to the index, against their tables.

Times are those of the tables, which pandas reads here on its own.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter

from cerebro.config import AnyLabel, Dataset, Preprocessing, Quality, Splits, Windows
from cerebro.recordings.inventory import build_inventory
from cerebro.shards.build import build_shard
from cerebro.shards.windows import build_index

READER = """
import re
from cerebro.recordings import events
from cerebro.recordings.bids_tables import read_participants
from cerebro.recordings.folders import walk_files
from cerebro.recordings.recording import Recording

NAME = re.compile(r"(sub-[0-9]+)(?:_ses-([0-9]+))?_task-([a-z]+)_eeg[.]edf")

def scan(roots):
    people = read_participants(roots[0] / "participants.tsv")
    for path in walk_files(roots):
        if found := NAME.fullmatch(path.name):
            subject, session, task = found.groups(default="")
            yield Recording(path=path, subject=subject, session=session, task=task,
                            name=(subject, session, task), reference="unknown", person=people[subject])

def read_events(path):
    return events.read_events(path.with_name(path.name.replace("_eeg.edf", "_events.tsv")))
"""
Build = Callable[..., pd.DataFrame]


@pytest.fixture(scope="module")
def build(real_recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Build]:
    """The index of some people of a set, with a column of the length (s) of each recording."""

    def index(name: str, people: tuple[str, ...], labels: Mapping[str, Any]) -> pd.DataFrame:
        folder = tmp_path_factory.mktemp(name)
        dataset = Dataset(reader="reader_of_real_sets", roots=(real_recordings / name,), keep=people)
        build_inventory({name: dataset}, raw=None, excluded_subjects=(), output=folder / "inventory.parquet")
        build_shard(
            Preprocessing(),
            Quality(),
            inventory=folder / "inventory.parquet",
            group=f"{name}-0",
            output=folder / f"{name}-0.npy",
            table=folder / f"{name}-0.parquet",
        )
        build_index(
            Windows(),
            Splits(test=None),
            TypeAdapter(dict[str, AnyLabel]).validate_python(labels),
            inventory=folder / "inventory.parquet",
            shards=[folder / f"{name}-0.parquet"],
            max_failed_share={name: 0.0},
            output=folder / "index.parquet",
            summary=folder / "index.json",
        )
        shard = pd.read_parquet(folder / f"{name}-0.parquet").set_index("recording")
        windows = pd.read_parquet(folder / "index.parquet")
        return windows.assign(seconds=windows["recording"].map(shard["length"]) / 100)

    with pytest.MonkeyPatch.context() as patch:
        module = tmp_path_factory.mktemp("readers")
        (module / "reader_of_real_sets.py").write_text(READER)
        patch.syspath_prepend(module)
        yield index


def people_of(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "participants.tsv", sep="\t").set_index("participant_id")


def test_eyes_and_group_of_the_study_in_guinea_bissau(build: Build, real_recordings: Path) -> None:
    folder, people = real_recordings / "guinea_bissau", ("sub-001", "sub-008", "sub-009", "sub-073")
    index = build(
        "guinea_bissau",
        people,
        {
            "epilepsy": {"of": "person", "column": "group", "classes": ["control", "epilepsy"]},
            "quality": {"of": "person", "column": "contact_quality", "range": [0, 5]},
            "eyes": {
                "of": "interval",
                "column": "trial_type",
                "classes": {"open": "eyes_open", "closed": "eyes_closed"},
                "settle_seconds": 1,
                "seconds": 4,
            },
        },
    )
    table = people_of(folder)
    assert set(index["subject"]) == set(people)
    for subject, own in index.groupby("subject"):
        assert set(own["epilepsy"]) == {table.loc[subject, "group"]}
        assert set(own["quality"]) == {table.loc[subject, "contact_quality"]}
    eyes, fixed = index[index["kind"] == "eyes"], index[index["kind"] == "fixed"]
    assert set(eyes["length"]) == {400}
    assert set(fixed["length"]) == {200}
    assert (eyes["stream"] == eyes["eyes"]).all()
    counted = 0
    for subject, own in index.groupby("subject"):
        events = pd.read_csv(folder / f"{subject}/eeg/{subject}_task-rest_events.tsv", sep="\t")
        seconds = own["seconds"].iloc[0]
        for event in events.itertuples():
            state = event.trial_type.removeprefix("eyes_")
            begin, end = event.onset + 1, min(event.onset + event.duration, seconds)
            there = own[(own["onset"] >= begin - 0.006) & (own["onset"] + own["length"] / 100 <= end + 0.006)]
            of_grid = there[there["kind"] == "fixed"]
            assert set(of_grid["eyes"]) == {state}
            side_by_side = there[there["kind"] == "eyes"]
            assert len(side_by_side) == int((end - begin) / 4)
            np.testing.assert_allclose(side_by_side["onset"], begin + 4 * np.arange(len(side_by_side)))
            assert set(side_by_side["eyes"]) == {state}
            counted += len(of_grid)
    assert (fixed["eyes"] != "").sum() == counted > 0
    assert set(eyes["eyes"]) == {"open", "closed"}


def test_load_age_and_sex_of_the_study_of_arithmetic(build: Build, real_recordings: Path) -> None:
    folder, people = real_recordings / "eegmat", ("sub-02", "sub-03", "sub-04")
    index = build(
        "eegmat",
        people,
        {
            "load": {"of": "recording", "entity": "task", "classes": ["rest", "arithmetic"]},
            "age": {"of": "person", "column": "age"},
            "grown_up": {"of": "person", "column": "age", "range": [18, 99]},
            "sex": {"of": "person", "column": "sex", "classes": {"male": "m", "female": "f"}},
            "folder": {
                "of": "recording",
                "entity": "folder",
                "classes": {"second": "sub-02", "other": ["sub-03", "sub-04"]},
            },
        },
    )
    table = people_of(folder)
    for (subject, recording), own in index.groupby(["subject", "recording"]):
        assert set(own["load"]) == {recording.rpartition("/")[2]}
        age = table.loc[subject, "age"]
        assert set(own["age"]) == {age}
        assert (own["grown_up"] == age).all() if age >= 18 else own["grown_up"].isna().all()
        assert set(own["sex"]) == {{"M": "male", "F": "female"}[table.loc[subject, "sex"]]}
        assert set(own["folder"]) == {"second" if subject == "sub-02" else "other"}
    assert set(index["kind"]) == {"fixed"}
    assert set(index["load"]) == {"rest", "arithmetic"}


def test_response_times_and_cues_of_the_study_with_four_dry_electrodes(
    build: Build, real_recordings: Path
) -> None:
    folder = real_recordings / "muse_cueing"
    targets = ["target_left", "target_right"]
    index = build(
        "muse_cueing",
        ("sub-0106", "sub-1102"),
        {
            "speed": {
                "of": "event",
                "at": targets,
                "column": "response_time",
                "window": [0.5, 2.5],
                "range": [0.2, 2.4],
                "time": True,
            },
            "validity": {
                "of": "event",
                "at": targets,
                "column": "validity",
                "classes": ["valid", "invalid"],
                "window": [-1.0, 1.0],
            },
            "side": {
                "of": "event",
                "at": ["cue_left", "cue_right"],
                "classes": {"left": "cue_left", "right": "cue_right"},
                "window": [0.0, 1.0],
            },
        },
    )
    for recording, own in index.groupby("recording"):
        _, subject, session, _ = recording.split("/")
        stem = f"{subject}/ses-{session}/eeg/{subject}_ses-{session}_task-cueing_events.tsv"
        events, seconds = pd.read_csv(folder / stem, sep="\t"), own["seconds"].iloc[0]
        target = events["trial_type"].isin(targets)
        for kind, (begin, end), known, value in (
            ("speed", (0.5, 2.5), target & events["response_time"].between(0.2, 2.4), "response_time"),
            ("validity", (-1.0, 1.0), target & events["validity"].notna(), "validity"),
            ("side", (0.0, 1.0), events["trial_type"].str.startswith("cue"), "trial_type"),
        ):
            windows = own[own["kind"] == kind]
            inside = (events["onset"] + begin >= 0) & (events["onset"] + end <= seconds)
            expected = events[known & inside]
            assert len(expected) > 20
            np.testing.assert_allclose(windows["onset"], expected["onset"] + begin, atol=0.0051)
            assert set(windows["length"]) == {round((end - begin) * 100)}
            assert set(windows["moment"]) == {begin}
            stated = expected[value]
            if kind == "speed":
                np.testing.assert_array_equal(windows["speed"], stated)
                assert list(windows["stream"]) == list(expected["trial_type"])
            else:
                assert list(windows[kind]) == list(stated.str.removeprefix("cue_"))
                assert list(windows["stream"]) == list(windows[kind])
    assert index.loc[index["kind"] != "speed", "speed"].isna().all()
