"""Trainings and baselines: where they start, what they read, and which windows they need."""

from typing import Any, get_args

from cerebro.config import AnyPhase, BraindecodeSettings, lineage, parents
from cerebro.data.phase_windows import phase_labels
from cerebro.plan.study import StudyPlan, as_json
from cerebro.provenance import step_digest

KINDS = tuple(get_args(model.model_fields["kind"].annotation)[0] for model in get_args(get_args(AnyPhase)[0]))
"""The kinds of trainings; each is the module of that name in `cerebro.phases`."""


class PhasePlan(StudyPlan):
    """The nodes of the graph, one step each."""

    def phase_cards(self) -> list[str]:
        """Cards of all trainings of the study itself."""
        return [f"{self.phase_folder(phase)}/card.json" for phase in self.phases]

    def phase_parents(self, phase: str) -> dict[str, str]:
        """Folders of the phases that this one needs, by the key that names them."""
        return {key: self.phase_folder(name) for key, name in parents(self.nodes[phase]).items()}

    def phase_settings(self, phase: str) -> str:
        """What ``phase`` reads; the encoder's architecture only where it starts from random weights."""
        node = self.nodes[phase]
        settings: dict[str, Any] = {
            "phase": node.model_dump(mode="json", exclude={"encoder"}),
            "lineage": lineage(self.nodes, phase),
            "precision": self.config.compute.precision,
            "labels": phase_labels(node, self.config.labels),
        }
        if node.init is None:
            settings["encoder"] = node.encoder or self.config.encoder
        return as_json(settings)

    def phase_weights(self, phase: str) -> list[str]:
        """The file of published weights that a phase starts from, if it does."""
        settings = self.architecture(phase)
        if self.nodes[phase].init is not None or not isinstance(settings, BraindecodeSettings):
            return []
        return [] if settings.weights is None else [str(settings.weights)]

    def phase_code(self, phase: str) -> str:
        """Digest of the code behind a phase, the modules of other kinds left out."""
        others = sorted(set(KINDS) - {self.nodes[phase].kind})
        unused = (*(f"cerebro.phases.{kind}" for kind in others), *self.unused_modules(phase))
        return step_digest("phase", without=unused)

    def baseline_settings(self, baseline: str) -> str:
        """What ``baseline`` reads."""
        node = self.baselines[baseline]
        return as_json({"phase": node, "labels": phase_labels(node, self.config.labels) | self.demographics})

    def needed_windows(self, *phases: str) -> str:
        """What ``check-windows`` reads: what decides which windows the phases (none: all) take."""
        deciding = {"kind", "target", "mix", "tokenizer", "sources", "subjects_per_moment", "windows"}
        deciding |= {"datasets", "subject_share", "subject_seed", "window_seconds", "through"}
        chosen = {name: self.nodes[name] for name in phases or self.phases}
        labels = (phase_labels(node, self.config.labels) for node in chosen.values())
        return as_json(
            {
                "phases": {n: p.model_dump(include=deciding) for n, p in chosen.items()},
                "labels": self.declared(name for names in labels for name in names),
            }
        )
