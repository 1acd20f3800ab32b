import numpy as np
import pytest

from cerebro.statistics.bootstrap import Interval, SubjectBootstrap
from cerebro.statistics.metrics import auc, mae, nrmse, pearson_r


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    """Mean absolute error of a constant, in populations whose subjects differ: coverage by simulation."""
    print("seed 3")
    random = np.random.default_rng(3)
    n_subjects, n_windows, n_studies = 40, 15, 300
    subjects = np.repeat([f"s{i}" for i in range(n_subjects)], n_windows)
    expected = 2.0  # error = 2 + subject's own offset + noise, never negative
    covered = naive_covered = 0
    for _ in range(n_studies):
        offset = np.repeat(random.uniform(-1, 1, n_subjects), n_windows)
        truth = expected + offset + random.uniform(-0.5, 0.5, len(subjects))
        prediction = np.zeros_like(truth)
        found = SubjectBootstrap(subjects, resamples=200).interval(mae, truth, prediction, subjects=subjects)
        covered += found.low <= expected <= found.high
        windows = np.arange(len(truth)).astype(str)
        naive = SubjectBootstrap(windows, resamples=200).interval(mae, truth, prediction, subjects=windows)
        naive_covered += naive.low <= expected <= naive.high
    # 95 % nominal, less the known narrowness of percentiles, plus three standard errors of 300 studies.
    assert 0.89 <= covered / n_studies <= 0.985
    assert naive_covered / n_studies < 0.65  # windows taken for independent: far too sure


@pytest.mark.parametrize("metric", [nrmse, mae, pearson_r])
def test_intervals_of_twelve_subjects_hold_the_truth_nearly_as_often_as_they_say(metric):
    """The 2.5th and the 97.5th percentile, as they are, hold it some 3 in 100 times less often."""
    print("seed 7")
    random = np.random.default_rng(7)
    n_subjects, n_windows, n_studies = 12, 10, 400

    def study(count):
        person, other = random.normal(size=(2, count, 1))
        moment, noise = random.normal(size=(2, count, n_windows))
        truth = 0.46 * person + 0.89 * moment
        return truth.ravel(), (0.3 * truth + 0.3 * other + 0.3 * noise).ravel()

    expected = float(metric(*study(100_000)))
    subjects = np.repeat([f"s{i:02}" for i in range(n_subjects)], n_windows)
    bootstrap = SubjectBootstrap(subjects, resamples=500)
    covered = plain = 0
    for _ in range(n_studies):
        truth, prediction = study(n_subjects)
        distribution = bootstrap.distribution(metric, truth, prediction, subjects=subjects)
        found = Interval.of(metric(truth, prediction), distribution, n_subjects=n_subjects)
        low, high = np.percentile(distribution, [2.5, 97.5])
        covered += found.low <= expected <= found.high
        plain += low <= expected <= high
    print(covered / n_studies, plain / n_studies)
    assert 0.92 < covered / n_studies <= 0.98
    assert covered - plain > 0.02 * n_studies


def test_the_ends_of_an_interval_are_the_expanded_percentiles():
    """Hesterberg (2015): Φ(sqrt(n / (n - 1)) t), with t = -2.201 for 12 subjects and -1.968 for 300."""
    distribution = np.random.default_rng(0).normal(size=200_000)
    print("seed 0")
    few = Interval.of(0.0, distribution, n_subjects=12)
    assert (few.low, few.high) == pytest.approx((-2.299, 2.299), abs=0.03)
    many = Interval.of(0.0, distribution, n_subjects=300)
    assert (many.low, many.high) == pytest.approx((-1.971, 1.971), abs=0.03)


def test_a_vectorised_resample_equals_one_put_together_by_hand():
    print("seed 4")
    random = np.random.default_rng(4)
    subjects = np.repeat(["a", "b", "c", "d"], [3, 5, 2, 7])
    truth, prediction = random.normal(size=17), random.normal(size=17)
    bootstrap = SubjectBootstrap(subjects, resamples=100)
    distribution = bootstrap.distribution(nrmse, truth, prediction, subjects=subjects)
    for counts, value in zip(bootstrap.counts, distribution, strict=True):
        rows = np.concatenate(
            [np.flatnonzero(subjects == name).repeat(n) for name, n in zip("abcd", counts, strict=True)]
        )
        assert value == pytest.approx(nrmse(truth[rows], prediction[rows]))


def test_chunks_do_not_change_the_distribution(monkeypatch):
    print("seed 5")
    random = np.random.default_rng(5)
    subjects = np.repeat([f"s{i}" for i in range(6)], 4)
    truth, prediction = random.normal(size=24), random.normal(size=24)
    bootstrap = SubjectBootstrap(subjects, resamples=150)
    whole = bootstrap.distribution(nrmse, truth, prediction, subjects=subjects)
    monkeypatch.setattr("cerebro.statistics.bootstrap.CHUNK_ELEMENTS", 100)
    chunked = bootstrap.distribution(nrmse, truth, prediction, subjects=subjects)
    assert chunked == pytest.approx(whole, rel=1e-12)


def test_a_difference_of_two_models_is_surer_than_the_models():
    print("seed 6")
    random = np.random.default_rng(6)
    subjects = np.repeat([f"s{i}" for i in range(30)], 10)
    hard = np.repeat(random.exponential(1, 30), 10)  # some subjects are hard for both models
    truth = np.zeros(300)
    bootstrap = SubjectBootstrap(subjects, resamples=500)
    first = bootstrap.distribution(mae, truth, hard, subjects=subjects)
    second = bootstrap.distribution(mae, truth, hard + 0.1, subjects=subjects)
    difference = Interval.of(-0.1, first - second, n_subjects=30)
    assert difference.low == pytest.approx(-0.1)
    assert difference.high == pytest.approx(-0.1)


def test_one_subject_has_a_value_and_no_interval():
    bootstrap = SubjectBootstrap(["a"], resamples=100)
    found = bootstrap.interval(nrmse, [1, 2, 3], [1, 2, 4], subjects=["a"] * 3)
    assert found.value == pytest.approx(nrmse([1, 2, 3], [1, 2, 4]))
    assert found.low is None
    assert found.high is None


def test_resamples_of_a_single_class_are_left_out():
    names = ["a", "b", "c", "d"]
    truth, probability = [0, 0, 0, 1], [0.1, 0.2, 0.3, 0.4]
    bootstrap = SubjectBootstrap(names, resamples=500)
    distribution = bootstrap.distribution(auc, truth, probability, subjects=names)
    assert 0.2 < np.isnan(distribution).mean() < 0.5  # (3/4)^4 of them lack the one positive subject
    assert bootstrap.interval(auc, truth, probability, subjects=names) == Interval(1.0, 1.0, 1.0)


def test_a_subject_that_is_not_resampled_is_named():
    with pytest.raises(ValueError, match="subject z"):
        SubjectBootstrap(["a", "b"], resamples=100).distribution(mae, [1], [1], subjects=["z"])


def test_one_scored_subject_among_many_who_are_resampled_has_no_interval_either():
    bootstrap = SubjectBootstrap(["a", "b", "c"], resamples=100)
    assert bootstrap.interval(nrmse, [1, 2, 3], [1, 2, 4], subjects=["b"] * 3).low is None
