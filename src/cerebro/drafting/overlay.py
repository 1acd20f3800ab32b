"""The text of a drafted configuration, with a comment beside what was found."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cerebro.config import Dataset
from cerebro.drafting.declarations import Draft, first
from cerebro.drafting.sizes import Sizes


@dataclass(frozen=True, kw_only=True)
class Found:
    """What lies in a dataset's folders."""

    dataset: Dataset
    """Its settings."""
    recordings: int
    """Usable recordings."""
    people: int
    """People with one."""
    hours: float
    """Hours of usable EEG, estimated."""
    channels: int
    """Most channels of a recording."""
    left_out: int
    """Recordings that cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a run would take."""

    disk_bytes: int
    """Size of the shards."""
    seconds: Mapping[str, float]
    """Time of each training on this machine."""
    device: str
    """Where it was timed."""


def overlay_text(
    name: str, found: Mapping[str, Found], labels: Sequence[Draft], sizes: Sizes, cost: Cost
) -> str:
    """Write the configuration of a study.

    Parameters
    ----------
    name : str
        The study's.
    found : mapping of str to Found
        By dataset.
    labels : sequence of Draft
    sizes : Sizes
    cost : Cost
    """
    lines = [
        f"# Written by `cerebro init`. Look at it with `cerebro check {name}.yaml`, then run",
        f"# `snakemake --cores all probes --configfile {name}.yaml`. docs/settings.md explains every key.",
        f"name: {name}",
        "",
        "datasets:",
    ]
    for key, one in found.items():
        left = f"; {one.left_out} cannot be used, `cerebro check` says why" if one.left_out else ""
        lines.append(
            f"  # {one.recordings} recordings of {one.people} people, {one.hours:.1f} h, up to "
            f"{one.channels} channels{left}."
        )
        lines.append(f"  {key}: {_dataset(one)}")
    lines += [
        "",
        *_labels(labels),
        "",
        *_splits(found),
        "",
        *_encoder(sizes),
        "",
        *_phases(found, labels, sizes),
    ]
    lines += ["", *_costs(cost), ""]
    return "\n".join(lines)


def _dataset(found: Found) -> str:
    keys: dict[str, Any] = {
        "reader": found.dataset.reader,
        "roots": [str(root) for root in found.dataset.roots],
        "groups": max(1, round(found.people / 100)) if found.people > 20 else 1,
    }
    return flow(keys)


def _labels(labels: Sequence[Draft]) -> list[str]:
    if not labels:
        return ["# No label was found: the encoders can be trained, and probed for who a window is of."]
    lines = ["# Whatever stands here is probed after every phase. Correct it, rename it, or take it out."]
    written = [draft for draft in labels if draft.wanted]
    lines.append("labels:" if written else "# labels:")
    for draft in labels:
        mark = "" if draft.wanted else "# "
        lines.append(f"  # {draft.comment}")
        lines.append(f"  {mark}{draft.name}: {flow(draft.keys)}")
    return lines


def _splits(found: Mapping[str, Found]) -> list[str]:
    people = sum(one.people for one in found.values())
    lines = [
        "# People who are only scored, and people who choose: by share and seed, or by `subjects`,",
        "# `folders`, `releases`, or a `column` of the table of participants with its `values`.",
    ]
    if people < 60:
        lines.append(f"# With {people} people, probes need many of them: a third is scored.")
    share = 0.33 if people < 60 else 0.2
    return [*lines, "splits:", f"  test: {flow({'share': share, 'seed': 0})}", "  validation: {share: 0.2}"]


def _encoder(sizes: Sizes) -> list[str]:
    encoder = sizes.encoder
    keys = {"layout": encoder.layout, "dim": encoder.dim, "depth": encoder.depth, "heads": encoder.heads}
    return ["# The size fits the hours above.", f"encoder: {flow(keys)}"]


def _phases(found: Mapping[str, Found], labels: Sequence[Draft], sizes: Sizes) -> list[str]:
    common: dict[str, Any] = {"steps_per_epoch": sizes.steps_per_epoch, "batch_size": sizes.batch_size}
    hours = sum(one.hours for one in found.values())
    mix = {name: round(one.hours / hours, 3) for name, one in found.items()}
    mix[next(iter(mix))] = round(mix[next(iter(mix))] + 1 - sum(mix.values()), 3)
    third = sizes.epochs(1 / 3)
    masked = {"kind": "pretrain", "tokenizer": "tokenizer", "mix": mix, "epochs": sizes.epochs(), **common}
    lines = [
        "phases:",
        "  # Phase 1a: a codebook of short pieces of EEG.",
        f"  tokenizer: {flow({'kind': 'tokenizer', 'epochs': third, 'start_epoch': third // 3, **common})}",
        "  # Phase 1b: what is hidden is predicted from the rest; the mix follows the hours.",
        f"  pretrain: {flow(masked)}",
    ]
    if (pairs := next((one for one in labels if one.wanted and _pairs(one)), None)) is not None:
        keys = {"kind": "contrast", "init": "pretrain", "sources": {pairs.name: 1}, "epochs": third, **common}
        lines += ["  # Phase 2: windows of one class, event or moment attract each other between people."]
        lines.append(f"  contrast: {flow(keys)}")
    start = "contrast" if pairs is not None else "pretrain"
    if (target := first(labels, "interval", "person", "recording", "event")) is not None:
        keys = {"kind": "finetune", "init": start, "target": target.name, "epochs": third, **common}
        lines += ["  # Phase 3: one label, from people to other people; take the mark away to train it."]
        lines.append(f"  # {target.name}_finetuned: {flow(keys)}")
    return lines


def _pairs(draft: Draft) -> bool:
    return draft.keys["of"] == "event" or (draft.keys["of"] == "interval" and "classes" in draft.keys)


def _costs(cost: Cost) -> list[str]:
    total = sum(cost.seconds.values())
    each = ", ".join(f"{name} {_duration(seconds)}" for name, seconds in cost.seconds.items())
    shards = f"{cost.disk_bytes / 1e9:.2g} GB of shards"
    return [
        f"# Expected: {shards}; trainings {_duration(total)} on {cost.device} of this machine ({each}),",
        "# from some steps that were timed when this file was written; probes and preprocessing come on top.",
    ]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def flow(value: Any) -> str:
    """Write a value as YAML in one line; text is quoted where YAML would read something else."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(key)}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(one) for one in value) + "]"
    if isinstance(value, str):
        return value if _is_plain(value) else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def _is_plain(text: str) -> bool:
    import yaml

    try:
        return bool(text) and yaml.safe_load(f"[{text}]") == [text]
    except yaml.YAMLError:
        return False
