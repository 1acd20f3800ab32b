"""Further readouts of a state: features centred on each recording, predictions averaged over 20 s.

A probe of windows as they are asks for a state that a classifier of new people could read from 2 s at once.
Two easier questions stand beside it. *Centred*: the mean over all of a recording's windows is taken off its
features first, as whoever has the whole recording can do; what tells people and caps apart goes with it.
*Averaged*: predictions of one stretch of a state are averaged over 20 s, as sleep and drowsiness are scored.
"""

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cerebro.probes.forms import Answer, Measure, class_measures

SECONDS = 20.0
"""Length over which predictions are averaged."""
Array = NDArray[np.float64]
Centre = Literal["recording", "subject"]


def centre_of(samples: pd.DataFrame) -> Centre | None:
    """What features are centred on: each recording, or a person whose recordings differ; else nothing."""
    units: tuple[Centre, ...] = ("recording", "subject")
    for unit in units:
        if (samples.groupby(unit)["truth"].nunique() > 1).any():
            return unit
    return None


def centred(features: NDArray[np.float32], windows: pd.DataFrame, over: Centre) -> NDArray[np.float32]:
    """Features (n, dim) of ``windows`` less their mean over the windows of one recording, or person."""
    frame = pd.DataFrame(features)
    return (frame - frame.groupby(windows[over].to_numpy()).transform("mean")).to_numpy(np.float32)


def averaged(answer: Answer, samples: pd.DataFrame, metric: str) -> tuple[Measure, NDArray[np.str_]]:
    """The leading measure of predictions averaged over :data:`SECONDS` of one stretch, and whose each row is.

    Parameters
    ----------
    answer : Answer
        Of windows, with ``raw``.
    samples : DataFrame
        What it was fitted on: ``recording``, ``onset`` (s), ``subject``, ``truth``.
    metric : str
        The leading metric.
    """
    assert answer.raw is not None
    scored = samples.iloc[answer.rows]
    order = np.lexsort((scored["onset"].to_numpy(float), scored["recording"].to_numpy(dtype=str)))
    scored, raw = scored.iloc[order], answer.raw[order]
    changes = (scored["recording"] != scored["recording"].shift()) | (
        scored["truth"] != scored["truth"].shift()
    )
    stretch = changes.cumsum()
    since = scored["onset"] - scored.groupby(stretch)["onset"].transform("min")
    code = scored.groupby([stretch, (since // SECONDS).rename("part")], sort=False).ngroup().to_numpy()
    mean = _means(raw, code)
    first = scored.iloc[np.unique(code, return_index=True)[1]]
    truth, subjects = first["truth"].to_numpy(float), first["subject"].to_numpy(dtype=str)
    if raw.ndim > 1:
        return class_measures(truth, mean)[metric], subjects
    floor = _means(answer.measures[metric].floor[order], code)
    return Measure(answer.measures[metric].metric, truth, mean, floor), subjects


def _means(values: Array, code: NDArray[np.int64]) -> Array:
    return pd.DataFrame(values).groupby(code).mean().to_numpy().reshape(-1, *values.shape[1:])
