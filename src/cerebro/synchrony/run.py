"""Inter-subject correlation of an encoder's embeddings while people watch the same movie.

Frozen windows of subjects that no weight was trained on are compared between them, those of the validation
split (where studies are tuned) and those of the test releases (where nothing is chosen). Pooled features
would not do: their average over channels and time has lost what a movie drives. So a window is described by

- ``tokens``: all of its tokens in their place, for every encoder;
- ``projection``: what a contrast phase itself compares, where this encoder is one that was trained on movies;
- ``components``: the control without any encoder, `signal`: the time courses of correlated components of
  the average-referenced signal on the encoder's layout, fitted on training subjects.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import TypeAdapter
from torch import Tensor, nn

from cerebro.config import AnyLabel, InterSubject, MomentLabel, Statistics, read_architecture
from cerebro.data.card import load_contrastive, load_encoder, random_encoder, read_card
from cerebro.data.moments import TIME_DECIMALS
from cerebro.data.selection import read_index, shards_folder
from cerebro.data.spread import spread
from cerebro.errors import UserError
from cerebro.files import write_json
from cerebro.models.channel_adapter import ZeroPadChannelAdapter
from cerebro.models.token_encoder import TokenEncoder
from cerebro.probes.features import extract
from cerebro.synchrony.corrca import correlated_components
from cerebro.synchrony.pairs import synchrony, viewings
from cerebro.tracking import start_run

SPLITS = ("validation", "test")
Embed = Callable[[pd.DataFrame], NDArray[np.floating]]
"""Takes rows of the window index, n of them, returns embeddings (n, width)."""


class Layout(nn.Module):
    """An untrained encoder's front end, and the electrode nearest to each position of its layout."""

    def __init__(self, encoder: TokenEncoder) -> None:
        super().__init__()
        self.front_end = encoder.front_end
        self.adapter = ZeroPadChannelAdapter(encoder.adapter.layout)

    def forward(self, signal: Tensor, positions: Tensor) -> Tensor:
        """Referenced signals (batch, n_layout, n_times); zero where no electrode is near."""
        referenced, present = self.front_end(signal, positions)
        return self.adapter(referenced, positions, present)[0]


def run_isc(
    node: str, settings: dict[str, Any], *, encoder: Path | None, index: Path, store: Path, output: Path
) -> None:
    """Measure one encoder, or the control; write a JSON file and an MLflow run.

    Parameters
    ----------
    node : str
        The phase's name, ``random``, or ``signal`` for the control.
    settings : dict
        ``{"isc": ..., "labels": ..., "statistics": ..., "encoder": ..., "seed": int}``; the last two build
        the untrained encoder and are read only where ``encoder`` is None.
    encoder : Path, optional
        The phase's folder.
    index, store : Path
        The window index, and the tracking store's ``tracking.json``.
    output : Path
        JSON: ``{"node", "lineage", "embeddings": {name: {split: ...}}}``, with what
        :func:`cerebro.synchrony.pairs.synchrony` returns, or ``not_measurable`` with the reason.
    """
    chosen = InterSubject.model_validate(settings["isc"])
    resamples = Statistics.model_validate(settings["statistics"]).resamples
    table, shards = read_index(index), shards_folder(index)
    stimulus = stimulus_label(chosen, TypeAdapter(dict[str, AnyLabel]).validate_python(settings["labels"]))
    windows = {split: _windows(table, stimulus, split, chosen) for split in ("train", *SPLITS)}
    lineage, tags = [], {}
    if encoder is None:
        untrained = random_encoder(read_architecture(settings["encoder"]), settings["seed"])
        untrained.eval()
        if node == "signal":
            embeds = _components(Layout(untrained).eval(), windows["train"], chosen, shards)
        else:
            embeds = {"tokens": _tokens(untrained, shards)}
    else:
        card = read_card(encoder)
        lineage = card["lineage"]
        tags = {"cerebro.lineage": " > ".join(lineage), "cerebro.parent.encoder": card["mlflow_run_id"]}
        embeds = {"tokens": _tokens(load_encoder(encoder), shards)}
        if stimulus in card.get("contrastive", {}).get("courses", {}):
            model = load_contrastive(encoder)
            embeds["projection"] = lambda rows: extract(
                model, lambda *window: model(*window)[stimulus], rows, shards=shards
            )
    results = {
        name: {split: _measured(embed, windows[split], chosen, resamples) for split in SPLITS}
        for name, embed in embeds.items()
    }
    params = {**chosen.model_dump(), "resamples": resamples}
    with start_run(
        store, name=f"isc {node}", kind="isc", tags={"cerebro.node": node, **tags}, params=params
    ) as run:
        write_json(output, {"node": node, "lineage": lineage, "embeddings": results})
        run.log_metrics(_tracked(results))
        run.log_artifact(output)


