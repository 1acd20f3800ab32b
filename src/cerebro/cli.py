"""One thin command per workflow step; a step's room is imported only when that step runs.

Settings arrive as JSON text (or the path of a JSON file), exactly as the workflow prints them, so that any
line of `snakemake --printshellcmds` can be run by hand. What re-runs nothing stands in the environment.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cerebro.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; a user's mistake prints one sentence and returns 1."""
    options = parser().parse_args(arguments)
    try:
        options.step(options)
    except UserError as error:
        print(f"cerebro {options.command}: {error}", file=sys.stderr)
        return 1
    return 0


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
        test_releases=options.settings["test_releases"],
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
    from cerebro.shards.audit import audit

    audit(
        test_releases=options.settings["test_releases"],
        excluded_subjects=options.settings["excluded_subjects"],
        index=options.index,
        inventory=options.inventory,
        shards=options.shards,
        output=options.output,
    )


def _check_windows(options: argparse.Namespace) -> None:
    from cerebro.data.selection import check_windows

    phases = options.study["phases"] | options.settings["phases"]
    check_windows({"phases": phases}, index=options.index, output=options.output)


def _track(options: argparse.Namespace) -> None:
    from cerebro.tracking import create_store

    create_store(name=options.name, output=options.output)


def _phase(options: argparse.Namespace) -> None:
    from cerebro.config import Compute
    from cerebro.phases.run import run_phase

    run_phase(
        options.node,
        options.settings,
        index=options.index,
        store=options.tracking,
        parents=dict(pair.split("=", 1) for pair in options.parents),
        state=options.state,
        output=options.output,
        compute=Compute.model_validate(options.compute),
    )


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


def _package(options: argparse.Namespace) -> None:
    from cerebro.submission.package import package

    package(
        challenge_1=options.challenge_1,
        challenge_2=options.challenge_2,
        validation={path.stem: path for path in options.validation},
        output=options.output,
    )


def _preflight(options: argparse.Namespace) -> None:
    from cerebro.submission.preflight import preflight

    preflight(options.zip, output=options.output)


def _score(options: argparse.Namespace) -> None:
    from cerebro.config import Statistics
    from cerebro.submission.scoring import score

    score(
        options.zip,
        Statistics.model_validate(options.settings),
        index=options.index,
        store=options.tracking,
        output=options.output,
    )


def _summary(options: argparse.Namespace) -> None:
    from cerebro.report.summary import summarise

    summarise(
        score=options.score,
        probes=options.probes,
        isc=options.isc,
        phases=options.phases,
        windows=options.windows,
        output=options.output,
    )


def _predict(options: argparse.Namespace) -> None:
    from cerebro.submission.predict import predict

    predict(options.phase, split=options.split, index=options.index, output=options.output)


def _baseline(options: argparse.Namespace) -> None:
    from cerebro.config import BaselinePhase
    from cerebro.submission.baseline import answer

    settings = BaselinePhase.model_validate(options.settings)
    answer(options.node, settings, split=options.split, index=options.index, output=options.output)


def _oracle(options: argparse.Namespace) -> None:
    from cerebro.submission.oracle import answer_oracle

    answer_oracle(options.target, marker=options.marker, index=options.index, output=options.output)


def _ablations(options: argparse.Namespace) -> None:
    from pydantic import TypeAdapter

    from cerebro.config import Statistics
    from cerebro.report.ablations import tabulate
    from cerebro.variants import Lineup

    tabulate(
        TypeAdapter(list[Lineup]).validate_python(options.settings["lineups"]),
        predictions={path.stem: path for path in options.predictions},
        validation={path.stem: path for path in options.validation},
        resamples=Statistics.model_validate(options.settings["statistics"]).resamples,
        store=options.tracking,
        output=options.output,
    )


def _encoders(options: argparse.Namespace) -> None:
    from cerebro.config import Statistics
    from cerebro.report.encoders import tabulate_encoders
    from cerebro.stages import Comparison

    tabulate_encoders(
        *(Comparison(**options.settings[name]) for name in ("phases", "variants")),
        probes={path.stem: path for path in options.probes},
        isc={path.stem: path for path in options.isc},
        resamples=Statistics.model_validate(options.settings["statistics"]).resamples,
        output=options.output,
    )


def _json(text: str) -> Any:
    try:
        return json.loads(text if text.lstrip().startswith(("{", "[")) else Path(text).read_text())
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"neither JSON text nor the path of a JSON file ({error})") from None


