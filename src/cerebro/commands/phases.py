"""Commands that train."""

import argparse
import os

from cerebro.commands import inputs
from cerebro.commands.outputs import output_folder
from cerebro.commands.parsing import Commands, json_argument, name
from cerebro.commands.settings import read_sections
from cerebro.errors import UserError


def add_commands(command: Commands) -> None:
    """Add them to the program; defaults that come from the environment are read here."""
    track = command(
        "track",
        _track,
        "create the MLflow store before parallel steps use it",
        output=".json",
        settings=False,
    )
    track.add_argument("--name", type=name, required=True, help="the study, MLflow's experiment")

    phase = command("phase", _phase, "train one phase, resuming what was interrupted", output=None)
    phase.writes("--output", output_folder, help="the phase's folder, of its name")
    phase.add_argument("--node", type=name, required=True, help="the phase's name")
    phase.reads("--index", inputs.index_with_signals)
    phase.reads("--tracking", inputs.TRACKING)
    phase.reads(
        "--parents",
        inputs.parent,
        required=False,
        nargs="*",
        default=[],
        metavar="KEY=FOLDER",
        help="the phases that it needs, such as init=results/demo/phases/contrast",
    )
    phase.writes("--state", output_folder, help="where checkpoints for resuming lie")
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
    from cerebro.config import AnyEncoder, AnyLabel, AnyPhase, Devices, parents

    sections = {"phase": AnyPhase, "lineage": list[str], "labels": dict[str, AnyLabel]}
    settings = read_sections(
        options.settings, sections, optional={"encoder": AnyEncoder | None, "precision": str}
    )
    compute = read_sections({"compute": options.compute}, {"compute": Devices}, where="--compute")["compute"]
    if settings["lineage"][-1:] != [options.node]:
        raise UserError(
            f"--settings are those of '{(settings['lineage'] or [''])[-1]}', not of {options.node}"
        )
    if options.output.name != options.node:
        raise UserError(f"--output {options.output}: the folder of a phase has its name, {options.node}")
    needed, given = parents(settings["phase"]), dict(options.parents)
    if len(given) < len(options.parents):
        raise UserError("--parents: one key is given two folders; name one")
    for key in dict.fromkeys([*needed, *given]):
        if key not in given:
            raise UserError(f"phase '{options.node}' needs --parents {key}=FOLDER, of '{needed[key]}'")
        if key not in needed:
            raise UserError(f"--parents {key}: phase '{options.node}' has no {key} and would not read it")
        if (found := inputs.read_card(given[key])["node"]) != needed[key]:
            raise UserError(f"--parents {key}: {given[key]} holds '{found}', not '{needed[key]}'")
    from cerebro.phases.run import run_phase  # Lightning takes seconds, and a wrong command is told at once

    run_phase(
        options.node,
        options.settings,
        index=options.index,
        store=options.tracking,
        parents={key: str(folder) for key, folder in given.items()},
        state=options.state,
        output=options.output,
        code=options.code,
        compute=compute,
    )
