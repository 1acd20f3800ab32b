import numpy as np
import pytest
from scipy import stats

from cerebro.statistics.bootstrap import SubjectBootstrap
from cerebro.statistics.comparison import Gap, Resampled, compare, holm, resample, star_is_possible
from cerebro.statistics.metrics import mae, mean_value, nrmse

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


def test_three_subjects_who_agree_are_no_surer_than_a_sign_test() -> None:
    variants = {"full": scored([TRUTH + 1.0], 99), "worse": scored([TRUTH + 2.0], 99)}
    assert compare(variants, {"worse": "full"})["worse"].p == pytest.approx(2 / 2**3)


def test_p_of_a_mean_over_subjects_is_that_of_the_t_test() -> None:
    print("seed 8")
    random = np.random.default_rng(8)
    values = random.normal(0.4, 1.0, size=12)
    subjects = np.array([f"s{i:02}" for i in range(12)])
    bootstrap = SubjectBootstrap(subjects, resamples=20_000)
    resamples = bootstrap.distribution(mean_value, values, values, subjects=subjects)
    found = Gap.of(values.mean(), resamples, n_subjects=12)
    assert found.p == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=0.05)


def test_p_of_what_only_seeds_differ_in_is_that_of_the_t_test_over_seeds() -> None:
    """However many subjects agree: another seed may say otherwise."""
    subjects = np.array([f"s{i:02}" for i in range(30)])
    bootstrap = SubjectBootstrap(subjects, resamples=4000)
    truth = np.zeros(30)
    gains = np.array([0.3, 0.5, 0.1])
    variants = {
        name: resample(mae, truth, [truth + one for one in errors], subjects=subjects, bootstrap=bootstrap)
        for name, errors in {"full": [1.0, 1.0, 1.0], "other": 1.0 + gains}.items()
    }
    found = compare(variants, {"other": "full"})["other"]
    assert found.p == pytest.approx(stats.ttest_1samp(gains, 0).pvalue, rel=0.1)


@pytest.mark.parametrize("size", [1e-7, 4e-4])
def test_answers_that_differ_by_rounding_do_not_differ(size: float) -> None:
    """A difference that no table could show has no sign, no width and no star."""
    print("seed 9")
    random = np.random.default_rng(9)
    subjects = np.repeat([f"s{i:02}" for i in range(30)], 5)
    truth = random.normal(size=150)
    answers = 0.3 * truth + 0.5 * random.normal(size=150)
    bootstrap = SubjectBootstrap(subjects, resamples=500)
    rounded = answers - size * np.sign(answers - truth)  # a little nearer to the truth, all of them
    variants = {
        name: resample(nrmse, truth, [one], subjects=subjects, bootstrap=bootstrap)
        for name, one in {"full": answers, "same": rounded}.items()
    }
    found = compare(variants, {"same": "full"})["same"]
    nothing = {"value": 0, "low": 0, "high": 0}
    assert found.interval.as_json() == found.of_variant.as_json() == nothing
    assert found.p == found.p_corrected == 1
    further = {
        **variants,
        "same": resample(nrmse, truth, [answers - 0.01], subjects=subjects, bootstrap=bootstrap),
    }
    assert compare(further, {"same": "full"})["same"].interval.value != 0


def test_no_star_is_possible_where_too_few_subjects_stand_behind_too_many_differences() -> None:
    """2⁻¹¹ is the least p of 12 subjects: times 102 it is below .05, times 103 no more."""
    assert star_is_possible(102, 12)
    assert not star_is_possible(103, 12)
    assert not star_is_possible(1, 1)


def test_holm_equals_the_hand_calculation() -> None:
    """p sorted .01 .02 .03 .04: times 4, 3, 2, 1, each at least as large as the one before."""
    found = holm({"d": 0.04, "a": 0.01, "nothing": np.nan, "c": 0.03, "b": 0.02})
    assert found == pytest.approx(
        {"a": 0.04, "b": 0.06, "c": 0.06, "d": 0.06, "nothing": np.nan}, nan_ok=True
    )


def test_variants_that_are_alike_carry_a_star_in_few_tables() -> None:
    """80 studies of 12 subjects, with five variants that are as good as the full study."""
    print("seed 21")
    random = np.random.default_rng(21)
    subjects = np.repeat([f"s{i:02}" for i in range(12)], 10)
    bootstrap = SubjectBootstrap(subjects, resamples=200)

    def person() -> np.ndarray:
        return np.repeat(random.normal(size=12), 10)

    single, starred = [], 0
    for _ in range(80):
        truth = 0.46 * person() + 0.89 * random.normal(size=120)
        variants = {}
        for number in range(6):
            guess = 0.3 * truth + 0.2 * person() + 0.3 * random.normal(size=120)
            variants[str(number)] = resample(nrmse, truth, [guess], subjects=subjects, bootstrap=bootstrap)
        found = compare(variants, {str(number): "0" for number in range(1, 6)})
        single += [difference.p < 0.05 for difference in found.values()]
        starred += any(difference.p_corrected < 0.05 for difference in found.values())
    print(np.mean(single), starred / 80)
    assert 0.01 < np.mean(single) < 0.1
    assert starred / 80 <= 0.1


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
