"""Commands from raw recordings to the window index."""

import argparse
import os
from pathlib import Path

from cerebro.commands.parsing import Commands, json_argument


def add_commands(command: Commands) -> None:
    """Add them to the program; defaults that come from the environment are read here."""
    look = command(
        "check", _check, "say what a configuration would do, before it runs", settings=False, output=False
    )
    look.add_argument(
        "config", type=Path, nargs="*", help="overlays on config/base.yaml, as for --configfile"
    )

    download = command("download", _download, "fetch HBN's releases from their public buckets", output=False)
    download.add_argument("--log", type=Path, required=True, help="what became of each file")

    simulate = command("simulate", _simulate, "write the embedded raw data: HBN-BIDS and TUH EDF")
    simulate.add_argument("--threads", type=int, default=1, help="recordings written side by side")

    inventory = command("inventory", _inventory, "one table of every recording found")
    inventory.add_argument("--raw", type=Path, help="where the simulation wrote")
    inventory.add_argument("--state", type=Path, help="where headers are remembered; none reads all again")
    inventory.add_argument("--threads", type=int, default=1, help="files opened side by side")

    shard = command("shard", _shard, "preprocess one group of subjects into a shard")
    shard.add_argument("--inventory", type=Path, required=True)
    shard.add_argument("--group", required=True)
    shard.add_argument("--table", type=Path, required=True, help="the shard's table of recordings")

    windows = command("windows", _windows, "index the candidate windows with labels and splits")
    windows.add_argument("--inventory", type=Path, required=True)
    windows.add_argument("--shards", type=Path, nargs="+", required=True, help="the shards' tables")
    windows.add_argument("--summary", type=Path, required=True, help="counts of windows, by reason")

    audited = command("audit", _audit, "refuse an index in which a test subject could reach a training")
    audited.add_argument("--masks", type=Path, required=True, help="which labels masked channels tell")
    audited.add_argument("--index", type=Path, required=True)
    audited.add_argument("--inventory", type=Path, required=True)
    audited.add_argument("--shards", type=Path, nargs="+", required=True, help="the shards' tables")

    check = command("check-windows", _check_windows, "refuse an index without windows that a phase needs")
    check.add_argument("--index", type=Path, required=True)
    check.add_argument(
        "--study",
        type=json_argument,
        default=os.environ.get("CEREBRO_NEEDED_WINDOWS", '{"phases": {}}'),
        help="further phases to check, as --settings; default: $CEREBRO_NEEDED_WINDOWS, else none",
    )


def _check(options: argparse.Namespace) -> None:
    from cerebro.check.run import check

    check(options.config)


def _download(options: argparse.Namespace) -> None:
    from cerebro.config import Download
    from cerebro.download.run import download

    section = options.settings["download"]
    download(
        None if section is None else Download.model_validate(section),
        tuh_roots={name: [Path(root) for root in roots] for name, roots in options.settings["tuh"].items()},
        log=options.log,
    )


def _simulate(options: argparse.Namespace) -> None:
    from cerebro.config import Simulation
    from cerebro.simulation.population import simulate

    simulate(Simulation.model_validate(options.settings), marker=options.output, workers=options.threads)


def _inventory(options: argparse.Namespace) -> None:
    from cerebro.config import Dataset
    from cerebro.recordings.inventory import build_inventory

    datasets = {name: Dataset.model_validate(part) for name, part in options.settings["datasets"].items()}
    build_inventory(
        datasets,
        raw=options.raw,
        excluded_subjects=options.settings["excluded_subjects"],
        output=options.output,
        state=options.state,
        threads=options.threads,
    )


def _shard(options: argparse.Namespace) -> None:
    from cerebro.config import Preprocessing, Quality
    from cerebro.shards.build import build_shard

    build_shard(
        Preprocessing.model_validate(options.settings["preprocessing"]),
        Quality.model_validate(options.settings["quality"]),
        inventory=options.inventory,
        group=options.group,
        output=options.output,
        table=options.table,
    )


def _windows(options: argparse.Namespace) -> None:
    from cerebro.config import Splits, Windows
    from cerebro.shards.windows import build_index

    build_index(
        Windows.model_validate(options.settings["windows"]),
        Splits.model_validate(options.settings["splits"]),
        inventory=options.inventory,
        shards=options.shards,
        max_failed_share=options.settings["max_failed_share"],
        output=options.output,
        summary=options.summary,
    )


def _audit(options: argparse.Namespace) -> None:
    from cerebro.evaluation.masks import audit_masks
    from cerebro.shards.audit import audit

    audit(
        test_releases=options.settings["test_releases"],
        excluded_subjects=options.settings["excluded_subjects"],
        index=options.index,
        inventory=options.inventory,
        shards=options.shards,
        output=options.output,
    )
    audit_masks(index=options.index, shards=options.shards[0].parent, output=options.masks)


def _check_windows(options: argparse.Namespace) -> None:
    from cerebro.data.selection import check_windows

    phases = options.study["phases"] | options.settings["phases"]
    check_windows({"phases": phases}, index=options.index, output=options.output)
