"""Commands that measure encoders."""

import argparse
from pathlib import Path

from cerebro.commands import inputs
from cerebro.commands.outputs import output_file
from cerebro.commands.parsing import Commands
from cerebro.commands.settings import read_sections
from cerebro.commands.sources import SOURCES, encoder, require_different_nodes
from cerebro.errors import UserError


def add_commands(command: Commands) -> None:
    """Add them to the program."""
    features = command(
        "features", _features, "run one encoder over the windows that are probed", output=".npz"
    )
    features.reads("--encoder", encoder, help=SOURCES)
    features.reads("--index", inputs.index_with_signals)

    probe = command("probe", _probe, "fit linear probes on an encoder's frozen features", output=".json")
    probe.reads("--features", inputs.features, help="the encoder's features")
    probe.reads("--index", inputs.INDEX)
    probe.reads("--tracking", inputs.TRACKING)

    lineage = command(
        "lineage",
        _lineage,
        "draw the probes along the lineages",
        output=(".svg", ".png", ".pdf"),
        settings=False,
    )
    lineage.reads("--probes", inputs.PROBES, nargs="+", help="files of `probe`")

    adapters = command(
        "adapters", _adapters, "compare the channel adapters on validation subjects", output=".json"
    )
    adapters.reads("--index", inputs.index_with_signals)
    adapters.reads("--tracking", inputs.TRACKING)
    adapters.writes("--table", output_file(".md"), help="the comparison as Markdown")

    isc = command(
        "isc", _isc, "compare subjects who met the same stimulus by an encoder's embeddings", output=".json"
    )
    isc.reads("--encoder", encoder, help=SOURCES)
    isc.reads("--index", inputs.index_with_signals)
    isc.reads("--tracking", inputs.TRACKING)

    encoders = command("encoders", _encoders, "compare encoders over seeds by their probes", output=".csv")
    encoders.reads("--probes", inputs.folder, help="folder of the files of `probe`")
    encoders.reads(
        "--isc", inputs.folder, required=False, help="folder of the files of `isc`; none compares no people"
    )

    table = command(
        "probe-table", _probe_table, "print probes beside their floors", output=".md", settings=False
    )
    table.reads("--probes", inputs.PROBES, nargs="+", help="files of `probe`")


def _features(options: argparse.Namespace) -> None:
    from cerebro.config import AnyEncoder, AnyLabel

    source = options.encoder
    sections = {"sets": list[str], "labels": dict[str, AnyLabel], "max_windows_per_subject": int}
    read_sections(options.settings, sections, optional={"encoder": AnyEncoder})
    from cerebro.probes.features import run_features

    run_features(
        source.node,
        source.settings(options.settings, needs_encoder=source.seed is not None),
        encoder=source.folder,
        index=options.index,
        output=options.output,
        checkpoint=source.checkpoint,
    )


def _probe(options: argparse.Namespace) -> None:
    from cerebro.config import AnyLabel, Probes, Statistics

    sections = {"probes": Probes, "labels": dict[str, AnyLabel], "statistics": Statistics}
    read_sections(options.settings, sections)
    from cerebro.probes.run import run_probes

    run_probes(
        options.settings,
        features=options.features,
        index=options.index,
        store=options.tracking,
        output=options.output,
    )


def _lineage(options: argparse.Namespace) -> None:
    from cerebro.report.lineage import draw_lineages

    require_different_nodes(options.probes, "--probes")
    draw_lineages(options.probes, output=options.output)


def _probe_table(options: argparse.Namespace) -> None:
    from cerebro.files import atomic_path, read_json
    from cerebro.report.probes import probe_tables
    from cerebro.report.tables import as_markdown, print_tables

    require_different_nodes(options.probes, "--probes")
    tables = probe_tables([read_json(path) for path in options.probes])
    with atomic_path(options.output) as temporary:
        temporary.write_text(as_markdown(tables))
    print_tables(tables)


def _adapters(options: argparse.Namespace) -> None:
    from cerebro.config import AdapterComparison, AnyEncoder, AnyLabel, Probes, Statistics

    sections = {"adapters": AdapterComparison, "encoder": AnyEncoder, "labels": dict[str, AnyLabel]}
    read_sections(options.settings, {**sections, "probes": Probes, "statistics": Statistics})
    from cerebro.adapters.run import compare_adapters
    from cerebro.report.adapters import write_adapter_tables

    content = compare_adapters(
        options.settings, index=options.index, store=options.tracking, output=options.output
    )
    write_adapter_tables(content, output=options.table)


def _isc(options: argparse.Namespace) -> None:
    from cerebro.config import AnyEncoder, AnyLabel, InterSubject, Statistics
    from cerebro.study.stages import COVARIANCE

    source = options.encoder
    sections = {"isc": InterSubject, "labels": dict[str, AnyLabel], "statistics": Statistics}
    read_sections(options.settings, sections, optional={"encoder": AnyEncoder})
    if source.node == COVARIANCE:
        raise UserError("--encoder covariance: isc compares by an encoder, or by the signal")
    if source.checkpoint is not None:
        raise UserError(f"--encoder {source.node}: isc compares by a phase's encoder, not by a checkpoint")
    from cerebro.synchrony.run import run_isc

    run_isc(
        source.node,
        source.settings(options.settings, needs_encoder=source.folder is None),
        encoder=source.folder,
        index=options.index,
        store=options.tracking,
        output=options.output,
    )


def _encoders(options: argparse.Namespace) -> None:
    from cerebro.config import Statistics
    from cerebro.report.encoders import tabulate_encoders
    from cerebro.study.stages import COVARIANCE, Comparison

    kinds = {"phases": Comparison, "variants": Comparison, "statistics": Statistics}
    settings = read_sections(options.settings, kinds)
    comparisons = [settings["phases"], settings["variants"]]
    compared = {encoder for one in comparisons for encoders in one.rows.values() for encoder in encoders}
    for one in sorted(compared):
        _require_own(options.probes / f"{one}.json", "a file of `cerebro probe`", "targets", node=one)
        if options.isc is not None and one != COVARIANCE:
            _require_own(options.isc / f"{one}.json", "a file of `cerebro isc`", "embeddings", node=one)
    tabulate_encoders(
        *comparisons,
        probes={one: inputs.PROBE_ANSWERS(str(options.probes / f"{one}.parquet")) for one in compared},
        isc={one: options.isc / f"{one}.json" for one in compared if options.isc and one != COVARIANCE},
        resamples=settings["statistics"].resamples,
        output=options.output,
    )


def _require_own(path: Path, what: str, key: str, *, node: str) -> None:
    """Refuse a file that holds another encoder's results than its name says."""
    found = inputs.read_document(inputs.file(str(path)), what, "node", key)["node"]
    if found != node:
        raise UserError(f"{path} holds the results of '{found}', not of '{node}'; make it again")
