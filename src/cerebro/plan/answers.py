"""What the study answers: the submission and its score, and the comparison of variants."""

from collections.abc import Iterable
from dataclasses import asdict

from cerebro.config import CHALLENGES, BaselinePhase, FinetunePhase
from cerebro.data.phase_windows import phase_labels
from cerebro.errors import UserError
from cerebro.plan.study import StudyPlan, as_json
from cerebro.provenance import step_digest


class AnswerPlan(StudyPlan):
    """Steps from finished phases to scores."""

    def submission(self) -> list[str]:
        """The submission and what belongs to it.

        Raises
        ------
        UserError
            The study has none.
        """
        self._members()
        files = ("submission/submission.zip", "submission/preflight.json", "submission/score.json")
        return [f"{self.results}/{file}" for file in (*files, "summary.md", "figures/lineage.svg")]

    def _members(self) -> dict[int, tuple[str, ...]]:
        if self.submitted is None:
            raise UserError(
                "configuration: there is no section 'submission', so nothing can be packaged; `snakemake "
                "study` makes all that this study has"
            )
        return self.submitted.members()

    def submitted_files(self) -> list[str]:
        """The files of the phases that answer the challenges."""
        members = (name for names in self._members().values() for name in names)
        return [file for name in members for file in self.encoder_files(name)]

    def submitted_answers(self) -> list[str]:
        """Answers on validation windows that say how much each member of the submission counts."""
        return self._answers([] if self.submitted is None else self.submitted.weighed(), "validation")

    def package_options(self) -> list[str]:
        """The part of the command line that names who answers, and how much each counts."""
        options = []
        for challenge, names in self._members().items():
            options += [f"--challenge-{challenge}", *map(self.phase_folder, names)]
        return [*options, "--validation", *self.submitted_answers()]

    def package_code(self) -> str:
        """Digest of the code behind the submission."""
        members = self._members().values()
        unused = (set(self.unused_modules(name)) for names in members for name in names)
        return step_digest("package", without=tuple(set.intersection(*unused)))

    def score_settings(self) -> str:
        """What ``score`` reads."""
        asked = self.declared(challenge.target for challenge in CHALLENGES.values())
        return as_json({"statistics": self.config.statistics, "labels": asked | self.demographics})

    @property
    def scored(self) -> list[str]:
        """The study's own phases and baselines that answer, each with a score of its own."""
        return [
            name
            for name, node in self.config.phases.items()
            if isinstance(node, FinetunePhase | BaselinePhase)
        ]

    @property
    def scored_split(self) -> str:
        """Where phases are scored; validation people, who also selected, where the study tests nobody."""
        return "validation" if self.config.splits.test is None else "test"

    def phase_scores(self) -> list[str]:
        """Scores of the phases and baselines that answer, one file each."""
        return [f"{self.results}/scores/{name}.json" for name in self.scored]

    def phase_score_settings(self, name: str) -> str:
        """What ``score-phase`` reads."""
        node = self.config.phases[name]
        return as_json(
            {
                "phase": node.model_dump(mode="json", exclude={"encoder"}),
                "labels": phase_labels(node, self.config.labels) | self.demographics,
                "statistics": self.config.statistics,
            }
        )

    def summed_scores(self) -> list[str]:
        """What the summary says of scores: of the submission, else of each phase that answers."""
        return self.phase_scores() if self.submitted is None else [f"{self.results}/submission/score.json"]

    def score_option(self) -> str:
        """How the command line names them."""
        return "--scores" if self.submitted is None else "--score"

    @property
    def summed_probes(self) -> list[str]:
        """Encoders that the summary shows; beside a submission covariance is one of `ablations`."""
        return self.probed if self.submitted is None else self.encoders

    def compared_answers(self) -> list[str]:
        """Answers on the scored windows of every node that answers for a variant.

        Raises
        ------
        UserError
            The configuration compares nothing, or a variant does not fit it.
        """
        self.require_comparison()
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