def parser() -> argparse.ArgumentParser:
    """Build the command line; defaults that come from the environment are read here."""
    root = argparse.ArgumentParser(prog="cerebro", description="One command per step of the workflow.")
    commands = root.add_subparsers(dest="command", required=True)

    def command(
        name: str, step: Any, summary: str, *, settings: bool = True, output: bool = True
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary)
        added.set_defaults(step=step)
        if output:
            added.add_argument("--output", type=Path, required=True, help="what the step writes")
        if settings:
            added.add_argument(
                "--settings", type=_json, required=True, help="JSON text, or the path of a JSON file"
            )
        return added

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
    audited.add_argument("--index", type=Path, required=True)
    audited.add_argument("--inventory", type=Path, required=True)
    audited.add_argument("--shards", type=Path, nargs="+", required=True, help="the shards' tables")

    check = command("check-windows", _check_windows, "refuse an index without windows that a phase needs")
    check.add_argument("--index", type=Path, required=True)
    check.add_argument(
        "--study",
        type=_json,
        default=os.environ.get("CEREBRO_NEEDED_WINDOWS", '{"phases": {}}'),
        help="further phases to check, as --settings; default: $CEREBRO_NEEDED_WINDOWS, else none",
    )

    track = command("track", _track, "create the MLflow store before parallel steps use it", settings=False)
    track.add_argument("--name", required=True, help="the study, MLflow's experiment")

    phase = command("phase", _phase, "train one phase, resuming what was interrupted")
    phase.add_argument("--node", required=True, help="the phase's name")
    phase.add_argument("--index", type=Path, required=True)
    phase.add_argument("--tracking", type=Path, required=True)
    phase.add_argument("--parents", nargs="*", default=[], metavar="KEY=FOLDER")
    phase.add_argument("--state", type=Path, required=True, help="where checkpoints for resuming lie")
    phase.add_argument(
        "--compute",
        type=_json,
        default=os.environ.get("CEREBRO_COMPUTE", "{}"),
        help="devices and workers, JSON; default: $CEREBRO_COMPUTE, else those of the configuration models",
    )

    features = command("features", _features, "run one encoder over the windows that are probed")
    features.add_argument("--node", required=True, help="the phase's name, or random")
    features.add_argument("--encoder", type=Path, help="the phase's folder; none runs a random encoder")
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

    package = command("package", _package, "zip finetuned phases for the challenge", settings=False)
    for challenge in (1, 2):
        package.add_argument(
            f"--challenge-{challenge}", type=Path, nargs="+", required=True, help="folders of its phases"
        )

    preflight = command("preflight", _preflight, "load and run the zip as the scorer does", settings=False)
    preflight.add_argument("--zip", type=Path, required=True)

    score = command("score", _score, "score the zip on the held-out releases by the official rules")
    score.add_argument("--zip", type=Path, required=True)
    score.add_argument("--index", type=Path, required=True)
    score.add_argument("--tracking", type=Path, required=True)

    predict = command("predict", _predict, "answer a challenge's windows with one phase", settings=False)
    predict.add_argument("--phase", type=Path, required=True, help="the folder of a finished finetune phase")
    predict.add_argument("--index", type=Path, required=True)

    baseline = command("baseline", _baseline, "fit a baseline and answer a challenge's windows with it")
    baseline.add_argument("--node", required=True, help="the baseline's name")
    baseline.add_argument("--index", type=Path, required=True)

    for answering in (predict, baseline):
        answering.add_argument("--split", choices=["validation", "test"], required=True)

    oracle = command("oracle", _oracle, "answer from the ground truth of a simulated study", settings=False)
    oracle.add_argument("--target", choices=["reaction_time", "externalizing"], required=True)
    oracle.add_argument("--marker", type=Path, required=True, help="the simulation's simulation.json")
    oracle.add_argument("--index", type=Path, required=True)

    ablations = command("ablations", _ablations, "compare variants with the full study")
    ablations.add_argument("--predictions", type=Path, nargs="+", required=True, help="files of `predict`")
    ablations.add_argument("--tracking", type=Path, required=True)

    for weighing in (package, ablations):
        weighing.add_argument(
            "--validation", type=Path, nargs="*", default=[], help="files of `predict` to fit weights on"
        )

    encoders = command("encoders", _encoders, "compare encoders over seeds by their probes")
    encoders.add_argument("--probes", type=Path, nargs="+", required=True, help="answers of `probe`")
    encoders.add_argument("--isc", type=Path, nargs="+", required=True, help="files of `isc`")

    summary = command("summary", _summary, "print scores and probes beside their floors", settings=False)
    summary.add_argument("--score", type=Path, required=True)
    summary.add_argument("--probes", type=Path, nargs="*", default=[])
    summary.add_argument("--isc", type=Path, nargs="*", default=[])
    summary.add_argument("--phases", type=Path, nargs="*", default=[])
    summary.add_argument(
        "--windows", type=Path, help="counts of the window index; none tells nothing of them"
    )
    return root


if __name__ == "__main__":
    sys.exit(main())
