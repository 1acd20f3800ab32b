"""Commands from finished phases to scores."""

import argparse
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from cerebro.commands.parsing import Commands


def add_commands(command: Commands) -> None:
    """Add them to the program."""
    package = command("package", _package, "zip finetuned phases for the challenge", settings=False)
    for challenge in (1, 2):
        package.add_argument(
            f"--challenge-{challenge}", type=Path, nargs="+", required=True, help="folders of its phases"
        )
    package.add_argument(
        "--validation", type=Path, nargs="*", default=[], help="files of `predict` to fit weights on"
    )

    preflight = command("preflight", _preflight, "load and run the zip as the scorer does", settings=False)
    preflight.add_argument("--zip", type=Path, required=True)
    preflight.add_argument(
        "--python",
        type=Path,
        help="what runs it, as of an environment with envs/scorer.txt; without it, this",
    )

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

    oracle = command("oracle", _oracle, "answer from the ground truth of a simulated study", settings=False)
    oracle.add_argument("--target", choices=["reaction_time", "externalizing"], required=True)
    oracle.add_argument("--marker", type=Path, required=True, help="the simulation's simulation.json")
    oracle.add_argument("--index", type=Path, required=True)

    ablations = command("ablations", _ablations, "compare variants with the full study")
    ablations.add_argument(
        "--predictions", type=Path, required=True, help="folder of the answers: <split>/<node>.parquet"
    )
    ablations.add_argument("--tracking", type=Path, required=True)

    summary = command("summary", _summary, "print scores and probes beside their floors", settings=False)
    summary.add_argument("--score", type=Path, required=True)
    summary.add_argument("--probes", type=Path, nargs="*", default=[])
    summary.add_argument("--isc", type=Path, nargs="*", default=[])
    summary.add_argument("--phases", type=Path, nargs="*", default=[])
    summary.add_argument(
        "--windows", type=Path, help="counts of the window index; none tells nothing of them"
    )

    for answering in (predict, baseline):
        answering.add_argument("--split", choices=["validation", "test"], required=True)


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

    preflight(options.zip, output=options.output, python=options.python)


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

    def answers(split: str, nodes: Iterable[str]) -> dict[str, Path]:
        return {node: options.predictions / split / f"{node}.parquet" for node in nodes}

    lineups = TypeAdapter(list[Lineup]).validate_python(options.settings["lineups"])
    members = [names for lineup in lineups for names in lineup.members().values()]
    tabulate(
        lineups,
        predictions=answers("test", chain.from_iterable(members)),
        validation=answers("validation", chain.from_iterable(lineup.weighed() for lineup in lineups)),
        resamples=Statistics.model_validate(options.settings["statistics"]).resamples,
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