def stimulus_label(chosen: InterSubject, labels: Mapping[str, AnyLabel]) -> str:
    """The label of moments that says which stimulus people met: the one that is named, else the first.

    Raises
    ------
    UserError
        When none is declared.
    """
    declared = [name for name, label in labels.items() if isinstance(label, MomentLabel)]
    if chosen.label is None and not declared:
        raise UserError("isc: people are compared by a label of: moment, and the section labels has none")
    return chosen.label or declared[0]


def _tokens(encoder: TokenEncoder, shards: Path) -> Embed:
    return lambda rows: extract(encoder, encoder, rows, shards=shards)


def _components(
    layout: Layout, training: pd.DataFrame, chosen: InterSubject, shards: Path
) -> dict[str, Embed]:
    def signals(rows: pd.DataFrame) -> NDArray[np.float32]:
        flat = extract(layout, layout, rows, shards=shards)
        return flat.reshape(len(rows), len(layout.adapter.layout), -1)

    if (reason := _too_few(training)) is not None:
        print(f"no components: the training split holds {reason}", flush=True)
        return {}
    moment = training["stream"] + " " + training["moment"].round(TIME_DECIMALS).astype(str)
    filters = correlated_components(signals(training), moment, count=chosen.components)

    def embed(rows: pd.DataFrame) -> NDArray[np.floating]:
        courses = np.einsum("nct,ck->nkt", signals(rows), filters)
        return (courses - courses.mean(axis=-1, keepdims=True)).reshape(len(rows), -1)

    return {"components": embed}


def _windows(table: pd.DataFrame, stimulus: str, split: str, chosen: InterSubject) -> pd.DataFrame:
    """Kept windows of a stimulus, of up to ``max_subjects`` people of a split, evenly spread over names."""
    found = table[(table["kind"] == stimulus) & table["keep"] & (table["split"] == split)]
    names = np.sort(found["subject"].unique())
    names = names[spread(len(names), chosen.max_subjects)] if len(names) else names
    return found[found["subject"].isin(names)].reset_index(drop=True)


def _too_few(windows: pd.DataFrame) -> str | None:
    shared = windows.groupby(["stream", "moment"])["subject"].nunique() if len(windows) else pd.Series([0])
    if (count := int((shared > 1).sum())) > 1:
        return None
    return f"{count} moments of a stimulus that two subjects met; 2 are needed"


def _measured(embed: Embed, windows: pd.DataFrame, chosen: InterSubject, resamples: int) -> dict[str, Any]:
    if (reason := _too_few(windows)) is not None:
        return {"not_measurable": reason}
    return synchrony(
        viewings(windows, embed),
        exclusion_seconds=chosen.exclusion_seconds,
        temperature=chosen.temperature,
        resamples=resamples,
    )


def _tracked(results: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Metrics as MLflow names them: `test/isc/tokens/isc`, with `_low`, `_high`, `_p`."""
    named: dict[str, float | None] = {}
    for embedding, splits in results.items():
        for split, measures in splits.items():
            for measure, found in measures.items():
                key = f"{split}/isc/{embedding}/{measure}"
                if isinstance(found, dict):
                    named |= {key if k == "value" else f"{key}_{k}": value for k, value in found.items()}
                elif isinstance(found, float):
                    named[key] = found
    return {name: value for name, value in named.items() if value is not None and np.isfinite(value)}
