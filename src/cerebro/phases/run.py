"""Train one phase from its settings to its output folder, resuming what an earlier attempt left."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pandas as pd
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.plugins.environments import LightningEnvironment

from cerebro import __version__
from cerebro.config import Devices
from cerebro.data.card import read_card, write_phase_output
from cerebro.data.modules import WindowDataModule
from cerebro.data.streams import repeatable, torch_seed
from cerebro.errors import UserError
from cerebro.files import atomic_path, digest_file, remove_leftovers, write_json
from cerebro.phases import contrast, pretrain, supervised, tokenizer
from cerebro.phases.base import PhaseModule
from cerebro.phases.checkpoints import (
    BEST,
    FITTED,
    HISTORY,
    LAST,
    EpochCheckpoint,
    WholeCheckpoints,
    newest_checkpoint,
    read_history,
    remove_others,
)
from cerebro.phases.job import PhaseJob
from cerebro.phases.ranks import begin_as_first
from cerebro.phases.recorder import Recorder
from cerebro.phases.snapshots import Snapshots, snapshot_epochs
from cerebro.running.exclusive import exclusive
from cerebro.tracking import Run, start_run

KINDS: dict[str, Callable[[PhaseJob], tuple[Any, WindowDataModule]]] = {
    "tokenizer": tokenizer.build,
    "pretrain": pretrain.build,
    "contrast": contrast.build,
    "finetune": supervised.build,
}
"""How each kind of phase builds its module and its data; a new kind is one more line."""


def run_phase(
    node: str,
    settings: dict[str, Any],
    *,
    index: Path,
    store: Path,
    parents: dict[str, str],
    state: Path,
    output: Path,
    compute: Devices,
    code: str = "",
) -> None:
    """Train a phase and write its weights, checkpoints within it, card, metrics and history.

    Parameters
    ----------
    node : str
        The phase's name.
    settings : dict
        ``{"phase": ..., "labels": ..., "encoder": ... or null, "lineage": [...]}``, and ``precision`` if it
        is not single.
    index, store : Path
        The window index, and the tracking store's ``tracking.json``.
    parents : dict of str to str
        Output folders of earlier phases by key (``init``, ``tokenizer``).
    state : Path
        Folder for checkpoints; a subfolder per fingerprint, removed when the phase is finished.
    output : Path
        Folder of the phase's output.
    compute : Devices
        Devices and workers; not part of the fingerprint.
    code : str
        Digest of the code behind the phase.

    Raises
    ------
    UserError
        Where no optimiser step was made, training diverged, a codebook collapsed, windows are missing or
        weights do not fit.
    """
    job = PhaseJob.parse(
        node,
        settings,
        index=index,
        parents={k: Path(v) for k, v in parents.items()},
        compute=compute,
        code=code,
    )
    L.seed_everything(torch_seed(job.phase.seed, "weights beside the encoder"), verbose=False)
    repeatable()
    torch.set_num_threads(max(1, compute.threads))
    attempt = Path(state) / job.fingerprint(settings)
    with exclusive(Path(state)) as first:
        attempt.mkdir(parents=True, exist_ok=True)
        if first:
            begin_as_first()
            remove_others(attempt)
            remove_leftovers(attempt)
            _run(job, settings, store=store, attempt=attempt, output=Path(output))
            shutil.rmtree(attempt)
        else:  # Lightning started this process for a further device
            _train(*KINDS[job.phase.kind](job), job, attempt, run=None)


def _run(job: PhaseJob, settings: dict[str, Any], *, store: Path, attempt: Path, output: Path) -> None:
    module, data = KINDS[job.phase.kind](job)
    tags = {
        "cerebro.node": job.node,
        "cerebro.lineage": " > ".join(job.lineage),
        "cerebro.fingerprint": job.fingerprint(settings),
        "cerebro.index": digest_file(job.index),
    }
    tags |= {f"cerebro.parent.{key}": read_card(v)["mlflow_run_id"] for key, v in job.parents.items()}
    with start_run(
        store,
        name=job.node,
        kind=job.phase.kind,
        tags=tags,
        params=job.phase.model_dump(),
        resume=attempt / "run_id",
    ) as run:
        metrics = _train(module, data, job, attempt, run)
        _snapshots(job, attempt).write(output / "checkpoints.safetensors", module)
        write_phase_output(output, module.model, _card(job, module, settings, run))
        write_json(output / "metrics.json", metrics)
        with atomic_path(output / HISTORY) as temporary:
            shutil.copyfile(attempt / HISTORY, temporary)
        for name in ("card.json", "metrics.json", HISTORY):
            run.log_artifact(output / name)


def _train(
    module: PhaseModule, data: WindowDataModule, job: PhaseJob, attempt: Path, run: Run | None
) -> dict[str, float]:
    """Fit, go back to the weights that are kept (those before training, if best), return their metrics."""
    recorder, selection = Recorder(attempt / HISTORY, run), module.selection
    weights = {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}
    # A loss that is not finite ends a training, whatever selects.
    patience = {("val/loss", "min"): job.phase.epochs, (selection.metric, selection.mode): job.phase.patience}
    trainer = L.Trainer(
        **_hardware(job),
        max_epochs=job.phase.epochs,
        gradient_clip_val=job.phase.clip_norm,
        callbacks=[
            *module.callbacks(),
            EpochCheckpoint(
                attempt,
                filename=Path(BEST).stem,
                monitor=selection.metric,
                mode=selection.mode,
                enable_version_counter=False,
            ),
            # A checkpoint of its own: save_last would follow only the epochs that improve on the best one.
            EpochCheckpoint(attempt, filename=Path(LAST).stem, enable_version_counter=False),
            *(EarlyStopping(name, mode=mode, patience=epochs) for (name, mode), epochs in patience.items()),
            _snapshots(job, attempt),
            recorder,
        ],
        default_root_dir=attempt,
        logger=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # our samplers share batches among ranks themselves
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    newest = newest_checkpoint(attempt)
    if newest is not None:
        print(f"{job.node}: resuming from {newest}", flush=True)
    else:
        recorder.record(_validated(module, data, job), 0)
    if not (attempt / FITTED).exists():  # one that was over, early perhaps, would go on for an epoch
        trainer.fit(module, datamodule=data, ckpt_path=newest, weights_only=True)
        trainer.strategy.barrier()  # the first process has written the history
        if trainer.global_step == 0:
            raise UserError(
                f"phase '{job.node}' ended without an optimiser step: no training batch was drawn"
            )
        if trainer.is_global_zero:
            (attempt / FITTED).touch()
    history = read_history(attempt)
    _refuse_divergence(history, job, attempt, trainer)
    chosen, source, candidates = history.iloc[-1], LAST, 1
    if job.phase.keep == "best":
        chosen, source, candidates = selection.best(history), BEST, len(history)
    if chosen["epoch"] > 0:
        weights = torch.load(attempt / source, weights_only=True, map_location="cpu")["state_dict"]
    module.load_state_dict(weights)
    finished = module.finish(data, candidates=candidates)
    validated = _validated(module, data, job)
    metrics = {name: float(value) for name, value in sorted(validated.callback_metrics.items())}
    module.refuse(metrics)
    return {"kept_epoch": int(chosen["epoch"]), "resumed": float(newest is not None), **metrics, **finished}


def _refuse_divergence(history: pd.DataFrame, job: PhaseJob, attempt: Path, trainer: L.Trainer) -> None:
    """A loss that is not finite has ruined the weights: nothing is kept, and nothing may go on from it."""
    ruined = history.loc[~np.isfinite(history["val/loss"]), "epoch"]
    if ruined.empty:
        return
    if trainer.is_global_zero:
        shutil.rmtree(attempt)
    raise UserError(
        f"phase '{job.node}' diverged: its validation loss is not finite after epoch {int(ruined.iloc[0])}; "
        "lower its learning_rate or clip_norm and run again, it starts anew"
    )


def _hardware(job: PhaseJob) -> dict[str, Any]:
    """What both trainers run on. Ranks are always started from here: inside a job of Slurm Lightning would
    leave that to `srun`, and train on one device or refuse."""
    return {
        "accelerator": job.compute.accelerator,
        "devices": job.compute.devices,
        "precision": job.precision,
        "plugins": [LightningEnvironment(), WholeCheckpoints()],
    }


def _snapshots(job: PhaseJob, attempt: Path) -> Snapshots:
    return Snapshots(attempt, snapshot_epochs(job.phase.epochs, job.phase.checkpoints))


def _validated(module: PhaseModule, data: WindowDataModule, job: PhaseJob) -> L.Trainer:
    """Validate the module's own weights: a trainer with callbacks might put an average in their place."""
    trainer = L.Trainer(
        **_hardware(job),
        logger=False,
        use_distributed_sampler=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
    )
    trainer.validate(module, datamodule=data, verbose=False)
    return trainer


def _card(job: PhaseJob, module: PhaseModule, settings: dict[str, Any], run: Run) -> dict[str, Any]:
    return {
        "node": job.node,
        "kind": job.phase.kind,
        "lineage": job.lineage,
        "settings": settings,
        "fingerprint": job.fingerprint(settings),
        "transition": {
            key: len(names) if key == "matched" else names for key, names in job.transition.items()
        },
        "parents": {key: str(folder) for key, folder in job.parents.items()},
        "mlflow_run_id": run.id,
        "cerebro": __version__,
        "torch": torch.__version__,
        **module.card(),
    }
