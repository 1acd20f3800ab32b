"""Nested cross-validation against one written out with scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cerebro.probes.forms import classification, moment, regression, subject_folds
from cerebro.statistics.linear import TooFewSubjects

PENALTIES = (0.1, 10.0, 1000.0)


def _samples(random: np.random.Generator, n_subjects: int = 14, n_windows: int = 6) -> pd.DataFrame:
    names = np.repeat([f"s{i:02}" for i in range(n_subjects)], n_windows)
    split = np.where(np.arange(n_subjects) % 3 == 0, "validation", "test").repeat(n_windows)
    return pd.DataFrame({"subject": names, "split": split, "scored": split == "test", "classes": 2})


def test_every_test_subject_is_in_one_fold_and_validation_subjects_are_in_none():
    samples = _samples(np.random.default_rng(0))
    subjects, scored = samples["subject"].to_numpy(str), (samples["split"] == "test").to_numpy()
    folds = subject_folds(subjects, scored)
    assert len(folds) == 5
    assert (np.sum(folds, axis=0) == scored).all()
    for fold in folds:
        assert not set(subjects[fold]) & set(subjects[~fold])
    order = np.random.default_rng(1).permutation(len(subjects))
    for fold, again in zip(folds, subject_folds(subjects[order], scored[order]), strict=True):
        assert (fold[order] == again).all()


def test_regression_is_scikit_learns_nested_cross_validation():
    print("seed 30")
    random = np.random.default_rng(30)
    samples = _samples(random)
    x = random.normal(2, 3, (len(samples), 4))
    samples["truth"] = x @ random.normal(size=4) + 4 * random.normal(size=len(samples))
    found = regression(x, samples, PENALTIES)

    truth, subjects = samples["truth"].to_numpy(), samples["subject"].to_numpy(str)
    scored = (samples["split"] == "test").to_numpy()
    expected, floor, penalties = np.full((2, len(truth)), np.nan)[0], np.full(len(truth), np.nan), []
    for fold in subject_folds(subjects, scored):
        search = GridSearchCV(
            make_pipeline(StandardScaler(), Ridge()),
            {"ridge__alpha": PENALTIES},
            scoring="neg_mean_squared_error",
            cv=GroupKFold(5),
        ).fit(x[~fold], truth[~fold], groups=subjects[~fold])
        expected[fold], floor[fold] = search.predict(x[fold]), truth[~fold].mean()
        penalties.append(search.best_params_["ridge__alpha"])
    assert found.penalties == tuple(penalties)
    assert found.measures["nrmse"].predicted == pytest.approx(expected[scored])
    assert found.measures["nrmse"].floor == pytest.approx(floor[scored])
    assert found.measures["r"].predicted == pytest.approx((expected - floor)[scored])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classification_is_scikit_learns_nested_cross_validation(n_classes):
    print("seed 31")
    random = np.random.default_rng(31)
    samples = _samples(random)
    truth = np.resize(np.arange(n_classes), len(samples))
    samples["truth"], samples["classes"] = truth, n_classes
    x = random.normal(size=(len(samples), 4)) + np.eye(4)[truth]
    found = classification(x, samples, PENALTIES)

    subjects, scored = samples["subject"].to_numpy(str), (samples["split"] == "test").to_numpy()
    probability, penalties = np.full((len(truth), n_classes), np.nan), []

    def model(penalty):
        logistic = LogisticRegression(C=1 / penalty, class_weight="balanced", max_iter=5000)
        return make_pipeline(StandardScaler(), logistic)

    for fold in subject_folds(subjects, scored):
        inside = np.flatnonzero(~fold)
        losses = []
        for penalty in PENALTIES:
            of_all = np.empty((len(inside), n_classes))
            splits = StratifiedGroupKFold(5).split(x[inside], truth[inside], groups=subjects[inside])
            for fit, judge in splits:
                fitted = model(penalty).fit(x[inside][fit], truth[inside][fit])
                of_all[judge] = fitted.predict_proba(x[inside][judge])
            losses.append(log_loss(truth[inside], of_all))
        penalties.append(PENALTIES[int(np.argmin(losses))])
        probability[fold] = model(penalties[-1]).fit(x[inside], truth[inside]).predict_proba(x[fold])
    assert found.penalties == tuple(penalties)
    expected = probability[scored]
    measure = found.measures["balanced_accuracy"]
    if n_classes == 2:
        assert measure.predicted == pytest.approx(expected[:, 1], abs=1e-4)
    else:
        assert (measure.predicted == expected.argmax(axis=1)).mean() > 0.99


def test_a_class_that_only_one_fold_holds_is_too_few_subjects_and_no_crash():
    print("seed 33")
    random = np.random.default_rng(33)
    samples = _samples(random)
    fold = subject_folds(samples["subject"].to_numpy(str), (samples["split"] == "test").to_numpy())[0]
    samples["truth"] = np.where(fold, 2, np.resize([0, 1], len(samples)))
    samples["classes"] = 3
    with pytest.raises(TooFewSubjects, match="3 classes"):
        classification(random.normal(size=(len(samples), 4)), samples, PENALTIES)


def test_a_moment_is_ranked_among_those_of_its_own_film():
    """Features that name the movie say nothing about the moment; features of the moment find it."""
    print("seed 32")
    random = np.random.default_rng(32)
    samples = _samples(random, n_windows=8)
    samples["stream"] = np.resize(["a", "b"], len(samples))
    samples["moment"] = np.resize(np.repeat([0.0, 2.0, 4.0, 6.0], 2), len(samples))
    movie = (samples["stream"] == "a").to_numpy(float)[:, None]
    nothing = moment(movie + 1e-9 * random.normal(size=(len(samples), 3)), samples, PENALTIES)
    assert nothing.measures["rank"].predicted.mean() == pytest.approx(0.5, abs=0.12)
    assert nothing.measures["top1"].floor == pytest.approx(0.25)
    codes = np.eye(4)[(samples["moment"] / 2).astype(int)] * (1 + movie)
    found = moment(codes, samples, PENALTIES)
    assert found.measures["rank"].predicted.mean() == pytest.approx(1)
    assert found.measures["top1"].predicted.mean() == pytest.approx(1)
