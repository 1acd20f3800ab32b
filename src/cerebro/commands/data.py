"""Commands from raw recordings to the window index."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cerebro.commands import inputs
from cerebro.commands.outputs import output_file, output_folder
from cerebro.commands.parsing import Commands, json_argument, name, number_above_zero
from cerebro.commands.settings import read_sections, read_settings
from cerebro.errors import UserError


def add_commands(command: Commands) -> None:
    """Add them to the program; defaults that come from the environment are read here."""
    draft = command(
        "init",
        _init,
        "write a first configuration for recordings of one's own",
        settings=False,
        output=(".yaml", ".yml"),
    )
    draft.add_argument("folders", type=inputs.folder, nargs="+", help="folders of recordings, a dataset each")
    look = command(
        "check", _check, "say what a configuration would do, before it runs", settings=False, output=None
    )
    look.add_argument(
        "config", type=Path, nargs="*", help="overlays on config/base.yaml, as for --configfile"
    )

    download = command("download", _download, "fetch HBN's releases from their public buckets", output=None)
    download.writes("--log", output_file(), help="what became of each file")

    simulate = command(
        "simulate", _simulate, "write the embedded raw data: HBN-BIDS and TUH EDF", output=".json"
    )
    simulate.add_argument(
        "--threads", type=number_above_zero, default=1, help="recordings written side by side"
    )

    inventory = command("inventory", _inventory, "one table of every recording found", output=".parquet")
    inventory.reads(
        "--raw", inputs.folder, required=False, help="where the simulation wrote, for datasets without roots"
    )
    inventory.add_argument(
        "--state", type=output_folder, help="where headers are remembered; none reads all again"
    )
    inventory.add_argument("--threads", type=number_above_zero, default=1, help="files opened side by side")

    shard = command("shard", _shard, "preprocess one group of subjects into a shard", output=".npy")
    shard.reads("--inventory", inputs.INVENTORY)
    shard.add_argument("--group", type=name, required=True, help="which group; outputs have its name")
    shard.writes("--table", output_file(".parquet"), help="the shard's table of recordings, beside it")

    windows = command(
        "windows", _windows, "index the candidate windows with labels and splits", output=".parquet"
    )
    windows.reads("--inventory", inputs.INVENTORY)
    windows.reads("--shards", inputs.SHARD_TABLE, nargs="+", help="the shards' tables")
    windows.writes("--summary", output_file(".json"), help="counts of windows, by reason")

    audited = command(
        "audit", _audit, "refuse an index in which a test subject could reach a training", output=".json"
    )
    audited.writes("--masks", output_file(".json"), help="which labels masked channels tell")
    audited.reads("--index", inputs.INDEX)
    audited.reads("--inventory", inputs.INVENTORY)
    audited.reads("--shards", inputs.SHARD_TABLE, nargs="+", help="the shards' tables")

    check = command(
        "check-windows",
        _check_windows,
        "refuse an index without windows that a phase needs",
        output=".json",
    )
    check.reads("--index", inputs.INDEX)
    check.add_argument(
        "--study",
        type=json_argument,
        default=os.environ.get("CEREBRO_NEEDED_WINDOWS", '{"phases": {}, "labels": {}}'),
        help="further phases to check, as --settings; default: $CEREBRO_NEEDED_WINDOWS, else none",
    )


def _init(options: argparse.Namespace) -> None:
    from cerebro.drafting.run import init

    init(options.folders, options.output)


def _check(options: argparse.Namespace) -> None:
    from cerebro.check.run import check

    check(options.config)


def _download(options: argparse.Namespace) -> None:
    from cerebro.config import Download
    from cerebro.download.run import download

    sections = {"download": Download | None, "tuh": dict[str, list[Path]]}
    settings = read_sections(options.settings, sections)
    download(settings["download"], tuh_roots=settings["tuh"], log=options.log)


def _simulate(options: argparse.Namespace) -> None:
    from cerebro.config import Simulation
    from cerebro.simulation.population import simulate

    simulate(read_settings(options.settings, Simulation), marker=options.output, workers=options.threads)


def _inventory(options: argparse.Namespace) -> None:
    from cerebro.config import Dataset
    from cerebro.recordings.inventory import build_inventory

    sections = {"datasets": dict[str, Dataset], "excluded_subjects": list[str]}
    settings = read_sections(options.settings, sections)
    simulated = [key for key, dataset in settings["datasets"].items() if not dataset.roots]
    if simulated and options.raw is None:
        raise UserError(f"datasets.{simulated[0]} has no roots: --raw must say where the simulation wrote")
    if options.raw is not None and not simulated:
        raise UserError(f"--raw {options.raw} has no effect: every dataset has roots; leave it out")
    build_inventory(
        settings["datasets"],
        raw=options.raw,
        excluded_subjects=settings["excluded_subjects"],
        output=options.output,
        state=options.state,
        threads=options.threads,
    )


def _shard(options: argparse.Namespace) -> None:
    from cerebro.config import Preprocessing, Quality
    from cerebro.shards.build import build_shard

    sections = {"preprocessing": Preprocessing, "quality": Quality}
    settings = read_sections(options.settings, sections, optional={"groups": dict[str, int]})
    _require_group(options.group, options.inventory, settings.get("groups", {}))
    if options.output.stem != options.group or options.table != options.output.with_suffix(".parquet"):
        raise UserError(
            f"the outputs of group {options.group} are --output FOLDER/{options.group}.npy and --table "
            f"FOLDER/{options.group}.parquet, not {options.output} and {options.table}"
        )
    build_shard(
        settings["preprocessing"],
        settings["quality"],
        inventory=options.inventory,
        group=options.group,
        output=options.output,
        table=options.table,
    )


def _require_group(group: str, inventory: Path, counts: dict[str, int]) -> None:
    """Refuse a group that is neither in the inventory nor, without recordings, one of a dataset's groups."""
    import pandas as pd

    from cerebro.config.settings import hint
    from cerebro.recordings.groups import group_name

    known = set(pd.read_parquet(inventory, columns=["group"])["group"])
    known |= {group_name(dataset, index) for dataset, count in counts.items() for index in range(count)}
    if group not in known:
        raise UserError(f"there is no group '{group}'{hint(group, sorted(known))}")


