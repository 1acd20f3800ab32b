"""Commands from finished phases to scores."""

import argparse
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from cerebro.commands import inputs
from cerebro.commands.parsing import Commands, name
from cerebro.commands.settings import read_sections
from cerebro.commands.sources import require_different_nodes
from cerebro.errors import UserError


def add_commands(command: Commands) -> None:
    """Add them to the program."""
    package = command(
        "package", _package, "zip finetuned phases for the challenge", output=".zip", settings=False
    )
    for challenge in (1, 2):
        package.reads(
            f"--challenge-{challenge}", inputs.phase_folder, nargs="+", help="folders of its phases"
        )
    package.reads(
        "--validation",
        inputs.ANSWERS,
        required=False,
        nargs="*",
        default=[],
        help="files of `predict`, one of each phase, to fit weights on",
    )

    preflight = command(
        "preflight", _preflight, "load and run the zip as the scorer does", output=".json", settings=False
    )
    preflight.reads("--zip", inputs.archive)
    preflight.reads(
        "--python",
        inputs.file,
        required=False,
        help="what runs it, as of an environment with envs/scorer.txt; without it, this",
    )

    score = command(
        "score", _score, "score the zip on the held-out releases by the official rules", output=".json"
    )
    score.reads("--zip", inputs.archive)
    score.reads("--index", inputs.index_with_signals)
    score.reads("--tracking", inputs.TRACKING)

    predict = command(
        "predict", _predict, "answer a challenge's windows with one phase", output=".parquet", settings=False
    )
    predict.reads("--phase", inputs.phase_folder, help="the folder of a finished finetune phase")
    predict.reads("--index", inputs.index_with_signals)

    baseline = command(
        "baseline", _baseline, "fit a baseline and answer a challenge's windows with it", output=".parquet"
    )
    baseline.add_argument("--node", type=name, required=True, help="the baseline's name")
    baseline.reads("--index", inputs.index_with_signals)

    oracle = command(
        "oracle",
        _oracle,
        "answer from the ground truth of a simulated study",
        output=".parquet",
        settings=False,
    )
    oracle.add_argument("--target", type=name, required=True, help="what a challenge asks for")
    oracle.reads("--marker", inputs.MARKER, help="the simulation's simulation.json")
    oracle.reads("--index", inputs.INDEX)

    ablations = command("ablations", _ablations, "compare variants with the full study", output=".csv")
    ablations.reads("--predictions", inputs.folder, help="folder of the answers: <split>/<node>.parquet")
    ablations.reads("--tracking", inputs.TRACKING)

    score_phase = command(
        "score-phase", _score_phase, "score the answers of one phase or baseline", output=".json"
    )
    score_phase.add_argument("--node", type=name, required=True, help="the phase's name")
    score_phase.reads("--answers", inputs.ANSWERS, help="a file of `predict` or `baseline`")
    score_phase.reads("--index", inputs.INDEX)
    score_phase.reads("--tracking", inputs.TRACKING)

    summary = command(
        "summary", _summary, "print scores and probes beside their floors", output=".md", settings=False
    )
    summary.reads("--score", inputs.SCORE, required=False, help="of the submission, where there is one")
    for option, kind in (
        ("--scores", inputs.PHASE_SCORES),
        ("--probes", inputs.PROBES),
        ("--isc", inputs.ISC),
        ("--phases", inputs.phase_folder),
    ):
        summary.reads(option, kind, required=False, nargs="*", default=[])
    summary.reads(
        "--windows",
        inputs.WINDOWS,
        required=False,
        help="counts of the window index; none tells nothing of them",
    )

    for answering in (predict, baseline):
        answering.add_argument("--split", choices=["validation", "test"], required=True)


def _package(options: argparse.Namespace) -> None:
    from cerebro.submission.package import package

    members = [options.challenge_1, options.challenge_2]
    _require_own_answers(options.validation, members)
    package(
        challenge_1=options.challenge_1,
        challenge_2=options.challenge_2,
        validation={path.stem: path for path in options.validation},
        output=options.output,
    )


