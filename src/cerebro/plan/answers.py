"""What the study answers: the submission and its score, and the comparison of variants."""

from collections.abc import Iterable
from dataclasses import asdict

from cerebro.errors import UserError
from cerebro.foreign_encoders import check_networks
from cerebro.plan.study import StudyPlan, as_json
from cerebro.provenance import step_digest


class AnswerPlan(StudyPlan):
    """Steps from finished phases to scores."""

    def submitted_files(self) -> list[str]:
        """The files of the phases that answer the challenges."""
        members = (name for names in self.submitted.members().values() for name in names)
        return [file for name in members for file in self.encoder_files(name)]

    def submitted_answers(self) -> list[str]:
        """Answers on validation windows that say how much each member of the submission counts."""
        return self._answers(self.submitted.weighed(), "validation")

    def package_options(self) -> list[str]:
        """The part of the command line that names who answers, and how much each counts."""
        options = []
        for challenge, names in self.submitted.members().items():
            options += [f"--challenge-{challenge}", *map(self.phase_folder, names)]
        return [*options, "--validation", *self.submitted_answers()]

    def package_code(self) -> str:
        """Digest of the code behind the submission."""
        members = self.submitted.members().values()
        unused = (set(self.unused_modules(name)) for names in members for name in names)
        return step_digest("package", without=tuple(set.intersection(*unused)))

    def score_settings(self) -> str:
        """What ``score`` reads."""
        return as_json(self.config.statistics)

    def compared_answers(self) -> list[str]:
        """Answers on the scored windows of every node that answers for a variant.

        Raises
        ------
        UserError
            The configuration compares nothing, or a variant does not fit it.
        """
        if self.incomparable is not None:
            raise self.incomparable
        if not self.lineups:
            raise UserError("configuration: there is no section 'ablations', so nothing can be compared")
        check_networks(self.config, self.nodes)
        members = (names for lineup in self.lineups for names in lineup.members().values())
        return self._answers((name for names in members for name in names), "test")

    def weighing_answers(self) -> list[str]:
        """Answers on validation windows that say how much each member of a variant counts."""
        return self._answers((name for lineup in self.lineups for name in lineup.weighed()), "validation")

    def ablation_settings(self) -> str:
        """What ``ablations`` reads."""
        lineups = [asdict(lineup) for lineup in self.lineups]
        return as_json({"lineups": lineups, "statistics": self.config.statistics})

    def _answers(self, nodes: Iterable[str], split: str) -> list[str]:
        return [f"{self.results}/predictions/{split}/{node}.parquet" for node in dict.fromkeys(nodes)]
