"""The adapters side by side: hidden channels of each archive, probes of untrained encoders, time and size.

Adapters are trained on training subjects and compared on validation subjects. The held-out releases take no
part: the comparison chooses a default.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from torch import Tensor

from cerebro.adapters.reconstruction import SCENARIOS, reconstruction_errors, train_reconstruction
from cerebro.config import AdapterComparison, AnyLabel, Architecture, Probes, Statistics, read_architecture
from cerebro.data.card import random_encoder
from cerebro.data.selection import evenly_per_subject, read_index, select_windows, shards_folder
from cerebro.data.streams import repeatable
from cerebro.data.windows import WindowDataset
from cerebro.files import write_json
from cerebro.models.channel_adapter import (
    ChannelAdapter,
    InterpolationChannelAdapter,
    PerceiverChannelAdapter,
    ZeroPadChannelAdapter,
)
from cerebro.models.front_end import FrontEnd
from cerebro.probes.features import described, extract_features
from cerebro.probes.run import answer_targets, scored
from cerebro.probes.targets import Target, probe_targets
from cerebro.probes.window_sets import probed_windows
from cerebro.recordings.montages import layout_positions
from cerebro.shards.store import read_table
from cerebro.statistics.bootstrap import Interval, SubjectBootstrap
from cerebro.statistics.comparison import Gap
from cerebro.statistics.metrics import mae
from cerebro.tracking import start_run

TIMED_BATCH = 64
REPEATS = 20


COMPARED: Mapping[str, Callable[[Tensor], ChannelAdapter]] = {
    "zero_pad": ZeroPadChannelAdapter,
    "interpolation": InterpolationChannelAdapter,
    "perceiver_untrained": PerceiverChannelAdapter,
    "perceiver": PerceiverChannelAdapter,
}
"""What is compared, by its name in the results; only ``perceiver`` is trained."""
FLOOR = "zero_pad"
"""What the others are to beat: the nearest electrode that is left in a cell."""


def compare_adapters(settings: dict[str, Any], *, index: Path, store: Path, output: Path) -> dict[str, Any]:
    """Compare all adapters; write a JSON file and an MLflow run.

    Parameters
    ----------
    settings : dict
        ``{"adapters": ..., "encoder": ..., "probes": ..., "labels": ..., "statistics": ...}``.
    index, store : Path
        The window index, and the tracking store's ``tracking.json``.
    output : Path
        JSON: ``{"reconstruction": {dataset: {"n_subjects", "n_windows", "n_training_subjects", "told":
        {scenario: share}, "scenarios": {scenario: {adapter: {"value", "low", "high", "seeds", "minus":
        ...}}}}}, "probes": {adapter: {target: ...}}, "cost": {adapter: {"parameters", "ms_per_window",
        "ms_alone"}}}``. Errors are shares of the hidden electrodes' variance, averaged over windows, at the
        positions whose cell holds another electrode; ``told`` is the share of hidden positions that do.
        ``minus`` is the difference to the nearest electrode that is left.

    Returns
    -------
    dict
        What was written.

    Raises
    ------
    UserError
        When the index holds no training or no validation windows.
    """
    repeatable()
    comparison = AdapterComparison.model_validate(settings["adapters"])
    encoder = read_architecture(settings["encoder"])
    probes = Probes.model_validate(settings["probes"])
    labels = TypeAdapter(dict[str, AnyLabel]).validate_python(settings["labels"])
    targets = probe_targets(probes.targets, labels)
    resamples = Statistics.model_validate(settings["statistics"]).resamples
    table, shards = read_index(index), shards_folder(index)
    front_end = FrontEnd(encoder.reference).to(_device())
    training = select_windows(table, kind="fixed", splits=["train"], purpose="training the adapters")
    validation = select_windows(table, kind="fixed", splits=["validation"], purpose="comparing the adapters")
    reconstruction = {}
    for dataset in sorted(set(training["dataset"]) & set(validation["dataset"])):
        reconstruction[dataset] = _reconstruction(
            training[training["dataset"] == dataset],
            validation[validation["dataset"] == dataset],
            layout=torch.from_numpy(layout_positions(encoder.layout)),
            shards=shards,
            front_end=front_end,
            comparison=comparison,
            resamples=resamples,
        )
        print(f"{dataset}: hidden channels reconstructed", flush=True)
    content = {
        "reconstruction": reconstruction,
        "probes": _probes(table, training, encoder, probes, targets, comparison, shards, front_end),
        "cost": _costs(validation, encoder, shards, front_end),
    }
    with start_run(store, name="adapters", kind="adapters", params=comparison.model_dump()) as run:
        write_json(output, content)
        run.log_metrics(_tracked(content))
        run.log_artifact(output)
    return content


def _reconstruction(
    training: pd.DataFrame,
    validation: pd.DataFrame,
    *,
    layout: Tensor,
    shards: Path,
    front_end: FrontEnd,
    comparison: AdapterComparison,
    resamples: int,
) -> dict[str, Any]:
    """Errors on one archive, on the encoder's layout."""
    training = training.reset_index(drop=True)
    chosen = evenly_per_subject(validation, comparison.max_windows_per_subject)
    windows = WindowDataset(chosen, shards)
    errors: dict[str, dict[str, list[NDArray[np.float64]]]] = {name: {} for name in SCENARIOS}
    told: dict[str, list[float]] = {name: [] for name in SCENARIOS}
    for seed in comparison.seeds:
        for name, adapter in _trained(layout, training, shards, front_end, comparison, seed):
            for scenario, masks in SCENARIOS.items():
                found, share = reconstruction_errors(adapter, windows, masks, front_end=front_end, seed=seed)
                errors[scenario].setdefault(name, []).append(found)
                told[scenario].append(share)
    subjects = chosen["subject"].to_numpy(dtype=str)
    return {
        "n_subjects": len(np.unique(subjects)),
        "n_windows": len(chosen),
        "n_training_subjects": int(training["subject"].nunique()),
        "told": {scenario: float(np.mean(shares)) for scenario, shares in told.items()},
        "scenarios": {
            scenario: _summary(by_adapter, subjects, resamples) for scenario, by_adapter in errors.items()
        },
    }


