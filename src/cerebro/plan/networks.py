"""What can be said of a configuration's networks of braindecode before anything runs."""

from collections.abc import Mapping

from cerebro.config import (
    SCORER_NETWORKS,
    AnyPhase,
    BraindecodeSettings,
    Config,
    encoder_of,
    not_at_the_scorer,
)
from cerebro.errors import UserError


def check_networks(config: Config, nodes: Mapping[str, AnyPhase]) -> None:
    """Build every network once, and refuse a submission of one that the scorer lacks.

    Parameters
    ----------
    config : Config
    nodes : mapping of str to phase
        All phases, those that variants add included.

    Raises
    ------
    UserError
        Naming the key and what is wrong.
    """
    encoders = {
        "encoder": config.encoder,
        **{f"phases.{name}.encoder": nodes[name].encoder for name in nodes},
    }
    seen: list[BraindecodeSettings] = []
    for key, settings in encoders.items():
        if isinstance(settings, BraindecodeSettings) and settings not in seen:
            seen.append(settings)
            _build(key, settings)
    answers = {} if config.submission is None else config.submission.answers()
    for challenge, names in answers.items():
        for name in names:
            settings = encoder_of(nodes, name, config.encoder)
            if isinstance(settings, BraindecodeSettings) and settings.braindecode not in SCORER_NETWORKS:
                reason = not_at_the_scorer(settings.braindecode)
                raise UserError(f"configuration: submission.challenge_{challenge}: phase '{name}' {reason}")


def _build(key: str, settings: BraindecodeSettings) -> None:
    from cerebro.data.card import random_encoder  # takes seconds, and most studies have no network

    if settings.weights is not None and not settings.weights.is_file():
        raise UserError(f"configuration: {key}.weights: there is no file {settings.weights}")
    try:
        random_encoder(settings, seed=0)
    except UserError as error:
        raise UserError(f"configuration: {key}: {error}") from error
