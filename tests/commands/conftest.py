"""Right commands on small files, for tests to make wrong ones of."""

import json
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from cerebro.cli import main
from cerebro.config import (
    AdapterComparison,
    EncoderSettings,
    InterSubject,
    Preprocessing,
    Probes,
    Quality,
    Splits,
    Statistics,
    Windows,
)
from cerebro.config.nodes import BaselinePhase, ContrastPhase
from cerebro.recordings import inventory
from cerebro.shards import windows
from cerebro.tracking import create_store


@dataclass
class Command:
    """A command by its options, of which a test may change some."""

    step: str
    options: dict[str, Any] = field(default_factory=dict)
    positional: tuple[str, ...] = ()

    def line(self, **changes: Any) -> list[str]:
        """The command line; an option that is None is left out."""
        words = [self.step, *self.positional]
        for key, value in {**self.options, **changes}.items():
            if value is None:
                continue
            values = value if isinstance(value, list | tuple) else [value]
            words += [f"--{key.replace('_', '-')}", *map(str, values)]
        return words


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command line that must be refused; returns its one sentence."""

    def run(line: Sequence[str]) -> str:
        try:
            code = main(line)
        except SystemExit as stopped:
            code = stopped.code
        said = capsys.readouterr().err
        assert code in (1, 2), f"exit code {code} of {line}"
        assert said.count("\n") == 1, said
        assert said.startswith(f"cerebro {line[0]}: ")
        assert "Traceback" not in said
        return said

    return run


def as_json(**sections: Any) -> str:
    return json.dumps(
        {
            key: part.model_dump(mode="json") if hasattr(part, "model_dump") else part
            for key, part in sections.items()
        }
    )


def write_phase(folder: Path, kind: str = "contrast") -> Path:
    """What the folder of a finished phase looks like from outside."""
    folder.mkdir(parents=True)
    for name in ("encoder", "head"):
        save_file({"weight": np.zeros(8, np.float32)}, folder / f"{name}.safetensors")
    card = {"node": folder.name, "kind": kind, "lineage": [folder.name], "encoder": {}}
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def _table(path: Path, names: Sequence[str], schema: pa.Schema | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if schema is None:
        schema = pa.schema({name: pa.string() for name in names})
    pq.write_table(schema.empty_table(), path)
    return path


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an MLflow store without runs."""
    folder = tmp_path_factory.mktemp("tracking")
    create_store(name="x", output=folder / "tracking.json")
    return folder