def _summary(
    errors: Mapping[str, list[NDArray[np.float64]]], subjects: NDArray[Any], resamples: int
) -> dict[str, dict[str, Any]]:
    """Mean errors with intervals; windows in which some seed had nothing to reconstruct are left out.

    Empty where no window is left: a montage with one electrode in each cell tells nothing of a hidden one.
    """
    stacked = {name: np.stack(by_seed) for name, by_seed in errors.items()}
    known = np.isfinite(np.stack(list(stacked.values()))).all(axis=(0, 1))
    if not known.any():
        return {}
    subjects = subjects[known]
    bootstrap = SubjectBootstrap(subjects, resamples=resamples)
    n_subjects = len(bootstrap.subjects)

    def mean(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        return float(values.mean()), bootstrap.distribution(
            mae, np.zeros_like(values), values, subjects=subjects
        )

    means = {name: mean(by_seed[:, known].mean(axis=0)) for name, by_seed in stacked.items()}
    return {
        name: {
            **Interval.of(value, distribution, n_subjects=n_subjects).as_json(),
            "seeds": [float(one) for one in stacked[name][:, known].mean(axis=1)],
            "minus": Gap.of(
                value - means[FLOOR][0], distribution - means[FLOOR][1], n_subjects=n_subjects
            ).as_json(),
        }
        for name, (value, distribution) in means.items()
    }


def _trained(
    layout: Tensor,
    training: pd.DataFrame,
    shards: Path,
    front_end: FrontEnd,
    comparison: AdapterComparison,
    seed: int,
) -> Iterator[tuple[str, ChannelAdapter]]:
    """Every compared adapter on a layout, ready to be used."""
    for name, build in COMPARED.items():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            adapter = build(layout).to(_device())
        if name == "perceiver":
            train_reconstruction(
                adapter,
                WindowDataset(training, shards),
                front_end=front_end,
                steps=comparison.steps,
                batch_size=comparison.batch_size,
                learning_rate=comparison.learning_rate,
                seed=seed,
            )
        yield name, adapter.eval()


def _probes(
    table: pd.DataFrame,
    training: pd.DataFrame,
    encoder: Architecture,
    probes: Probes,
    targets: Mapping[str, Target],
    comparison: AdapterComparison,
    shards: Path,
    front_end: FrontEnd,
) -> dict[str, dict[str, Any]]:
    """Leading metric of each probe of an untrained encoder, one value a seed, scored on validation subjects.

    All adapters of a seed stand before the same encoder weights.
    """
    layout = torch.from_numpy(layout_positions(encoder.layout))
    known = _validation_as_test(table)
    windows = probed_windows(
        known,
        list(dict.fromkeys(target.windows for target in targets.values())),
        stimuli=[name for name, target in targets.items() if target.form == "moment"],
        at_most=probes.max_windows_per_subject,
    )
    results: dict[str, dict[str, Any]] = {}
    for seed in comparison.seeds:
        for name, adapter in _trained(layout, training, shards, front_end, comparison, seed):
            model = random_encoder(encoder.model_copy(update={"adapter": "zero_pad"}), seed).eval()
            model.adapter = adapter
            features = described(windows, partial(extract_features, model, shards=shards))
            answers = answer_targets(features, known, targets, penalties=probes.penalties)
            for target, found in answers.items():
                result, metric = scored(found, targets[target], resamples=1), targets[target].metric
                entry = results.setdefault(name, {}).setdefault(target, {"metric": metric, "seeds": []})
                if "not_measurable" in result:
                    entry["not_measurable"] = result["not_measurable"]
                else:
                    entry["seeds"].append(result["metrics"][metric]["value"])
                    entry["floor"] = result["metrics"][metric]["floor"]
        print(f"seed {seed}: untrained encoders probed", flush=True)
    return results


def _validation_as_test(table: pd.DataFrame) -> pd.DataFrame:
    """The index with every split one step up: validation subjects are scored, training ones help the fit.

    The held-out releases are left out. No label has reached an untrained encoder, so all the others may be
    fitted on.
    """
    scored = table.loc[table["split"] == "test", "dataset"].unique()
    known = table[table["split"] != "test"]
    known = known[known["dataset"].isin(scored)] if len(scored) else known
    moved = known["split"].map({"validation": "test", "train": "validation"})
    return known.assign(split=moved).reset_index(drop=True)


def _costs(
    validation: pd.DataFrame, encoder: Architecture, shards: Path, front_end: FrontEnd
) -> dict[str, dict[str, float]]:
    """Weights, and milliseconds per window onto the encoder's layout: in a batch, and one by one.

    Windows come from the archive with the most channels, each with its own bad channels. Medians of repeats.
    """
    layout = torch.from_numpy(layout_positions(encoder.layout))
    widest = max(validation["shard"].unique(), key=lambda name: len(_channels(shards, name)))
    dataset = validation.loc[validation["shard"] == widest, "dataset"].iloc[0]
    rows = validation[validation["dataset"] == dataset].sample(TIMED_BATCH, replace=True, random_state=0)
    batch = WindowDataset(rows.reset_index(drop=True), shards)[range(TIMED_BATCH)]
    positions = batch["positions"].to(_device())
    signal, present = front_end(batch["signal"].to(_device()), positions)
    results = {}
    for name, build in COMPARED.items():
        adapter = build(layout).to(_device()).eval()
        together = _milliseconds(partial(adapter, signal, positions, present))
        alone = _milliseconds(partial(adapter, signal[:1], positions[:1], present[:1]))
        results[name] = {
            "parameters": sum(weights.numel() for weights in adapter.parameters()),
            "ms_per_window": together / TIMED_BATCH,
            "ms_alone": alone,
        }
    return results


def _milliseconds(work: Callable[[], Any]) -> float:
    taken = []
    with torch.inference_mode():
        for _ in range(REPEATS + 1):
            start = time.perf_counter()
            work()
            if _device().type == "cuda":
                torch.cuda.synchronize()
            taken.append(1e3 * (time.perf_counter() - start))
    return float(np.median(taken[1:]))


def _channels(shards: Path, name: str) -> tuple[str, ...]:
    return read_table(Path(shards) / f"{name}.parquet").channels


def _tracked(content: Mapping[str, Any]) -> dict[str, float]:
    """Metrics as MLflow names them: `adapters/hbn/tenth/perceiver`, `adapters/ms_per_window/perceiver`."""
    named = {
        f"adapters/{dataset}/{scenario}/{adapter}": score["value"]
        for dataset, part in content["reconstruction"].items()
        for scenario, scores in part["scenarios"].items()
        for adapter, score in scores.items()
    }
    named |= {
        f"adapters/{key}/{adapter}": value
        for adapter, cost in content["cost"].items()
        for key, value in cost.items()
    }
    return {name: value for name, value in named.items() if value is not None and math.isfinite(value)}


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
