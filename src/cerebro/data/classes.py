"""Classes of labels as numbers: the one place where the text of the window index becomes codes."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from cerebro.config import ALL, AnyLabel, Label
from cerebro.errors import UserError


def class_names(name: str, label: Label, seen: pd.Series) -> tuple[str, ...]:
    """The classes of a label in the order of their codes.

    Parameters
    ----------
    name : str
        The label's, for the error.
    label : Label
        One with classes.
    seen : Series of str
        Values that tell the classes of a label that takes all, which are sorted; "" is none.

    Raises
    ------
    UserError
        When a label that takes all has fewer than two values.
    """
    if label.classes != ALL:
        return tuple(label.classes or ())
    found = tuple(sorted(set(seen.unique()) - {""}))
    if len(found) < 2:
        raise UserError(
            f"label '{name}' takes every value as a class, and training people have "
            f"{found[0] if found else 'none'} only; leave it out, or add people"
        )
    return found


def training_classes(
    index: pd.DataFrame, names: Iterable[str], labels: Mapping[str, AnyLabel]
) -> dict[str, tuple[str, ...]]:
    """Classes of those labels that have some, by name, as the windows of training people tell them.

    Parameters
    ----------
    index : DataFrame
        The window index with ``split``, ``keep`` and a column per label.
    names : iterable of str
    labels : mapping of str to label
    """
    chosen = [name for name in dict.fromkeys(names) if labels[name].is_class]
    training = (index["split"] == "train") & index["keep"]
    return {name: class_names(name, labels[name], index.loc[training, name]) for name in chosen}


def coded(windows: pd.DataFrame, classes: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
    """Replace classes by their codes 0, 1, ... as floats; what is unknown or no class becomes NaN."""
    return windows.assign(**{name: codes(windows[name], known) for name, known in classes.items()})


def codes(values: pd.Series, classes: tuple[str, ...]) -> "pd.Series[float]":
    """Codes of one label, see :func:`coded`."""
    found = pd.Categorical(values, categories=list(classes)).codes.astype(np.float64)
    return pd.Series(np.where(found < 0, np.nan, found), index=values.index)
