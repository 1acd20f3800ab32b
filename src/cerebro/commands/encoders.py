"""Commands that measure encoders."""

import argparse
from pathlib import Path

from cerebro.commands.parsing import Commands


def add_commands(command: Commands) -> None:
    """Add them to the program."""
    features = command("features", _features, "run one encoder over the windows that are probed")
    features.add_argument("--node", required=True, help="the phase's name, random, or signal for no encoder")
    features.add_argument("--encoder", type=Path, help="the phase's folder; none for random and signal")
    features.add_argument(
        "--checkpoint", type=int, help="which checkpoint within the phase; none: its encoder"
    )
    features.add_argument("--index", type=Path, required=True)

    probe = command("probe", _probe, "fit linear probes on an encoder's frozen features")
    probe.add_argument("--features", type=Path, required=True, help="the encoder's features")
    probe.add_argument("--index", type=Path, required=True)
    probe.add_argument("--tracking", type=Path, required=True)

    lineage = command("lineage", _lineage, "draw the probes along the lineages", settings=False)
    lineage.add_argument("--probes", type=Path, nargs="+", required=True, help="files of `probe`")

    adapters = command("adapters", _adapters, "compare the channel adapters on validation subjects")
    adapters.add_argument("--index", type=Path, required=True)
    adapters.add_argument("--tracking", type=Path, required=True)
    adapters.add_argument("--table", type=Path, required=True, help="the comparison as Markdown")

    isc = command("isc", _isc, "compare subjects who watch the same film by an encoder's embeddings")
    isc.add_argument("--node", required=True, help="the phase's name, random, or signal for no encoder")
    isc.add_argument("--encoder", type=Path, help="the phase's folder; none for random and signal")
    isc.add_argument("--index", type=Path, required=True)
    isc.add_argument("--tracking", type=Path, required=True)

    encoders = command("encoders", _encoders, "compare encoders over seeds by their probes")
    encoders.add_argument("--probes", type=Path, required=True, help="folder of the answers of `probe`")
    encoders.add_argument("--isc", type=Path, required=True, help="folder of the files of `isc`")


def _features(options: argparse.Namespace) -> None:
    from cerebro.evaluation.features import run_features

    run_features(
        options.node,
        options.settings,
        encoder=options.encoder,
        index=options.index,
        output=options.output,
        checkpoint=options.checkpoint,
    )


def _probe(options: argparse.Namespace) -> None:
    from cerebro.evaluation.probes import run_probes

    run_probes(
        options.settings,
        features=options.features,
        index=options.index,
        store=options.tracking,
        output=options.output,
    )


def _lineage(options: argparse.Namespace) -> None:
    from cerebro.report.lineage import draw_lineages

    draw_lineages(options.probes, output=options.output)


def _adapters(options: argparse.Namespace) -> None:
    from cerebro.evaluation.adapters import compare_adapters
    from cerebro.report.adapters import write_adapter_tables

    content = compare_adapters(
        options.settings, index=options.index, store=options.tracking, output=options.output
    )
    write_adapter_tables(content, output=options.table)


def _isc(options: argparse.Namespace) -> None:
    from cerebro.evaluation.isc import run_isc

    run_isc(
        options.node,
        options.settings,
        encoder=options.encoder,
        index=options.index,
        store=options.tracking,
        output=options.output,
    )


def _encoders(options: argparse.Namespace) -> None:
    from cerebro.config import Statistics
    from cerebro.report.encoders import tabulate_encoders
    from cerebro.stages import Comparison

    comparisons = [Comparison(**options.settings[name]) for name in ("phases", "variants")]
    compared = [encoder for one in comparisons for encoders in one.rows.values() for encoder in encoders]
    tabulate_encoders(
        *comparisons,
        probes={encoder: options.probes / f"{encoder}.parquet" for encoder in compared},
        isc={encoder: options.isc / f"{encoder}.json" for encoder in compared},
        resamples=Statistics.model_validate(options.settings["statistics"]).resamples,
        output=options.output,
    )
