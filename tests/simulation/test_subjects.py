import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from cerebro.simulation import effects
from cerebro.simulation.subjects import child_name, draw_child, draw_patient, patient_name

COUNT = 2000


@pytest.fixture(scope="module")
def children() -> pd.DataFrame:
    return pd.DataFrame(draw_child(0, child_name("R2", index)).latents() for index in range(COUNT))


def test_ages_sexes_and_factors_are_distributed_as_in_hbn(children):
    assert children.age.between(5, 22).all()
    assert children.age.mean() == pytest.approx(10.25, abs=0.25)
    assert children.age.std() == pytest.approx(3.40, abs=0.2)
    assert children.male.mean() == pytest.approx(0.66, abs=0.04)
    for factor, sd in zip(effects.FACTORS, effects.FACTOR_SD, strict=True):
        assert children[factor].mean() == pytest.approx(0, abs=0.06)
        assert children[factor].std() == pytest.approx(sd, abs=0.05)


@pytest.mark.parametrize(
    ("other", "expected"),
    [("age", -0.24), ("p_factor", 0.2), ("internalizing", -0.26), ("attention", -0.08)],
)
def test_externalizing_correlates_with_age_and_the_other_factors_as_measured(children, other, expected):
    assert children.externalizing.corr(children[other]) == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize(
    ("low", "high", "mean", "sd"),
    [(5, 7, 8.79, 0.75), (7, 9, 9.17, 0.77), (9, 11, 9.50, 0.74), (11, 13, 9.79, 0.76), (13, 16, 9.86, 0.72)],
)
def test_alpha_frequency_rises_with_age_as_measured(children, low, high, mean, sd):
    some = children[children.age.between(low, high)].alpha_hz
    assert some.mean() == pytest.approx(mean, abs=0.15)
    assert some.std() == pytest.approx(sd, abs=0.12)


def test_alpha_frequency_is_higher_in_boys_and_a_little_lower_with_symptoms(children):
    trend = np.polynomial.Polynomial.fit(children.age, children.alpha_hz, 3)
    rest = children.alpha_hz - trend(children.age)
    assert rest[children.male].mean() - rest[~children.male].mean() == pytest.approx(0.15, abs=0.1)
    for factor in ("p_factor", "externalizing"):
        assert -0.2 < rest.corr(children[factor]) < -0.02


def test_older_children_have_larger_heads_flatter_and_weaker_background_activity(children):
    assert children.age.corr(children.head_radius) > 0.4
    assert -0.6 < children.age.corr(children.exponent) < -0.3
    assert children.age.corr(children.background_uv) < -0.3
    adults = children[children.age > 18]
    assert adults[adults.male].head_radius.mean() > adults[~adults.male].head_radius.mean()


def test_slow_responders_are_younger_and_score_higher_on_externalizing(children):
    assert children.age.corr(children.speed) == pytest.approx(-0.31, abs=0.06)
    assert children.externalizing.corr(children.speed) == pytest.approx(0.11, abs=0.05)


def test_names_have_the_real_form_are_distinct_and_none_is_an_excluded_subject():
    names = [child_name(release, index) for release in ("R1", "R2", "R5") for index in range(150)]
    assert all(re.fullmatch(r"sub-NDAR[A-Z]{2}\d{3}[A-Z0-9]{3}", name) for name in names)
    assert len(set(names)) == len(names)
    challenge = yaml.safe_load((Path(__file__).parents[2] / "config" / "challenge.yaml").read_text())
    excluded = set(challenge["splits"]["excluded_subjects"])
    assert len(excluded) == 9
    assert not set(names) & excluded
    assert [patient_name(index) for index in (0, 1, 26)] == ["aaaaaaaa", "aaaaaaab", "aaaaaaba"]


def test_a_subject_depends_on_seed_and_name_only():
    assert draw_child(1, "sub-NDARAB123CDE") == draw_child(1, "sub-NDARAB123CDE")
    assert draw_child(1, "sub-NDARAB123CDE") != draw_child(2, "sub-NDARAB123CDE")
    assert draw_child(1, "sub-NDARAB123CDE").age != draw_child(1, "sub-NDARAB123CDF").age


def test_patients_are_adults_of_all_ages_and_have_no_factors():
    patients = pd.DataFrame(draw_patient(0, patient_name(index)).latents() for index in range(300))
    assert patients.age.between(16, 89).all()
    assert patients.age.mean() == pytest.approx(50, abs=4)
    assert patients[list(effects.FACTORS)].isna().all(axis=None)