def _windows(options: argparse.Namespace) -> None:
    from cerebro.config import AnyLabel, Splits, Windows
    from cerebro.shards.windows import build_index

    sections = {"windows": Windows, "splits": Splits, "labels": dict[str, AnyLabel]}
    settings = read_sections(options.settings, {**sections, "max_failed_share": dict[str, float]})
    _require_beside(options.output, options.shards)
    build_index(
        settings["windows"],
        settings["splits"],
        labels=settings["labels"],
        inventory=options.inventory,
        shards=options.shards,
        max_failed_share=settings["max_failed_share"],
        output=options.output,
        summary=options.summary,
    )


def _require_beside(index: Path, tables: Sequence[Path]) -> None:
    """Refuse an index from which readers would look for the shards elsewhere."""
    folder = index.absolute().parent.parent / "shards"
    for table in tables:
        if table.absolute().parent != folder:
            raise UserError(
                f"an index is written to STUDY/windows and its shards are read from STUDY/shards: with "
                f"--output {index} from {folder}, where {table} is not"
            )


def _audit(options: argparse.Namespace) -> None:
    from cerebro.config import AnyLabel, Splits
    from cerebro.probes.masks import audit_masks
    from cerebro.shards.audit import audit

    sections = {"splits": Splits, "labels": dict[str, AnyLabel], "scored": bool}
    settings = read_sections(options.settings, sections)
    audit(
        settings["splits"],
        scored=settings["scored"],
        index=options.index,
        inventory=options.inventory,
        shards=options.shards,
        output=options.output,
    )
    audit_masks(
        settings["labels"], index=options.index, shards=options.shards[0].parent, output=options.masks
    )


def _check_windows(options: argparse.Namespace) -> None:
    from cerebro.config import AnyLabel, AnyNode
    from cerebro.data.window_check import check_windows

    kinds: dict[str, Any] = {"phases": dict[str, AnyNode], "labels": dict[str, AnyLabel]}
    own = read_sections(options.settings, kinds)["phases"]
    if not own:
        raise UserError("--settings: phases names none, so there is nothing to check")
    read_sections(options.study, kinds, where="--study")
    joined = {key: options.study[key] | options.settings[key] for key in kinds}
    check_windows(joined, index=options.index, output=options.output)
