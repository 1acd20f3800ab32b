"""Which subjects a phase learns from when it may not see all of them, and labels that say nothing."""

from hashlib import sha256

import pandas as pd

from cerebro.data.streams import numpy_stream
from cerebro.errors import UserError


def part_of_subjects(index: pd.DataFrame, share: float, *, seed: int, purpose: str) -> list[str]:
    """Choose a share of the training subjects of each dataset.

    Subjects stand in an order that depends on the seed and on their names alone, and a share takes the first
    of them, rounded to whole subjects: a smaller share is a part of a larger one, and every phase of a
    lineage with the same seed and share learns from the same people, whatever kind of window it takes.

    Parameters
    ----------
    index : DataFrame
        The window index.
    share : float
        Above 0, at most 1.
    seed : int
    purpose : str
        Key of the phase in the configuration, for the error.

    Raises
    ------
    UserError
        When no subject of a dataset is left.
    """
    training = index.loc[index["split"] == "train", ["dataset", "subject"]].drop_duplicates()
    chosen: list[str] = []
    for dataset, part in training.groupby("dataset")["subject"]:
        ranked = sorted(part, key=lambda subject: sha256(f"{seed}/{subject}".encode()).digest())
        count = int(share * len(ranked) + 0.5)
        if not count:
            raise UserError(
                f"{purpose}.subject_share: {share:g} of the {len(ranked)} training subjects of {dataset} is "
                f"none; at least {0.5 / len(ranked):.2g} is needed"
            )
        chosen += ranked[:count]
    return chosen


def shuffled(windows: pd.DataFrame, label: str, *, seed: int) -> pd.DataFrame:
    """Permute labels: each window's own between windows, a subject's one label between subjects.

    Parameters
    ----------
    windows : DataFrame
        Rows of the window index, none with a missing label.
    label : str
        The column; where all windows of every subject share their value, subjects exchange it as a whole.
    seed : int

    Returns
    -------
    DataFrame
        A copy whose labels are of the same distribution over windows, or over subjects.
    """
    generator = numpy_stream(seed, "shuffled labels")
    if (windows.groupby("subject")[label].nunique() > 1).any():
        return windows.assign(**{label: generator.permutation(windows[label].to_numpy())})
    of_subject = windows.groupby("subject")[label].first()
    exchanged = pd.Series(generator.permutation(of_subject.to_numpy()), index=of_subject.index)
    return windows.assign(**{label: windows["subject"].map(exchanged)})