@pytest.fixture
def commands(tracking: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Command]:
    """One right command line of each step, by its name, in a folder of small files."""
    monkeypatch.chdir(tmp_path)
    for name in ("CEREBRO_COMPUTE", "CEREBRO_NEEDED_WINDOWS"):
        monkeypatch.delenv(name, raising=False)
    index = _table(Path("study/windows/index.parquet"), (), windows.index_schema({}))
    found = _table(Path("study/inventory.parquet"), (), inventory.SCHEMA)
    row = {"recording": "a", "dataset": "mine", "subject": "a", "group": "mine-0", "status": "quarantined"}
    pq.write_table(pa.Table.from_pylist([row], schema=inventory.SCHEMA), found)
    shard = _table(Path("study/shards/mine-0.parquet"), ("recording", "offset", "length", "fingerprint"))
    answers = _table(Path("answers/test/a.parquet"), ("window", "subject", "truth", "prediction"))
    own = _table(Path("contrast.parquet"), ("window", "subject", "truth", "prediction"))
    documents = {
        "probe": {"node": "a", "lineage": [], "targets": {}},
        "isc": {"node": "a", "lineage": [], "embeddings": {}},
        "score": {"challenge_1": {}, "challenge_2": {}, "overall": {}},
        "counts": {"recordings": {}, "windows": {}, "left_out": {}},
        "marker": {"settings": {}, "files": {}},
    }
    shutil.copytree(tracking, tmp_path, dirs_exist_ok=True)
    for name, content in documents.items():
        Path(f"{name}.json").write_text(json.dumps(content))
    np.savez("features.npz", origin=np.array(json.dumps({"node": "a", "lineage": []})))
    with zipfile.ZipFile("submission.zip", "w") as archive:
        archive.writestr("submission.py", "class Submission: ...\n")
    contrast = write_phase(Path("phases/contrast"))
    finetuned = write_phase(Path("phases/reaction_time"), "finetune")
    architecture = EncoderSettings().model_dump(mode="json")
    phase = ContrastPhase(kind="contrast", init="contrast", sources={"eyes": 1}).model_dump(
        mode="json", exclude={"encoder"}
    )
    mean = BaselinePhase(kind="baseline", target="reaction_time", features="mean")
    lineup = {"variant": "full", "seed": 0, "challenge_1": ["a"], "challenge_2": ["a"]}
    reading = {"index": index, "tracking": "tracking.json"}
    lines = [
        Command(
            "download",
            {"settings": as_json(download=None, tuh={}), "log": "out/log.txt"},
        ),
        Command("simulate", {"settings": as_json(releases={}, movies=[]), "output": "out/simulation.json"}),
        Command(
            "inventory",
            {
                "settings": as_json(datasets={"mine": {"reader": "files"}}, excluded_subjects=[]),
                "raw": "study",
                "output": "out/recordings.parquet",
            },
        ),
        Command(
            "shard",
            {
                "settings": as_json(preprocessing=Preprocessing(), quality=Quality()),
                "inventory": found,
                "group": "mine-0",
                "table": "out/mine-0.parquet",
                "output": "out/mine-0.npy",
            },
        ),
        Command(
            "windows",
            {
                "settings": as_json(
                    windows=Windows(), splits=Splits(), labels={}, max_failed_share={"mine": 0.1}
                ),
                "inventory": found,
                "shards": [shard],
                "summary": "study/windows/new.json",
                "output": "study/windows/new.parquet",
            },
        ),
        Command(
            "audit",
            {
                "settings": as_json(splits=Splits(), labels={}, scored=True),
                "index": index,
                "inventory": found,
                "shards": [shard],
                "masks": "out/masks.json",
                "output": "out/audit.json",
            },
        ),
        Command(
            "check-windows",
            {
                "settings": as_json(phases={"contrast": phase}, labels={}),
                "index": index,
                "output": "out/check.json",
            },
        ),
        Command("track", {"name": "x", "output": "out/tracking.json"}),
        Command(
            "phase",
            {
                "node": "second",
                "settings": as_json(phase=phase, labels={}, lineage=["contrast", "second"]),
                **reading,
                "parents": [f"init={contrast}"],
                "state": "out/state",
                "output": "out/second",
            },
        ),
        Command(
            "features",
            {
                "encoder": contrast,
                "settings": as_json(sets=["fixed"], labels={}, max_windows_per_subject=2),
                "index": index,
                "output": "out/features.npz",
            },
        ),
        Command(
            "probe",
            {
                "features": "features.npz",
                "settings": as_json(probes=Probes(), labels={}, statistics=Statistics()),
                **reading,
                "output": "out/probe.json",
            },
        ),
        Command("probe-table", {"probes": ["probe.json"], "output": "out/probes.md"}),
        Command("lineage", {"probes": ["probe.json"], "output": "out/lineage.svg"}),
        Command(
            "adapters",
            {
                "settings": as_json(
                    adapters=AdapterComparison(),
                    encoder=architecture,
                    labels={},
                    probes=Probes(),
                    statistics=Statistics(),
                ),
                **reading,
                "table": "out/adapters.md",
                "output": "out/adapters.json",
            },
        ),
        Command(
            "isc",
            {
                "encoder": contrast,
                "settings": as_json(isc=InterSubject(), labels={}, statistics=Statistics()),
                **reading,
                "output": "out/isc.json",
            },
        ),
        Command(
            "encoders",
            {
                "settings": as_json(
                    phases={"rows": {"a": ["a"]}, "references": {}},
                    variants={"rows": {}, "references": {}},
                    statistics=Statistics(),
                ),
                "probes": "answers",
                "isc": "answers",
                "output": "out/encoders.csv",
            },
        ),
        Command(
            "package",
            {
                "challenge_1": [finetuned],
                "challenge_2": [contrast],
                "validation": [own],
                "output": "out/submission.zip",
            },
        ),
        Command("preflight", {"zip": "submission.zip", "output": "out/preflight.json"}),
        Command(
            "score",
            {
                "zip": "submission.zip",
                "settings": as_json(statistics=Statistics(), labels={}),
                **reading,
                "output": "out/score.json",
            },
        ),
        Command(
            "predict",
            {"phase": finetuned, "split": "test", "index": index, "output": "out/answers.parquet"},
        ),
        Command(
            "baseline",
            {
                "node": "mean",
                "settings": as_json(phase=mean, labels={}),
                "split": "test",
                "index": index,
                "output": "out/answers.parquet",
            },
        ),
        Command(
            "oracle",
            {
                "target": "externalizing",
                "marker": "marker.json",
                "index": index,
                "output": "out/answers.parquet",
            },
        ),
        Command(
            "score-phase",
            {
                "node": "a",
                "settings": as_json(phase=mean, labels={}, statistics=Statistics()),
                "answers": answers,
                **reading,
                "output": "out/score.json",
            },
        ),
        Command(
            "ablations",
            {
                "settings": as_json(lineups=[lineup], statistics=Statistics()),
                "predictions": answers.parent.parent,
                "tracking": "tracking.json",
                "output": "out/ablations.csv",
            },
        ),
        Command(
            "summary",
            {
                "score": "score.json",
                "probes": ["probe.json"],
                "isc": ["isc.json"],
                "phases": [contrast],
                "windows": "counts.json",
                "output": "out/summary.md",
            },
        ),
    ]
    return {command.step: command for command in lines}
