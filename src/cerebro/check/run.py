"""The command `check`: survey, prospects, disk; prints what it found and fails where the run would."""

import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cerebro.check import tables
from cerebro.check.configuration import lists_ablations, read_configuration
from cerebro.check.prospects import Outlook, outlooks, possible_windows, split_rows
from cerebro.check.survey import Survey, survey
from cerebro.config import Config, Dataset, trainings
from cerebro.download.sources import LICENCE, sources
from cerebro.errors import UserError
from cerebro.files import nearest_folder
from cerebro.plan.networks import check_networks
from cerebro.provenance import installed_otherwise
from cerebro.report.tables import Table, print_tables
from cerebro.shards.declarations import Fault, faults
from cerebro.shards.store import SFREQ
from cerebro.study.variants import expand

BYTES_PER_SAMPLE = 2
"""Shards hold int16."""


def check(overlays: Sequence[Path]) -> None:
    """Say what a configuration would do with the files that lie there.

    Parameters
    ----------
    overlays
        Configuration files on top of `config/base.yaml`, as for Snakemake's ``--configfile``.

    Raises
    ------
    UserError
        If the run would fail, after everything was printed; or if there is no valid configuration.
    """
    config = read_configuration(overlays)
    if not lists_ablations(overlays):
        config = config.model_copy(update={"ablations": None})
    notes, problems = [], []
    if differing := installed_otherwise():
        notes.append(differing)
    nodes = config.phases
    try:
        nodes = expand(config)[0]
    except UserError as error:
        notes.append(f"snakemake ablations would stop: {error}")
    check_networks(config, trainings(nodes))
    print(f"study {config.name}: what its configuration would do, by what lies on the disk now")
    if config.download is not None:
        sources(config.download)  # refuses releases that do not exist
    surveys: list[Survey] = []
    for name, dataset in config.datasets.items():
        roots = dataset.roots or _simulated(config, name)
        if not roots:
            command = _command("simulate", overlays)
            notes.append(f"datasets.{name}: simulated, and not yet written; the run, or {command}, writes it")
            continue
        one = survey(name, dataset, roots, config.splits.excluded_subjects)
        one.problems += _absent(one, config, overlays)
        surveys.append(one)
    problems += [problem for one in surveys for problem in one.problems]
    notes += [note for one in surveys for note in one.notes]
    try:
        printed, prospects = _found(surveys, config, complete=len(surveys) == len(config.datasets))
    except UserError as error:  # of rules of `splits`, which need people to be held against
        printed, prospects = [tables.archives(surveys), tables.left_out(surveys)], []
        problems.append(str(error))
    if surveys and not prospects:
        notes.append("splits and phases are not looked at before every dataset has usable recordings")
    problems += [outlook.problem for outlook in prospects if outlook.problem]
    for fault in _faults_of_labels(surveys, config):
        (problems if fault.stops else notes).append(fault.sentence)
    sizes = {one.name: _shard_bytes(one, config) for one in surveys if not one.usable.empty}
    if sizes:
        folder = nearest_folder(Path("results") / config.name)
        free = shutil.disk_usage(folder).free
        printed.append(tables.disk(sizes, free, str(folder)))
        if sum(sizes.values()) > free:
            problems.append(f"the shards need more than is free in {folder}: move results/ to a larger disk")
    print_tables([table for table in printed if table.rows])
    for mark, lines in (("note", notes), ("PROBLEM", problems)):
        for line in dict.fromkeys(lines):
            print(f"{mark}: {line}")
    if found := len(set(problems)):
        listed = "one problem" if found == 1 else f"{found} problems"
        raise UserError(f"the run would fail: {listed}, listed above")
    print("Nothing stands in the way of a run." if prospects else "Nothing that could be looked at is wrong.")


def _found(surveys: Sequence[Survey], config: Config, *, complete: bool) -> tuple[list[Table], list[Outlook]]:
    printed = [
        tables.archives(surveys),
        tables.tasks(surveys),
        tables.labels(surveys, config.labels),
        tables.left_out(surveys),
    ]
    if not complete or any(one.usable.empty for one in surveys):
        return printed, []
    rows = split_rows(pd.concat([one.rows for one in surveys], ignore_index=True), config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # events that can't be read: the index counts them
        windows = possible_windows(rows, config)
        prospects = outlooks(rows, windows, config)
    timed = tables.timed_labels(windows, config.labels)
    return [*printed, timed, tables.splits(rows), tables.phases(prospects)], prospects


def _faults_of_labels(surveys: Sequence[Survey], config: Config) -> list[Fault]:
    """Faults of declarations; of archives with labels in headers, only what was read counts."""
    if len(surveys) < len(config.datasets) or any(one.usable.empty for one in surveys):
        return []
    parts = [one.usable[one.usable["opened"]] if one.labels_in_headers else one.usable for one in surveys]
    return faults(pd.concat(parts, ignore_index=True), config.labels)


def _simulated(config: Config, name: str) -> tuple[Path, ...]:
    folder = Path("results") / config.name / "raw"
    return (folder / name,) if (folder / "simulation.json").is_file() else ()


def _absent(one: Survey, config: Config, overlays: Sequence[Path]) -> list[str]:
    """What to say of folders that are not there, or hold nothing."""
    missing = [str(root) for root, is_there in one.roots.items() if not is_there]
    remedy = _remedy(one.dataset, config, overlays)
    if missing:
        return [f"datasets.{one.name}.roots: there is no folder {', '.join(missing)}{remedy}"]
    if not one.rows.empty or one.problems:
        return []
    if one.unwanted:
        keys = " and ".join(dict.fromkeys(reason.rpartition(" ")[2] for reason, _ in one.unwanted))
        there = ", ".join(dict.fromkeys(of for _, of in one.unwanted))
        return [f"datasets.{one.name}: no recording of {keys} in {one.searched}, which holds {there}"]
    return [f"datasets.{one.name}: no recording in {one.searched}{remedy}"]


def _remedy(dataset: Dataset, config: Config, overlays: Sequence[Path]) -> str:
    if dataset.reader == "tuh":
        return f"; {LICENCE}"
    if dataset.reader != "hbn":
        return ""
    if config.download is None:
        return "; docs/getting_data.md says how to fetch HBN"
    return f"; {_command('download', overlays)} fetches it"


def _command(target: str, overlays: Sequence[Path]) -> str:
    words = [
        "snakemake",
        "--cores",
        "1",
        target,
        *(["--configfile", *map(str, overlays)] if overlays else []),
    ]
    return f"`{' '.join(words)}`"


def _shard_bytes(one: Survey, config: Config) -> int:
    seconds = float(one.usable["duration"].sum())
    return int(seconds * SFREQ * one.n_chans * BYTES_PER_SAMPLE)
