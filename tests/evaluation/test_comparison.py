import numpy as np
import pytest

from cerebro.evaluation.bootstrap import SubjectBootstrap
from cerebro.evaluation.comparison import Resampled, compare, holm, resample
from cerebro.evaluation.metrics import nrmse

SUBJECTS = np.array(["a", "a", "b", "b", "c", "c"])
TRUTH = np.array([1.0, 2.0, 3.0, 5.0, 4.0, 3.0])


def scored(predictions: list[np.ndarray], resamples: int = 400) -> Resampled:
    bootstrap = SubjectBootstrap(SUBJECTS, resamples=resamples)
    return resample(nrmse, TRUTH, predictions, subjects=SUBJECTS, bootstrap=bootstrap)


def test_a_score_is_the_mean_over_seeds_of_hand_calculated_nrmse() -> None:
    spread = np.sqrt(np.mean((TRUTH - 3.0) ** 2))
    found = scored([TRUTH + 1.0, TRUTH + 0.5])
    assert found.by_seed == pytest.approx([1 / spread, 0.5 / spread])
    assert found.value == pytest.approx(0.75 / spread)


def test_a_resample_draws_subjects_and_seeds() -> None:
    """With a constant error per seed, a resample's NRMSE is that error over the drawn subjects' spread."""
    errors = [1.0, 0.5]
    found = scored([TRUTH + error for error in errors], resamples=50)
    counts = SubjectBootstrap(SUBJECTS, resamples=50).counts
    reachable = set()
    for drawn in counts:
        windows = np.repeat(TRUTH.reshape(3, 2), drawn, axis=0)
        with np.errstate(divide="ignore"):
            reachable |= {round(mean / windows.std(), 9) for mean in (1.0, 0.75, 0.5)}
    assert {round(value, 9) for value in found.resamples} <= reachable
    assert len({round(value, 9) for value in found.resamples}) > 3


def test_differences_are_paired_so_that_a_constant_gain_has_no_width() -> None:
    """Both variants err by a constant on every window: their ratio is fixed, whoever is drawn."""
    variants = {"full": scored([TRUTH + 1.0]), "worse": scored([TRUTH + 1.2])}
    unpaired = variants["worse"].interval()
    paired = compare(variants, {"worse": "full"})["worse"].interval
    assert paired.value == pytest.approx(0.2 * variants["full"].value)
    assert (paired.high - paired.low) == pytest.approx((unpaired.high - unpaired.low) * 0.2 / 1.2)


def test_a_variant_equal_to_the_reference_has_no_difference_and_p_1() -> None:
    variants = {"full": scored([TRUTH + 1.0]), "same": scored([TRUTH - 1.0])}
    difference = compare(variants, {"same": "full"})["same"]
    assert difference.interval.as_json() == {"value": 0, "low": 0, "high": 0}
    assert difference.p == difference.p_corrected == 1


def test_p_is_never_zero_and_shrinks_with_resamples() -> None:
    variants = {"full": scored([TRUTH + 1.0], 99), "worse": scored([TRUTH + 2.0], 99)}
    assert compare(variants, {"worse": "full"})["worse"].p == pytest.approx(2 / 100)


def test_holm_equals_the_hand_calculation() -> None:
    """p sorted .01 .02 .03 .04: times 4, 3, 2, 1, each at least as large as the one before."""
    found = holm({"d": 0.04, "a": 0.01, "nothing": np.nan, "c": 0.03, "b": 0.02})
    assert found == pytest.approx(
        {"a": 0.04, "b": 0.06, "c": 0.06, "d": 0.06, "nothing": np.nan}, nan_ok=True
    )


def test_intervals_hold_the_true_difference_as_often_as_they_say() -> None:
    """200 studies of 40 subjects and 5 seeds in which neither variant is better."""
    seed = 20240
    print("seed", seed)
    random = np.random.default_rng(seed)
    subjects = np.repeat([f"s{i}" for i in range(40)], 5)
    bootstrap = SubjectBootstrap(subjects, resamples=200)
    inside = 0
    for _ in range(200):
        truth = random.normal(size=200) + np.repeat(random.normal(size=40), 5)
        variants = {}
        for name in ("full", "other"):
            luck = random.normal(scale=0.2, size=(5, 1))  # of a seed
            guesses = truth * (0.3 + luck) + np.repeat(random.normal(size=40), 5) * 0.5
            variants[name] = resample(nrmse, truth, list(guesses), subjects=subjects, bootstrap=bootstrap)
        interval = compare(variants, {"other": "full"})["other"].interval
        inside += interval.low <= 0 <= interval.high
    assert 0.85 <= inside / 200 <= 1.0
