"""Who trains, who selects, who is scored: decided by subject, never by recording."""

from collections.abc import Mapping

import pandas as pd

from cerebro.config import Splits
from cerebro.files import digest_text


def assign_splits(recordings: pd.DataFrame, settings: Splits) -> Mapping[str, str]:
    """Assign every subject to ``train``, ``validation`` or ``test``.

    A subject with any recording in a test release is ``test`` with all of its recordings. Of the others, each
    dataset holds out the first ``validation_share`` (at least one, and never the only one) in the order of a
    digest of their names: the order doesn't change when subjects are added, so that at most the subjects at
    the margin change sides. A subject held out in one dataset is held out in all (TUAB is part of TUEG).

    Parameters
    ----------
    recordings
        Columns ``dataset``, ``release`` and ``subject``.
    settings
        Test releases and validation share.
    """
    test = set(recordings.loc[recordings["release"].isin(settings.test_releases), "subject"])
    validation: set[str] = set()
    for _, part in recordings.groupby("dataset"):
        subjects = sorted(set(part["subject"]) - test, key=digest_text)
        count = min(max(1, round(settings.validation_share * len(subjects))), len(subjects) - 1)
        validation.update(subjects[: max(count, 0)])
    return {
        subject: "test" if subject in test else "validation" if subject in validation else "train"
        for subject in recordings["subject"].unique()
    }
