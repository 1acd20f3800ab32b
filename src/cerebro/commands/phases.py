"""Commands that train."""

import argparse
import os
from pathlib import Path

from cerebro.commands.parsing import Commands, json_argument


def add_commands(command: Commands) -> None:
    """Add them to the program; defaults that come from the environment are read here."""
    track = command("track", _track, "create the MLflow store before parallel steps use it", settings=False)
    track.add_argument("--name", required=True, help="the study, MLflow's experiment")

    phase = command("phase", _phase, "train one phase, resuming what was interrupted")
    phase.add_argument("--node", required=True, help="the phase's name")
    phase.add_argument("--index", type=Path, required=True)
    phase.add_argument("--tracking", type=Path, required=True)
    phase.add_argument("--parents", nargs="*", default=[], metavar="KEY=FOLDER")
    phase.add_argument("--state", type=Path, required=True, help="where checkpoints for resuming lie")
    phase.add_argument("--code", default="", help="digest of the code: another one resumes nothing")
    phase.add_argument(
        "--compute",
        type=json_argument,
        default=os.environ.get("CEREBRO_COMPUTE", "{}"),
        help="devices and workers, JSON; default: $CEREBRO_COMPUTE, else those of the configuration models",
    )


def _track(options: argparse.Namespace) -> None:
    from cerebro.tracking import create_store

    create_store(name=options.name, output=options.output)


def _phase(options: argparse.Namespace) -> None:
    from cerebro.config import Devices
    from cerebro.phases.run import run_phase

    run_phase(
        options.node,
        options.settings,
        index=options.index,
        store=options.tracking,
        parents=dict(pair.split("=", 1) for pair in options.parents),
        state=options.state,
        output=options.output,
        code=options.code,
        compute=Devices.model_validate(options.compute),
    )
