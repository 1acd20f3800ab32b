"""Who is it? An encoder that answers well, and answers little else, has learnt heads and caps, not brains.

Windows of each recording are split in time: a multinomial logistic regression is fitted on the first third
and scored on the last, the third between keeps them apart. The penalty is chosen by the same kind of split
inside the first third.
"""

from collections.abc import Sequence
from functools import reduce

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cerebro.data.spread import spread
from cerebro.probes.forms import Answer, Measure
from cerebro.statistics.linear import TooFewSubjects, fit_classes
from cerebro.statistics.metrics import mean_value

MAX_SUBJECTS = 20
"""Subjects that are told apart, evenly spread over their names: accuracy depends on their number."""


def identity(x: NDArray[np.float64], samples: pd.DataFrame, penalties: Sequence[float]) -> Answer:
    """Tell those who are scored apart; parameters and errors as in :mod:`cerebro.probes.forms`.

    ``samples`` has ``recording`` and ``onset`` (s) instead of a truth. The measure is the accuracy over
    windows; a guess is right once in as many windows as there are subjects.
    """
    place = _place_in_recording(samples)
    test = samples["scored"].to_numpy(bool)
    subjects = samples["subject"].to_numpy(dtype=str)
    parts = [place < 1 / 6, (place >= 1 / 6) & (place < 1 / 3), place >= 2 / 3]
    known = reduce(np.intersect1d, [subjects[test & part] for part in parts])
    if len(known) < 2:
        raise TooFewSubjects(
            f"{len(known)} of those who are scored have windows early and late in a recording"
        )
    chosen = known[spread(len(known), MAX_SUBJECTS)]
    taken = test & np.isin(subjects, chosen)
    code = np.searchsorted(chosen, subjects)
    early, late = np.flatnonzero(taken & (place < 1 / 3)), np.flatnonzero(taken & parts[2])
    first = place[early] < 1 / 6
    fold = (np.flatnonzero(first), np.flatnonzero(~first))
    fit = fit_classes(x[early], code[early], folds=[fold], penalties=penalties)
    hits = (fit.predict(x[late]).argmax(axis=1) == code[late]).astype(float)
    floor = np.full(len(hits), 1 / len(chosen))
    measures = {"accuracy": Measure(mean_value, np.zeros_like(hits), hits, floor)}
    return Answer(measures, subjects[late], (fit.penalty,), len(chosen), late)


def _place_in_recording(samples: pd.DataFrame) -> NDArray[np.float64]:
    """Where in its recording each window lies, from 0 (the first of these windows) to below 1."""
    recordings = samples.groupby("recording")["onset"]
    return ((recordings.rank(method="first") - 1) / recordings.transform("size")).to_numpy(float)
