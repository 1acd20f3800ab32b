"""The printed tables of ablations: variants against the full study, and against the training mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cerebro.config import CHALLENGES
from cerebro.report.cells import ABSENT, CONSTANT, difference, interval
from cerebro.report.headings import name
from cerebro.report.tables import Table
from cerebro.statistics.comparison import SIGNIFICANT, Difference, Resampled, star_is_possible
from cerebro.study.variants import FULL

MEAN = "mean"
"""The baseline that answers the training mean; every variant is compared with it as well, if it is there."""
TITLES = {f"c{number}": f"Challenge {number}, {name(one.target)}" for number, one in CHALLENGES.items()}
CORRELATIONS = {"unshrunk_r": "unshrunk\nr", "unshrunk_r_within": "unshrunk r\nwithin subject"}

METHOD = (
    "NRMSE (less is better) and Pearson's r of answers to windows of the held-out releases, with 95 % "
    "intervals over subjects and seeds together. 'unshrunk': the answers as the heads gave them, before "
    "validation subjects drew them towards the mean. 'full better by': how much of the variant's score "
    "the full study saves, on the same resampled subjects and seeds; * p below .05 after Holm's "
    "correction for the number of variants. 'constant': all windows get one answer."
)

Scores = Mapping[str, Mapping[str, Resampled]]
"""By metric and variant."""
Differences = Mapping[str, Mapping[str, Difference]]
"""By metric and variant, to one of the variants."""


@dataclass(frozen=True)
class Compared:
    """What the tables show.

    Parameters
    ----------
    scores : Scores
    differences : mapping of str to Differences
        By the variant that others are compared with: :data:`~cerebro.study.variants.FULL`, and :data:`MEAN`,
        empty where that is not compared.
    constant : mapping of str to mapping of str to int
        By metric and variant, how many of its seeds answer one constant.
    seeds : int
        Of each variant.
    """

    scores: Scores
    differences: Mapping[str, Differences]
    constant: Mapping[str, Mapping[str, int]]
    seeds: int

    def constants(self, metric: str, *variants: str) -> bool:
        """Whether all seeds of variants answer constants."""
        return all(self.constant[metric][variant] == self.seeds for variant in variants)


def ablation_tables(compared: Compared) -> list[Table]:
    """A table per challenge, one of the overall score, one of differences to the training mean."""
    (first, title), (second, other) = TITLES.items()
    tables = [
        _challenge(compared, first, title, [METHOD, *_on_choices(compared)]),
        _challenge(compared, second, other, ["As above."]),
        _overall(compared),
    ]
    return [*tables, _against_mean(compared)] if compared.differences[MEAN] else tables


def _challenge(compared: Compared, key: str, title: str, notes: Sequence[str]) -> Table:
    correlations = {f"{key}/{name}": heading for name, heading in CORRELATIONS.items()}
    correlations = {metric: heading for metric, heading in correlations.items() if metric in compared.scores}
    rows = [
        [
            variant,
            _score(compared, f"{key}/unshrunk_nrmse", variant),
            _gain(compared, f"{key}/unshrunk_nrmse", variant),
            *(_correlation(compared, metric, variant) for metric in correlations),
            _score(compared, f"{key}/nrmse", variant),
            _gain(compared, f"{key}/nrmse", variant),
        ]
        for variant in compared.scores["overall"]
    ]
    better = "full better\nby"
    header = ["variant", "unshrunk\nNRMSE", better, *correlations.values(), "NRMSE", better]
    return Table(f"Ablations: {title}", header, rows, notes, separated=frozenset({0}))


def _overall(compared: Compared) -> Table:
    metrics = ("overall/unshrunk", "overall")
    rows = []
    for variant in compared.scores["overall"]:
        cells = []
        for metric in metrics:
            cells += [_score(compared, metric, variant), _minus(compared, FULL, metric, variant)]
        rows.append([variant, *cells])
    header = ["variant", "unshrunk", "minus full", "overall", "minus full"]
    notes = ["0.3 of Challenge 1's NRMSE and 0.7 of Challenge 2's; the rest as above."]
    return Table("Ablations: overall", header, rows, notes, separated=frozenset({0}))


def _against_mean(compared: Compared) -> Table:
    metrics = {
        "c1/unshrunk_nrmse": "Challenge 1\nunshrunk",
        "c1/nrmse": "Challenge 1\nminus mean",
        "c2/unshrunk_nrmse": "Challenge 2\nunshrunk",
        "c2/nrmse": "Challenge 2\nminus mean",
    }
    by_subject = {f"{key}/subject_nrmse": f"Challenge {key[1]}\nby subject" for key in TITLES}
    rows = [
        [
            variant,
            *(_minus(compared, MEAN, metric, variant) for metric in metrics),
            *(_score(compared, metric, variant) for metric in by_subject),
        ]
        for variant in compared.scores["overall"]
    ]
    notes = [
        "Differences to the row `mean`, the training mean, as above: a control that is clearly below it has "
        "seen what it should not. 'by subject': NRMSE of each subject's mean answer against the mean truth."
    ]
    header = ["variant", *metrics.values(), *by_subject.values()]
    return Table("Against the training mean", header, rows, notes, separated=frozenset({0}))


def _on_choices(compared: Compared) -> list[str]:
    rows = len(compared.scores["overall"])
    notes = [
        f"{rows} rows, {compared.seeds} seed{'s' * (compared.seeds != 1)} each. Nothing was chosen on the "
        "held-out releases: epochs, shrinkage and weights are chosen on validation subjects of the training "
        "releases."
    ]
    n_subjects = next(iter(compared.scores["overall"].values())).n_subjects
    if not star_is_possible(rows - 1, n_subjects):
        notes.append(
            f"With {n_subjects} subject{'s' * (n_subjects != 1)} no p of {rows - 1} differences can fall "
            "below .05."
        )
    return notes


def _score(compared: Compared, metric: str, variant: str) -> str:
    """A score with its interval; below it, how many of its seeds are constant."""
    shown = interval(compared.scores[metric][variant].interval().as_json())
    count = compared.constant[metric][variant]
    if not count or shown == ABSENT:
        return shown
    return f"{shown}\n" + (CONSTANT if count == compared.seeds else f"{count} of {compared.seeds} {CONSTANT}")


def _correlation(compared: Compared, metric: str, variant: str) -> str:
    """A correlation, which constants do not have."""
    shown = interval(compared.scores[metric][variant].interval().as_json())
    return CONSTANT if shown == ABSENT and compared.constants(metric, variant) else shown


def _gain(compared: Compared, metric: str, variant: str) -> str:
    found = compared.differences[FULL][metric].get(variant)
    if found is None:
        return ""
    if compared.constants(metric, FULL, variant):
        return CONSTANT
    return difference(found.of_variant.as_json(), clear=found.p_corrected < SIGNIFICANT, form=".1%")


def _minus(compared: Compared, reference: str, metric: str, variant: str) -> str:
    found = compared.differences[reference][metric].get(variant)
    if found is None:
        return ""
    if compared.constants(metric, reference, variant):
        return CONSTANT
    return difference(found.interval.as_json(), clear=found.p_corrected < SIGNIFICANT)
