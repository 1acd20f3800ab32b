"""Runs phases of the synthetic study as the workflow would."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import pytest
from pydantic import TypeAdapter

from cerebro.config import AnyNode, Compute
from cerebro.data.phase_windows import phase_labels
from cerebro.phases.job import PhaseJob
from cerebro.phases.run import KINDS, run_phase
from cerebro.tracking import create_store

ENCODER = {"dim": 16, "depth": 1, "heads": 2}
SHORT = {"epochs": 2, "steps_per_epoch": 3, "batch_size": 12, "learning_rate": 1e-3}
AUXILIARY = {
    "age": 1.0,
    "sex": 0.5,
    "p_factor": 1.0,
    "attention": 0.5,
    "internalizing": 0.5,
    "externalizing": 0.5,
}
PHASES: dict[str, dict[str, Any]] = {
    "tokenizer": {"kind": "tokenizer", "codes": 16, "code_dim": 8, **SHORT},
    "pretrain": {
        "kind": "pretrain",
        "tokenizer": "tokenizer",
        "mix": {"hbn": 0.7, "tuh": 0.3},
        "auxiliary": AUXILIARY,
        **SHORT,
    },
    "contrast": {"kind": "contrast", "init": "pretrain", "sources": {"movie": 1}, **SHORT},
    "reaction_time": {"kind": "finetune", "init": "contrast", "target": "reaction_time", **SHORT},
    "externalizing": {
        "kind": "finetune",
        "init": "contrast",
        "target": "externalizing",
        "windows": "crop",
        **SHORT,
    },
}
LINEAGE = ["pretrain", "contrast"]


@pytest.fixture(scope="session")
def declared(labels) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Gives the labels that a phase reads, as the workflow hands them over."""

    def give(phase: dict[str, Any]) -> dict[str, Any]:
        node = TypeAdapter(AnyNode).validate_python(phase)
        return {name: label.model_dump(mode="json") for name, label in phase_labels(node, labels).items()}

    return give


@pytest.fixture(scope="session")
def store(study) -> Path:
    path = study.root / "tracking.json"
    create_store(name="test", output=path)
    return path


@pytest.fixture(scope="session")
def train(study, store, declared) -> Callable[..., Path]:
    """Train a phase into its own folder, settings changed by keywords; returns the folder."""

    def run(
        node: str, output: str | None = None, state: Path | None = None, precision: str = "", **changes: Any
    ) -> Path:
        phase = {**PHASES[node], **changes}
        parents = {
            key: str(study.root / "phases" / phase[key]) for key in ("init", "tokenizer") if phase.get(key)
        }
        folder = study.root / "phases" / (output or node)
        run_phase(
            node,
            {
                "phase": phase,
                "labels": declared(phase),
                "encoder": None if phase.get("init") else ENCODER,
                "lineage": [*LINEAGE, node],
            }
            | ({"precision": precision} if precision else {}),
            index=study.index,
            store=store,
            parents=parents,
            state=state or study.root / "state" / (output or node),
            output=folder,
            compute=Compute(accelerator="cpu", threads=1),
        )
        return folder

    return run


@pytest.fixture(scope="session")
def trained(train) -> dict[str, Path]:
    """All five phases, trained one after the other."""
    return {node: train(node) for node in PHASES}


@pytest.fixture(scope="session")
def job(study, declared) -> Callable[..., PhaseJob]:
    """A phase's job, settings changed by keywords; its parents must be trained already."""

    def make(node: str, **changes: Any) -> PhaseJob:
        phase = {**PHASES[node], **changes}
        return PhaseJob.parse(
            node,
            {
                "phase": phase,
                "labels": declared(phase),
                "encoder": None if phase.get("init") else ENCODER,
                "lineage": [node],
            },
            index=study.index,
            parents={
                key: study.root / "phases" / phase[key] for key in ("init", "tokenizer") if phase.get(key)
            },
            compute=Compute(accelerator="cpu", threads=1),
        )

    return make


@pytest.fixture(scope="session")
def ten_losses(job, trained) -> Callable[..., list[float]]:
    """Losses of the first ten steps of a phase, settings changed by keywords: a refactor keeps them."""

    def run(node: str, **changes: Any) -> list[float]:
        asked = job(node, **{"epochs": 1, "steps_per_epoch": 10, **changes})
        L.seed_everything(asked.phase.seed, verbose=False)
        module, data = KINDS[asked.phase.kind](asked)
        losses = []

        class Keep(L.Callback):
            def on_train_batch_end(
                self, trainer: Any, module: Any, outputs: Any, batch: Any, step: int
            ) -> None:
                losses.append(float(outputs["loss"]))

        L.Trainer(
            accelerator="cpu",
            max_steps=10,
            gradient_clip_val=asked.phase.clip_norm,
            callbacks=[Keep()],
            limit_val_batches=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        ).fit(module, datamodule=data)
        print(node, [round(loss, 4) for loss in losses])
        return losses

    return run
