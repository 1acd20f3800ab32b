"""`cerebro check` of people of one's own, without HBN and TUH: good declarations pass, bad ones are told."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pytest

from cerebro.cli import main

Check = Callable[..., tuple[int, str]]
CHANNELS = ("Fp1", "Fp2", "C3", "C4", "Cz", "Pz", "O1", "O2")
READER = """
from cerebro.recordings import events
from cerebro.recordings.bids_tables import read_participants
from cerebro.recordings.folders import walk_files
from cerebro.recordings.recording import Recording

def scan(roots):
    people = read_participants(roots[0] / "participants.tsv")
    for path in walk_files(roots):
        if path.suffix == ".edf":
            subject, task = path.name.split("_")[0], path.stem.split("task-")[1].split("_")[0]
            yield Recording(path=path, subject=subject, task=task, name=(subject, task), reference="average",
                            person=people[subject])

def read_events(path):
    return events.read_events(path.with_name(path.name.replace("_eeg.edf", "_events.tsv")))
"""
EVENTS = "onset\tduration\ttrial_type\tresponse_time\n" + "".join(
    [
        "1.0\t10.0\teyes_open\tn/a\n11.0\t10.0\teyes_closed\tn/a\n",
        *(f"{onset}\t0\ttarget_left\t{0.4 + onset / 100}\n" for onset in (22.0, 26.0, 30.0)),
    ]
)
STUDY: dict[str, Any] = {
    "name": "own",
    "datasets": {"rest": {"reader": "reader_of_own_people", "roots": ["data/rest"]}},
    "labels": {
        "age": {"of": "person", "column": "age", "range": [0, 99]},
        "epilepsy": {"of": "person", "column": "group", "classes": ["control", "epilepsy"]},
        "eyes": {"of": "interval", "classes": {"open": "eyes_open", "closed": "eyes_closed"}},
        "speed": {
            "of": "event",
            "at": ["target_left", "target_right"],
            "column": "response_time",
            "window": [0.5, 2.5],
            "range": [0.2, 2.4],
        },
    },
    "phases": {
        "tokenizer": {"kind": "tokenizer"},
        "group": {"kind": "finetune", "target": "epilepsy"},
        "state": {"kind": "finetune", "target": "eyes"},
        "speed": {"kind": "finetune", "target": "speed"},
    },
}


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    """Run the check on eight people of 40 s, with changes to sections of the study."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reader_of_own_people.py").write_text(READER)
    monkeypatch.syspath_prepend(tmp_path)
    signal = np.random.default_rng(0).normal(0, 20, 100 * 40)
    recording = edfio.Edf(
        [edfio.EdfSignal(signal, 100, label=name, physical_dimension="uV") for name in CHANNELS]
    ).to_bytes()
    rows = ["participant_id\tage\tgroup"]
    for number in range(8):
        folder = tmp_path / f"data/rest/sub-{number}/eeg"
        folder.mkdir(parents=True)
        (folder / f"sub-{number}_task-rest_eeg.edf").write_bytes(recording)
        (folder / f"sub-{number}_task-rest_events.tsv").write_text(EVENTS)
        rows.append(f"sub-{number}\t{20 + number}\t{'epilepsy' if number % 2 else 'Control'}")
    (tmp_path / "data/rest/participants.tsv").write_text("\n".join(rows) + "\n")

    def run(**changes: Mapping[str, Any] | None) -> tuple[int, str]:
        study = {**STUDY, **{key: STUDY.get(key, {}) | (value or {}) for key, value in changes.items()}}
        (tmp_path / "own.yaml").write_text(json.dumps(study))
        code = main(["check", str(tmp_path / "own.yaml")])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def told(said: str, mark: str) -> list[str]:
    return [line.removeprefix(f"{mark}: ") for line in said.splitlines() if line.startswith(mark)]


def test_a_study_of_ones_own_lacks_nothing_that_it_does_not_use(check: Check) -> None:
    code, said = check()
    assert code == 0, said
    assert told(said, "PROBLEM") == []
    assert "Nothing stands in the way of a run." in said
    for word in ("hbn", "tuh", "challenge", "movie", "externalizing", "R5"):
        assert word not in said
    assert "control 4, epilepsy 4" in said
    assert "20 to 27" in said
    assert re.search(r"eyes +intervals +(\d+) of \1 +\d+ +closed \d+, open \d+", said)
    assert re.search(r"speed +events +(\d+) of \1 +\d+ +0.62 to 0.7 ", said)


def test_without_a_test_split_nobody_is_missed(check: Check) -> None:
    code, said = check(splits={"test": None})
    assert code == 0, said
    assert told(said, "PROBLEM") == []


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (
            {"age": {"of": "person", "column": "Alter"}},
            "labels.age.column: no table of participants has a column 'Alter'; columns are 'age', 'group'",
        ),
        (
            {"epilepsy": {"of": "person", "column": "grup", "classes": ["control", "epilepsy"]}},
            "labels.epilepsy.column: no table of participants has a column 'grup'; did you mean 'group'?",
        ),
        (
            {"epilepsy": {"of": "person", "column": "group", "classes": ["healthy", "ill"]}},
            "labels.epilepsy: nobody has this label: column group holds 'Control', 'epilepsy'",
        ),
        (
            {"eyes": {"of": "interval", "classes": {"open": "open_eyes", "closed": "closed_eyes"}}},
            "phases.state: no train windows: they need labels.eyes: events with a value of open_eyes, "
            "closed_eyes; seen are eyes_closed, eyes_open, target_left",
        ),
        (
            {
                "speed": {
                    "of": "event",
                    "at": "targets_left",
                    "column": "response_time",
                    "window": [0.5, 2.5],
                }
            },
            "phases.speed: no train windows: they need labels.speed: events targets_left with a response_time"
            "; seen are target_left, eyes_",
        ),
        (
            {"speed": {"of": "event", "at": "target_left", "column": "rt", "window": [0.5, 2.5]}},
            "phases.speed: no train windows: they need labels.speed: events target_left with a rt; ",
        ),
        (
            {"eyes": STUDY["labels"]["eyes"] | {"tasks": ["eyes"]}},
            "events with a value of eyes_open, eyes_closed in recordings of eyes; the tasks are rest",
        ),
    ],
)
def test_a_bad_declaration_is_a_problem_before_anything_runs(
    check: Check, labels: Mapping[str, Any], sentence: str
) -> None:
    code, said = check(labels=labels)
    assert code == 1
    assert any(sentence in problem for problem in told(said, "PROBLEM")), said
    assert "Traceback" not in said


def test_a_class_that_nobody_has_is_noted(check: Check) -> None:
    _, said = check(
        labels={
            "epilepsy": {"of": "person", "column": "group", "classes": ["control", "epilepsy", "other"]},
        }
    )
    assert any("labels.epilepsy.classes: nobody is other" in note for note in told(said, "note")), said
