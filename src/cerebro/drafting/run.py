"""The command `init`: look at folders and write a configuration that runs."""

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from cerebro.check.survey import Survey, survey
from cerebro.config import Config, load_config
from cerebro.drafting.archives import datasets_of
from cerebro.drafting.declarations import drafted_labels
from cerebro.drafting.overlay import Cost, Found, overlay_text
from cerebro.drafting.sizes import Sizes, seconds_per_step, sizes_for
from cerebro.errors import UserError
from cerebro.files import atomic_path
from cerebro.shards.store import SFREQ

BYTES_PER_SAMPLE = 2
"""Shards hold int16."""


def init(folders: Sequence[Path], output: Path) -> None:
    """Write a first configuration for recordings that lie in some folders, and say what it is made of.

    Parameters
    ----------
    folders
        Each becomes a dataset.
    output
        The overlay to write; its stem names the study.

    Raises
    ------
    UserError
        If the file exists, a folder does not or holds no usable recording, or it holds HBN, for which
        configurations are shipped.
    """
    if output.exists():
        raise UserError(f"{output} exists already; name another file, or remove it")
    name = output.stem
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}", name):
        raise UserError(f"{output}: '{name}' becomes the study's name, which holds letters, digits, _ and -")
    datasets = datasets_of(folders)
    if any(dataset.reader == "hbn" for dataset in datasets.values()):
        raise UserError(
            "these are recordings of HBN, for which configurations are shipped: copy config/hbn_tuh.yaml or "
            "config/hbn_mini.yaml and put your folders under datasets.hbn.roots"
        )
    surveys = {key: survey(key, dataset, dataset.roots, ()) for key, dataset in datasets.items()}
    for one in surveys.values():
        if one.problems:
            raise UserError("; ".join(one.problems))
    found = {key: _found(one) for key, one in surveys.items()}
    rows = pd.concat([one.usable for one in surveys.values()], ignore_index=True)
    labels = drafted_labels(rows, {key: dataset.reader for key, dataset in datasets.items()})
    sizes = sizes_for(sum(one.hours for one in found.values()))
    text = overlay_text(name, found, labels, sizes, _cost(sizes, surveys))
    _holds(text)
    with atomic_path(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(f"{output}: {len(datasets)} dataset{'s' * (len(datasets) > 1)}, {len(labels)} labels found")
    print(f"look at it, then: cerebro check {output}")


def _found(one: Survey) -> Found:
    usable = one.usable
    return Found(
        dataset=one.dataset,
        recordings=len(usable),
        people=usable["subject"].nunique(),
        hours=float(usable["duration"].sum()) / 3600,
        channels=one.n_chans,
        left_out=len(one.rows) - len(usable),
    )


def _cost(sizes: Sizes, surveys: dict[str, Survey]) -> Cost:
    step = seconds_per_step(sizes)
    third = sizes.epochs(1 / 3) * sizes.steps_per_epoch * step
    whole = sizes.epochs() * sizes.steps_per_epoch * step
    disk = sum(
        float(one.usable["duration"].sum()) * SFREQ * one.n_chans * BYTES_PER_SAMPLE
        for one in surveys.values()
    )
    threads = torch.get_num_threads()
    device = "the GPU" if torch.cuda.is_available() else f"{threads} CPU thread{'s' * (threads > 1)}"
    return Cost(
        disk_bytes=int(disk),
        seconds={"tokenizer": third, "pretrain": whole, "contrast": third},
        device=device,
    )


def _holds(text: str) -> Config:
    """Refuse to write what the workflow would refuse to read: a fault of the program, not of its user."""
    import yaml

    return load_config(yaml.safe_load(text), where="the drafted configuration")
