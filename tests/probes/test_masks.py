"""The audit of masks warns where the channels that take part tell a label, and only there."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from pydantic import TypeAdapter

from cerebro.config import AnyLabel
from cerebro.probes.masks import audit_masks
from cerebro.shards.store import ShardWriter, quantise, write_table

CHALLENGE = yaml.safe_load((Path(__file__).parents[2] / "config" / "challenge.yaml").read_text())
LABELS = TypeAdapter(dict[str, AnyLabel]).validate_python(CHALLENGE["labels"])
CHANNELS = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "Cz", "Pz")
PEOPLE, SECONDS = 16, 40
SEED = 5


def write_study(root: Path, faults: Any) -> None:
    """Sixteen people with two recordings each, of the tasks `rest` and `sums`; faults change the signals.

    ``faults`` takes signal (n_times, n_chans), the person's number and the task, and changes it in place.
    """
    random = np.random.default_rng(SEED)
    (root / "shards").mkdir(parents=True)
    rows: list[dict[str, Any]] = []
    recordings = []
    with ShardWriter(root / "shards/own-0.npy", n_chans=len(CHANNELS)) as writer:
        for person in range(PEOPLE):
            for task in ("rest", "sums"):
                signal = random.normal(0, 20, (SECONDS * 100, len(CHANNELS)))
                faults(signal, person, task)
                name, offset = f"own/{person}/{task}", writer.n_times
                writer.append(quantise(signal)[0])
                recordings.append({"recording": name, "offset": offset, "length": len(signal)})
                rows += [
                    {
                        "kind": kind,
                        "dataset": "own",
                        "subject": f"sub-{person}",
                        "recording": name,
                        "shard": "own-0",
                        "start": offset + start,
                        "length": 200,
                        "split": "train" if person % 2 else "test",
                        "task": task,
                        "age": 20.0 + person,
                        "sex": ("male", "female")[person % 2],
                        "p_factor": np.nan,
                        "attention": np.nan,
                        "internalizing": np.nan,
                        "externalizing": np.nan,
                        "eyes": ("open" if start < 2000 else "closed") if kind == "eyes" else "",
                        "reaction_time": np.nan,
                        "condition": "",
                        "trial": "",
                    }
                    for kind in ("fixed", "eyes")
                    for start in range(0, SECONDS * 100, 200)
                ]
    table = pa.Table.from_pylist(recordings)
    write_table(root / "shards/own-0.parquet", table, channels=CHANNELS, sfreq=100.0)
    index = pd.DataFrame(rows)
    index.insert(0, "window", np.arange(len(index)))
    index.to_parquet(root / "index.parquet")


def audited(root: Path, faults: Any) -> dict[str, Any]:
    write_study(root, faults)
    audit_masks(LABELS, index=root / "index.parquet", shards=root / "shards", output=root / "masks.json")
    return json.loads((root / "masks.json").read_text())


def test_channels_that_are_flat_in_one_task_only_tell_the_task_and_a_warning_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(SEED)

    def faults(signal: np.ndarray, person: int, task: str) -> None:
        if task == "sums" and person % 8:
            signal[:, random.choice(len(CHANNELS), 3, replace=False)] = 0

    said = audited(tmp_path, faults)
    labels = said["datasets"]["own"]["labels"]
    assert labels["task"]["above_chance"]
    assert labels["task"]["metric"] == "auc"
    assert labels["task"]["value"] > 0.85
    assert labels["task"]["low"] > 0.6
    assert not any(labels[name]["above_chance"] for name in ("age", "sex", "eyes"))
    assert "reaction_time" not in labels
    (warning,) = said["warnings"]
    assert warning.startswith(
        "own: the channels that models leave out of windows tell task by themselves (auc"
    )
    assert f"warning: {warning}" in capsys.readouterr().out


def test_an_electrode_that_moves_with_the_eyes_tells_the_eyes(tmp_path: Path) -> None:
    def faults(signal: np.ndarray, person: int, task: str) -> None:
        signal[:2000, 0] *= 30 if person % 4 else 1

    labels = audited(tmp_path, faults)["datasets"]["own"]["labels"]
    assert labels["eyes"]["above_chance"]
    assert not labels["task"]["above_chance"]


def test_faults_that_follow_no_label_are_no_reason_to_warn(tmp_path: Path) -> None:
    random = np.random.default_rng(SEED)

    def faults(signal: np.ndarray, person: int, task: str) -> None:
        signal[:, random.random(len(CHANNELS)) < 0.15] = 0

    said = audited(tmp_path, faults)
    assert said["warnings"] == []
    assert said["datasets"]["own"]["left_out"] == pytest.approx(0.15 * len(CHANNELS), rel=0.3)
    assert {"task", "age", "sex", "eyes"} <= set(said["datasets"]["own"]["labels"]), f"seed {SEED}"


def test_where_no_channel_is_ever_left_out_nothing_can_be_told(tmp_path: Path) -> None:
    said = audited(tmp_path, lambda *_: None)
    assert said["warnings"] == []
    assert said["datasets"]["own"]["left_out"] == 0
    assert set(map(str, said["datasets"]["own"]["labels"]["task"].values())) == {
        "the same channels take part in all windows"
    }


def test_a_handful_of_people_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.PEOPLE", 4)

    def faults(signal: np.ndarray, person: int, task: str) -> None:
        signal[:, 0] *= task == "rest"

    said = audited(tmp_path, faults)
    assert said["warnings"] == []
    assert said["datasets"]["own"]["labels"]["age"] == {"not_measurable": "4 people, 10 are needed"}
