"""One training as the workflow hands it over: its settings, its parents, its data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import TypeAdapter
from safetensors.torch import load_file

from cerebro.config import (
    AnyLabel,
    AnyPhase,
    Architecture,
    BraindecodeSettings,
    Devices,
    read_architecture,
)
from cerebro.data.card import WEIGHTS, random_encoder, read_card
from cerebro.data.networks import read_weights
from cerebro.data.phase_windows import phase_columns, phase_windows
from cerebro.data.selection import read_index, shards_folder
from cerebro.errors import UserError
from cerebro.files import digest_file, digest_text
from cerebro.models.encoder import build_encoder
from cerebro.models.token_encoder import TokenEncoder
from cerebro.phases.transition import transfer

PUBLISHED_SHARE = 0.9
"""Share of a network's tensors that a file of published weights must hold."""


@dataclass(kw_only=True)
class PhaseJob:
    """A phase to train.

    Parameters
    ----------
    node : str
        The phase's name.
    phase : AnyPhase
        Its settings.
    architecture : Architecture, optional
        For phases without ``init``.
    lineage : list of str
        The chain of phases behind the encoder, this one last.
    index : Path
        The window index.
    parents : dict of str to Path
        Output folders of earlier phases, by the key that names them (``init``, ``tokenizer``).
    compute : Devices
    labels : mapping of str to label
        The declarations that the phase reads.
    precision : str
        Lightning's.
    code : str
        Digest of the code behind the phase.
    """

    node: str
    phase: AnyPhase
    architecture: Architecture | None
    lineage: list[str]
    index: Path
    parents: dict[str, Path]
    compute: Devices
    labels: Mapping[str, AnyLabel] = field(default_factory=dict)
    precision: str = "32-true"
    code: str = ""
    transition: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def parse(cls, node: str, settings: dict[str, Any], **rest: Any) -> "PhaseJob":
        """Read the JSON settings ``{"phase": ..., "labels": ..., "encoder": ... or null, "lineage": [...]}``.

        ``precision`` may stand beside them.
        """
        encoder = settings.get("encoder")
        return cls(
            node=node,
            phase=TypeAdapter(AnyPhase).validate_python(settings["phase"]),
            architecture=None if encoder is None else read_architecture(encoder),
            labels=TypeAdapter(dict[str, AnyLabel]).validate_python(settings["labels"]),
            lineage=settings["lineage"],
            precision=settings.get("precision", cls.precision),
            **rest,
        )

    @property
    def shards(self) -> Path:
        """Folder of the shards."""
        return shards_folder(self.index)

    @cached_property
    def windows(self) -> dict[str, pd.DataFrame]:
        """Windows that this phase trains (``train``) and selects (``validation``) on."""
        return {
            split: phase_windows(self.table, self.node, self.phase, split, self.labels)
            for split in ("train", "validation")
        }

    @cached_property
    def table(self) -> pd.DataFrame:
        """The window index, as far as the phase reads it."""
        return read_index(self.index, columns=phase_columns(self.phase, self.labels))

    def parent(self, key: str) -> Path:
        """Output folder of the phase that ``key`` names."""
        if key not in self.parents:
            raise UserError(f"phase '{self.node}' needs --parents {key}=FOLDER")
        return self.parents[key]

    def encoder(self) -> TokenEncoder:
        """The encoder to train: the parent's, all of its weights carried over, or the first of its line."""
        if self.phase.init is None:
            if self.architecture is None:
                raise UserError(
                    f"phase '{self.node}' starts from random weights: its settings need an encoder"
                )
            encoder = self._first_encoder(self.architecture)
        else:
            folder = self.parent("init")
            encoder = build_encoder(read_card(folder)["encoder"])
            self.transition = transfer(load_file(folder / "encoder.safetensors"), encoder, source=str(folder))
        try:
            encoder.n_patches(int(self.windows["train"]["length"].iloc[0]))
        except ValueError as error:
            raise UserError(f"phase '{self.node}': {error}; see window_seconds") from None
        return encoder

    def _first_encoder(self, settings: Architecture) -> TokenEncoder:
        encoder = random_encoder(settings, self.phase.seed)
        if isinstance(settings, BraindecodeSettings) and settings.weights is not None:
            network = encoder.get_submodule("network")
            published = read_weights(settings, network)
            self.transition = transfer(
                published, network, source=str(settings.weights), required=PUBLISHED_SHARE
            )
            found = ", ".join(f"{len(keys)} {what}" for what, keys in self.transition.items())
            print(f"{settings.weights}: {found}", flush=True)
            for what in ("missing", "unexpected", "reshaped"):
                for key in self.transition[what]:
                    print(f"  {what}: {key}", flush=True)
        return encoder

    def fingerprint(self, settings: dict[str, Any]) -> str:
        """Digest of all that determines the result; a checkpoint of another fingerprint is never resumed."""
        inputs = [folder / name for _, folder in sorted(self.parents.items()) for name in WEIGHTS]
        if isinstance(self.architecture, BraindecodeSettings) and self.architecture.weights is not None:
            inputs.append(self.architecture.weights)
        return digest_text(
            repr((settings, self.code, digest_file(self.index), [digest_file(path) for path in inputs]))
        )
