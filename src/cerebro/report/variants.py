"""The printed tables of ablations: variants against the full study, and against the training mean."""

from collections.abc import Mapping

from cerebro.evaluation.bootstrap import Interval
from cerebro.evaluation.comparison import Difference, Resampled, star_is_possible
from cerebro.report.cells import ABSENT, interval
from cerebro.report.tables import Table

CHALLENGES = {"c1/nrmse": "Challenge 1\nreaction time", "c2/nrmse": "Challenge 2\nexternalizing"}
OVERALL = "Overall\n0.3 and 0.7"
SIGNIFICANT = 0.05

Scores = Mapping[str, Mapping[str, Resampled]]
"""By metric and variant."""
Differences = Mapping[str, Mapping[str, Difference]]
"""By metric and variant, to one of the variants."""


def ablation_tables(
    scores: Scores, differences: Mapping[str, Differences], *, seeds: int, resamples: int
) -> list[Table]:
    """Tables of every variant.

    Parameters
    ----------
    scores : mapping
    differences : mapping of str to Differences
        To ``full``, and to ``mean`` where that is compared.
    seeds, resamples : int
        Of each variant; what the notes say.
    """
    against_full, *others = differences.values()
    tables = [_against_full(scores, against_full, seeds, resamples)]
    return tables + [_against_mean(scores, one) for one in others if one]


def _against_full(scores: Scores, differences: Differences, seeds: int, resamples: int) -> Table:
    rows = []
    for variant in scores["overall"]:
        cells = []
        for metric in CHALLENGES:
            found = differences[metric].get(variant)
            cells += [interval(scores[metric][variant].interval().as_json()), _gain(found)]
        found = differences["overall"].get(variant)
        overall = interval(scores["overall"][variant].interval().as_json())
        rows.append([variant, *cells, overall, _difference(found)])
    header = ["variant"]
    for heading in CHALLENGES.values():
        header += [heading, "full better\nby"]
    notes = [
        "NRMSE on the held-out releases, less is better; 95 % percentile intervals over subjects and seeds "
        "together. 'full better by': how much of the variant's score the full study saves; 'minus full': the "
        "difference. Both on the same resampled subjects and seeds; * p below .05 after Holm's correction "
        "for the number of variants.",
        f"{len(rows)} rows, {seeds} seed{'s' * (seeds != 1)} each. Nothing was chosen on the held-out "
        "releases: epochs, shrinkage and weights are chosen on validation subjects of the training releases.",
    ]
    if not star_is_possible(len(rows) - 1, resamples):
        notes.append(f"With {resamples} resamples no p of {len(rows) - 1} differences can fall below .05.")
    return Table("Ablations", [*header, OVERALL, "minus full"], rows, notes, separated=frozenset({0}))


def _against_mean(scores: Scores, differences: Differences) -> Table:
    rows = []
    for variant in scores["overall"]:
        cells = [_difference(differences[metric].get(variant)) for metric in (*CHALLENGES, "overall")]
        by_subject = (scores[f"{c}/subject_nrmse"][variant].interval().as_json() for c in ("c1", "c2"))
        rows.append([variant, *cells, *map(interval, by_subject)])
    header = [
        "variant",
        *(f"{name.partition(chr(10))[0]}\nminus mean" for name in (*CHALLENGES.values(), OVERALL)),
    ]
    notes = [
        "Differences to the row `mean`, the training mean, as above: a control that is clearly below it has "
        "seen what it should not. 'by subject': NRMSE of each subject's mean answer against the mean truth."
    ]
    header += ["Challenge 1\nby subject", "Challenge 2\nby subject"]
    return Table("Against the training mean", header, rows, notes, separated=frozenset({0}))


def _gain(found: Difference | None) -> str:
    if found is None or found.of_variant.value is None:
        return "" if found is None else ABSENT
    return _marked(found, f"{found.of_variant.value:+.1%}", found.of_variant, ".1%")


def _difference(found: Difference | None) -> str:
    if found is None or found.interval.value is None:
        return "" if found is None else ABSENT
    return _marked(found, f"{found.interval.value:+.3f}", found.interval, ".3f")


def _marked(found: Difference, value: str, around: Interval, form: str) -> str:
    text = value + "*" * (found.p_corrected < SIGNIFICANT)
    if around.low is None or around.high is None:
        return text
    return f"{text}\n[{around.low:+{form}}, {around.high:+{form}}]"
