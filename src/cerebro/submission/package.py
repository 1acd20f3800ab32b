"""Write the submission's zip: flat, with only what scoring needs, the same bytes for the same phases."""

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from cerebro.config import SCORER_NETWORKS, not_at_the_scorer
from cerebro.data.card import load_predictor, read_card
from cerebro.errors import UserError
from cerebro.files import atomic_path
from cerebro.models.predictor import Predictor
from cerebro.recordings.montages import positions
from cerebro.submission.flatten import flatten_sources
from cerebro.submission.windows import CHANNELS

if TYPE_CHECKING:
    # Shipped, never imported here; named so that the digest of this step's code covers it.
    import cerebro.submission.template.submission  # noqa: F401

ENTRY = Path(__file__).with_name("template") / "submission.py"
TIMESTAMP = (1980, 1, 1, 0, 0, 0)
"""Of every file in the zip (the earliest the format knows): a repackaged submission is byte-identical."""
TARGETS = {1: "reaction_time", 2: "externalizing"}
"""What each challenge asks for."""


def package(*, challenge_1: Path, challenge_2: Path, output: Path) -> None:
    """Package two finetuned phases.

    Parameters
    ----------
    challenge_1, challenge_2 : Path
        Folders of the finetune phases that answer the challenges.
    output : Path
        The zip: ``submission.py``, the modules that it needs, ``weights_challenge_1.pt`` and ``_2.pt``.

    Raises
    ------
    UserError
        When a phase is no finetune phase with the challenge's target, its network is none that the scorer
        has, or a module cannot be shipped.
    """
    answers = {1: challenge_1, 2: challenge_2}
    networks = [_network(folder) for folder in answers.values()]
    sources = flatten_sources(ENTRY, braindecode=any(networks))
    files = {name: source.encode() for name, source in sources.items()}
    for challenge, folder in answers.items():
        target = read_card(folder).get("target")
        if target != TARGETS[challenge]:
            raise UserError(
                f"challenge {challenge} asks for {TARGETS[challenge]}, but {folder} was trained for {target}"
            )
        predictor = load_predictor(folder)
        if predictor.answers_constant:
            print(
                f"challenge {challenge}: validation subjects do not prove that {folder} knows more than the "
                "training mean, so the submission answers the training mean",
                flush=True,
            )
        files[f"weights_challenge_{challenge}.pt"] = _weights(predictor)
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


def _weights(predictor: Predictor) -> bytes:
    """Plain values and tensors only, loadable with ``weights_only=True``."""
    content: dict[str, Any] = {
        "predictor": predictor.architecture,
        "positions": torch.from_numpy(positions(CHANNELS)).float(),
        "state": {name: value.contiguous() for name, value in predictor.state_dict().items()},
        "constant": predictor.answers_constant,
    }
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()
