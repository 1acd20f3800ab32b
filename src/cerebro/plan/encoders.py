"""What encoders are worth: features, probes, comparisons of subjects, of encoders and of adapters."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from cerebro.plan.study import StudyPlan, as_json
from cerebro.probes.targets import needed_sets
from cerebro.provenance import step_digest
from cerebro.study.stages import (
    COVARIANCE,
    Comparison,
    along_lineage,
    before_finetuning,
    is_no_phase,
    is_untrained,
)


class EncoderPlan(StudyPlan):
    """Steps that run an encoder, or compare what others found of it."""

    def encoder_option(self, encoder: str) -> str:
        """How the command line names the encoder to probe or to compare."""
        if is_no_phase(encoder):
            return encoder
        phase, at, checkpoint = encoder.partition("@")
        return f"{self.phase_folder(phase)}{at}{checkpoint}"

    def encoder_code(self, step: str, encoder: str) -> str:
        """Digest of the code behind a step that runs one encoder."""
        return step_digest(step, without=self.unused_modules(encoder))

    def feature_settings(self, encoder: str) -> str:
        """What ``features`` reads: which sets of windows the probes need, and how many windows.

        A new target runs an encoder again only if it needs a set that no other target needed. The
        architecture, less any weights, goes to the untrained encoder alone.
        """
        probes = self.config.probes
        sets = needed_sets(probes.targets, self.config.labels)
        settings: dict[str, Any] = {
            "sets": sorted(sets),
            "labels": self.declared(sets),
            "max_windows_per_subject": probes.max_windows_per_subject,
        }
        if is_untrained(encoder):
            settings["encoder"] = self.untrained_settings
        return as_json(settings)

    def probe_settings(self) -> str:
        """What ``probe`` reads."""
        return as_json(
            {
                "probes": self.config.probes,
                "labels": self.declared(self.config.probes.targets or self.config.labels),
                "statistics": self.config.statistics,
            }
        )

    def probe_files(self, encoders: Iterable[str]) -> list[str]:
        """Scores of the probes of these encoders."""
        return [f"{self.results}/probes/{encoder}.json" for encoder in encoders]

    def all_probes(self) -> list[str]:
        """The probes of all encoders of the study, their table and their figure."""
        about = (f"{self.results}/probes/table.md", f"{self.results}/figures/lineage.svg")
        return [*self.probe_files(self.probed), *about]

    def adapter_settings(self) -> str:
        """What ``adapters`` reads."""
        settings = {key: getattr(self.config, key) for key in ("adapters", "labels", "probes", "statistics")}
        return as_json({"encoder": self.untrained_settings, **settings})

    def isc_settings(self, encoder: str) -> str:
        """What ``isc`` reads; the architecture only where no phase's encoder is measured."""
        settings: dict[str, Any] = {
            "isc": self.config.isc,
            "labels": self.declared([] if self.stimulus is None else [self.stimulus]),
            "statistics": self.config.statistics,
        }
        if is_no_phase(encoder):
            settings["encoder"] = self.untrained_settings
        return as_json(settings)

    def isc_files(self, encoders: Iterable[str]) -> list[str]:
        """Comparisons of people by these encoders, but for covariance; none where people met no stimulus."""
        if self.stimulus is None:
            return []
        return [f"{self.results}/isc/{encoder}.json" for encoder in encoders if encoder != COVARIANCE]

    def compared_encoders(self) -> list[str]:
        """Encoders that are compared over seeds by their probes.

        Raises
        ------
        UserError
            The configuration compares nothing, or a variant does not fit it.
        """
        self.require_comparison()
        named = (encoders for one in self._comparisons.values() for encoders in one.rows.values())
        return list(dict.fromkeys(encoder for encoders in named for encoder in encoders))

    def encoder_comparison_settings(self) -> str:
        """What ``encoders`` reads."""
        comparisons = {name: asdict(one) for name, one in self._comparisons.items()}
        return as_json({**comparisons, "statistics": self.config.statistics})

    @property
    def _comparisons(self) -> dict[str, Comparison]:
        return {
            "phases": along_lineage(self.nodes, self.lineups),
            "variants": before_finetuning(self.nodes, self.lineups),
        }