def _require_own_answers(answers: Sequence[Path], challenges: Sequence[Sequence[Path]]) -> None:
    """Refuse answers of a phase that is no member, and members without answers where others have them."""
    own = [path.stem for path in answers]
    if twice := [node for node in own if own.count(node) > 1]:
        raise UserError(f"--validation: two files are named '{twice[0]}', which says whose answers they hold")
    members = {folder.name for folders in challenges for folder in folders}
    if foreign := sorted(set(own) - members):
        raise UserError(f"--validation: '{foreign[0]}' answers no challenge here; its file has no effect")
    weighed = [folder.name for folders in challenges if len(folders) > 1 for folder in folders]
    if own and (missing := [node for node in weighed if node not in own]):
        raise UserError(
            f"--validation: the answers of '{missing[0]}' are missing; give those of all, or none"
        )


def _preflight(options: argparse.Namespace) -> None:
    from cerebro.submission.preflight import preflight

    preflight(options.zip, output=options.output, python=options.python)


def _score(options: argparse.Namespace) -> None:
    from cerebro.config import AnyLabel, Statistics

    read_sections(options.settings, {"statistics": Statistics, "labels": dict[str, AnyLabel]})
    from cerebro.scoring.submission import score

    score(
        options.zip,
        options.settings,
        index=options.index,
        store=options.tracking,
        output=options.output,
    )


def _predict(options: argparse.Namespace) -> None:
    from cerebro.scoring.predictions import predict

    predict(options.phase, split=options.split, index=options.index, output=options.output)


def _baseline(options: argparse.Namespace) -> None:
    from cerebro.config import AnyLabel, BaselinePhase

    read_sections(options.settings, {"phase": BaselinePhase, "labels": dict[str, AnyLabel]})
    from cerebro.scoring.baseline_answers import answer

    answer(options.node, options.settings, split=options.split, index=options.index, output=options.output)


def _oracle(options: argparse.Namespace) -> None:
    from cerebro.config import CHALLENGES

    asked = [challenge.target for challenge in CHALLENGES.values()]
    if options.target not in asked:
        raise UserError(f"--target {options.target}: a challenge asks for {' or '.join(asked)}")
    from cerebro.scoring.oracle import answer_oracle

    answer_oracle(options.target, marker=options.marker, index=options.index, output=options.output)


def _score_phase(options: argparse.Namespace) -> None:
    from cerebro.config import AnyLabel, AnyNode, Statistics

    sections = {"phase": AnyNode, "labels": dict[str, AnyLabel], "statistics": Statistics}
    read_sections(options.settings, sections)
    from cerebro.scoring.phase_score import score_phase

    score_phase(
        options.node,
        options.settings,
        answers=options.answers,
        index=options.index,
        store=options.tracking,
        output=options.output,
    )


def _ablations(options: argparse.Namespace) -> None:
    from cerebro.config import Statistics
    from cerebro.report.ablations import tabulate
    from cerebro.study.variants import Lineup

    def answers(split: str, nodes: Iterable[str]) -> dict[str, Path]:
        folder = options.predictions / split
        return {node: inputs.ANSWERS(str(folder / f"{node}.parquet")) for node in dict.fromkeys(nodes)}

    settings = read_sections(options.settings, {"lineups": list[Lineup], "statistics": Statistics})
    lineups = settings["lineups"]
    if not lineups:
        raise UserError("--settings: lineups names no variant, so there is nothing to compare")
    members = [names for lineup in lineups for names in lineup.members().values()]
    tabulate(
        lineups,
        predictions=answers("test", chain.from_iterable(members)),
        validation=answers("validation", chain.from_iterable(lineup.weighed() for lineup in lineups)),
        resamples=settings["statistics"].resamples,
        store=options.tracking,
        output=options.output,
    )


def _summary(options: argparse.Namespace) -> None:
    from cerebro.report.summary import summarise

    require_different_nodes(options.scores, "--scores")
    require_different_nodes(options.probes, "--probes")
    require_different_nodes(options.isc, "--isc")
    summarise(
        score=options.score,
        scores=options.scores,
        probes=options.probes,
        isc=options.isc,
        phases=options.phases,
        windows=options.windows,
        output=options.output,
    )
