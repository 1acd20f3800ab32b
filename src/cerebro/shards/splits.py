"""Who trains, who selects, who is scored: decided by subject, never by recording."""

from collections.abc import Mapping

import pandas as pd

from cerebro.config import Splits
from cerebro.files import digest_text
from cerebro.recordings.exclusions import bare


def assign_splits(recordings: pd.DataFrame, settings: Splits, *, found: pd.DataFrame) -> Mapping[str, str]:
    """Assign every subject to ``train``, ``validation`` or ``test``.

    A subject with any recording in a test release is ``test`` with all of its recordings, also if that one is
    broken or was not downloaded. Of the others, each dataset holds out the first ``validation_share`` (at
    least one, and never the only one) in the order of a digest of their names: the order doesn't change when
    subjects are added, so that at most the subjects at the margin change sides. A subject held out in one
    dataset is held out in all (TUAB is part of TUEG); names are compared without BIDS's ``sub-``.

    Parameters
    ----------
    recordings
        Columns ``dataset``, ``release`` and ``subject`` of the usable recordings.
    settings
        Test releases and validation share.
    found
        The same columns of every recording of the inventory.

    Returns
    -------
    Mapping
        The split of each subject of ``recordings``.
    """
    test = {bare(name) for name in found.loc[found["release"].isin(settings.test_releases), "subject"]}
    validation: set[str] = set()
    for _, part in recordings.groupby("dataset"):
        subjects = sorted({bare(name) for name in part["subject"]} - test, key=digest_text)
        count = min(max(1, round(settings.validation_share * len(subjects))), len(subjects) - 1)
        validation.update(subjects[: max(count, 0)])
    return {
        subject: "test" if bare(subject) in test else "validation" if bare(subject) in validation else "train"
        for subject in recordings["subject"].unique()
    }
