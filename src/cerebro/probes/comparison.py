"""Encoders compared by what linear probes find in them, paired over seeds and subjects.

The probes of all encoders answer the same samples with the same folds, so that one encoder's score minus
another's is taken on the same people in every resample. The statistics are those of
:mod:`cerebro.statistics.comparison`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cerebro.errors import UserError
from cerebro.statistics.bootstrap import SubjectBootstrap
from cerebro.statistics.comparison import Difference, compare, holm, resample
from cerebro.statistics.metrics import LEADING, nrmse

COLUMNS = [
    *("target", "metric", "row", "value", "low", "high", "floor", "seeds", "sd_over_seeds", "against"),
    *(f"{name}_{end}" for name in ("difference", "gain") for end in ("value", "low", "high")),
    *("n_subjects", "p", "p_corrected"),
]


def compare_encoders(
    rows: Mapping[str, Sequence[str]],
    references: Mapping[str, str],
    answers: Mapping[str, pd.DataFrame],
    *,
    resamples: int,
) -> pd.DataFrame:
    """Score rows of encoders on every probe, and each row against another.

    Parameters
    ----------
    rows : mapping of str to sequence of str
        By name, one encoder per seed, in the same order of seeds for all rows.
    references : mapping of str to str
        By row, the row that it is compared with.
    answers : mapping of str to DataFrame
        By encoder, what :func:`cerebro.probes.run.run_probes` tabulates.
    resamples : int
        Of subjects and seeds.

    Returns
    -------
    DataFrame
        One row per target and row: ``value`` (mean over seeds), ``low``, ``high``, ``floor`` (without EEG),
        ``seeds``, ``sd_over_seeds``; ``against``, ``difference_*`` and ``gain_*``, the difference as a share
        of the reference's score, positive where the row is better; ``n_subjects``; ``p``, and ``p_corrected``
        for the number of differences, of all rows and targets. Targets that were not measurable are missing.

    Raises
    ------
    UserError
        When two encoders were probed on different samples.
    """
    if not rows:
        return pd.DataFrame(columns=COLUMNS)
    measured = {name: metric for frame in answers.values() for name, metric in _metrics(frame).items()}
    parts = []
    for target, metric in measured.items():
        of_target = {encoder: frame[frame["target"] == target] for encoder, frame in answers.items()}
        parts += _compared(target, metric, rows, references, of_target, resamples)
    table = pd.DataFrame(parts, columns=COLUMNS)
    corrected = holm({number: float(p) for number, p in table["p"].dropna().items()})
    return table.assign(p_corrected=pd.Series(corrected, index=table.index, dtype=float))


def _metrics(frame: pd.DataFrame) -> dict[str, str]:
    """Leading metrics of the targets that an encoder was probed for."""
    return dict(frame[["target", "metric"]].drop_duplicates().itertuples(index=False, name=None))


def _compared(
    target: str,
    name: str,
    rows: Mapping[str, Sequence[str]],
    references: Mapping[str, str],
    answers: Mapping[str, pd.DataFrame],
    resamples: int,
) -> list[dict[str, Any]]:
    first = answers[next(encoder for encoders in rows.values() for encoder in encoders)]
    subjects, truth = first["subject"].to_numpy(dtype=str), first["truth"].to_numpy(float)
    for encoder, frame in answers.items():
        same = np.array_equal(frame["subject"], subjects) and np.array_equal(frame["truth"], truth)
        if not same:
            raise UserError(
                f"probe {target}: '{encoder}' was probed on other samples; remove the files under probes/ "
                "and run `snakemake ablations` again, with the study's --configfile"
            )
    metric = LEADING[name]
    bootstrap = SubjectBootstrap(subjects, resamples=resamples)
    found = {
        row: resample(
            metric,
            truth,
            [answers[encoder]["prediction"].to_numpy(float) for encoder in encoders],
            subjects=subjects,
            bootstrap=bootstrap,
        )
        for row, encoders in rows.items()
    }
    differences = compare(found, references)
    floor = float(metric(truth, first["floor"].to_numpy(float)))
    sign = -1 if metric is nrmse else 1
    return [
        {"target": target, "metric": name, "row": row, "floor": floor}
        | {"n_subjects": score.n_subjects}
        | score.as_columns()
        | _against(references.get(row), differences.get(row), sign)
        for row, score in found.items()
    ]


def _against(reference: str | None, difference: Difference | None, sign: int) -> dict[str, Any]:
    """A difference as columns, with the relative one turned so that more is better."""
    if reference is None or difference is None:
        return {}
    gain = difference.of_reference.times(sign)
    return {
        "against": reference,
        **difference.interval.as_columns("difference"),
        **gain.as_columns("gain"),
        "p": difference.p,
    }
