"""Write the submission's zip: flat, with only what scoring needs, the same bytes for the same phases."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from cerebro.config import CHALLENGES, SCORER_NETWORKS, Weights, not_at_the_scorer
from cerebro.data.card import load_predictor, read_card
from cerebro.errors import UserError
from cerebro.files import atomic_path
from cerebro.recordings.montages import positions
from cerebro.scoring.ensemble import member_weights
from cerebro.scoring.windows import CHANNELS
from cerebro.submission.flatten import flatten_sources

if TYPE_CHECKING:
    # Shipped, never imported here; named so that the digest of this step's code covers it.
    import cerebro.submission.template.submission  # noqa: F401

ENTRY = Path(__file__).with_name("template") / "submission.py"
TIMESTAMP = (1980, 1, 1, 0, 0, 0)
"""Of every file in the zip (the earliest the format knows): a repackaged submission is byte-identical."""


def package(
    *,
    challenge_1: Sequence[Path],
    challenge_2: Sequence[Path],
    validation: Mapping[str, Path] | None = None,
    output: Path,
) -> None:
    """Package finetuned phases.

    Parameters
    ----------
    challenge_1, challenge_2 : sequence of Path
        Folders of the finetune phases whose mean answers each challenge. One whose fitted weight is 0 is left
        out.
    validation : mapping of str to Path, optional
        By name of the phase, its answers on validation windows, on which weights are fitted; without them all
        members of a challenge count equally.
    output : Path
        The zip: ``submission.py``, the modules that it needs, ``weights_challenge_1.pt`` and ``_2.pt``.

    Raises
    ------
    UserError
        When a phase is no finetune phase with the challenge's target, its network is none that the scorer
        has, a module cannot be shipped, two members of a challenge have one name, or they answered different
        validation windows.
    """
    answers = {1: challenge_1, 2: challenge_2}
    frames = {name: pd.read_parquet(path) for name, path in (validation or {}).items()}
    counted = {challenge: _counted(challenge, folders, frames) for challenge, folders in answers.items()}
    networks = [_network(folder) for weights in counted.values() for folder in weights]
    sources = flatten_sources(ENTRY, braindecode=any(networks))
    files = {name: source.encode() for name, source in sources.items()}
    for challenge, weights in counted.items():
        files[f"weights_challenge_{challenge}.pt"] = _weights(challenge, weights)
    with atomic_path(output) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, TIMESTAMP)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # Unix, whatever machine packages
            archive.writestr(entry, files[name])


def _network(folder: Path) -> str | None:
    """The network of braindecode behind a phase, if it is one that the scorer has."""
    network = read_card(folder)["encoder"].get("braindecode")
    if network is not None and network not in SCORER_NETWORKS:
        raise UserError(f"{folder} {not_at_the_scorer(network)}")
    return network


def _counted(
    challenge: int, folders: Sequence[Path], validation: Mapping[str, pd.DataFrame]
) -> dict[Path, float]:
    """The members of a challenge that count, and how much."""
    names = [folder.name for folder in folders]
    if len(set(names)) < len(names):
        raise UserError(
            f"challenge {challenge}: two members have one name, of {', '.join(map(str, folders))}"
        )
    how: Weights = "validation" if validation else "equal"
    weights = member_weights(names, how, validation, purpose=f"challenge {challenge}")
    return {folder: weights[folder.name] for folder in folders if folder.name in weights}


def _weights(challenge: int, counted: Mapping[Path, float]) -> bytes:
    """The members of a challenge: plain values and tensors only, loadable with ``weights_only=True``."""
    members = [_member(challenge, folder, weight) for folder, weight in counted.items()]
    content = {
        "positions": torch.from_numpy(positions(CHANNELS)).float(),
        "constant": all(member["constant"] for member in members),
        "members": members,
    }
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def _member(challenge: int, folder: Path, weight: float) -> dict[str, Any]:
    target, asked = read_card(folder).get("target"), CHALLENGES[challenge].target
    if target != asked:
        raise UserError(f"challenge {challenge} asks for {asked}, but {folder} was trained for {target}")
    predictor = load_predictor(folder)
    if predictor.answers_constant:
        print(
            f"challenge {challenge}: {folder} answers one constant to all windows, since its head or its "
            "shrinkage is 0",
            flush=True,
        )
    return {
        "phase": folder.name,
        "weight": weight,
        "constant": predictor.answers_constant,
        "predictor": predictor.architecture,
        "state": {name: value.contiguous() for name, value in predictor.state_dict().items()},
    }
