"""The three populations: the default as it was, one shifted, and one whose EEG knows nothing."""

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from cerebro.config import Simulation
from cerebro.simulation import effects, timeline
from cerebro.simulation.head import NET, electrode_directions
from cerebro.simulation.population import simulate
from cerebro.simulation.populations import NULL, POPULATIONS, PUBLISHED, SHIFTED, Effects
from cerebro.simulation.recording import Amplifier, record
from cerebro.simulation.subjects import child_name, draw_child, draw_patient, stand_in

DIRECTIONS = {
    name: place for name, place in electrode_directions(NET).items() if name in ("E36", "E62", "E70", "Cz")
}
AMPLIFIER = Amplifier(
    directions=DIRECTIONS, reference=("Cz",), sfreq=100, band_limited=True, faulty_channels=0
)
LATENTS = ("alpha_hz", "alpha_uv", "exponent", "background_uv", "beta_uv", "cpp_uv", "film_uv", "head_radius")
CHILD = [8.3744, -0.177, 9.373292797875514, 24.759047875677677, 0.08594286386521306]
PATIENT = [21.196, 9.00090107431038, 7.835751578538424]
LABELS = ("age", "male", *effects.FACTORS, "speed")


def test_the_default_effects_are_the_published_constants() -> None:
    named = {field.name for field in fields(Effects)} - {"coupled"}
    assert {name: getattr(PUBLISHED, name) for name in named} == {
        name: getattr(effects, name.upper()) for name in named
    }
    assert Simulation(releases={}, movies=()).effects == "published"
    assert all(getattr(SHIFTED, name) != getattr(PUBLISHED, name) for name in named)
    assert replace(NULL, coupled=True) == PUBLISHED
    assert set(POPULATIONS) == {"published", "shifted", "null"}


def test_a_subject_of_the_default_population_is_the_one_it_was() -> None:
    """Latents as drawn before there were other populations (numpy's generators promise their streams)."""
    child, patient = draw_child(0, child_name("R5", 0)), draw_patient(0, "aaaaaaaa")
    assert "effects" not in child.latents()
    assert [child.age, child.externalizing, child.alpha_hz, child.cpp_uv, child.head_radius] == pytest.approx(
        CHILD, rel=1e-9
    )
    assert [patient.age, patient.alpha_hz, patient.background_uv] == pytest.approx(PATIENT, rel=1e-9)


def test_in_the_null_population_no_sample_depends_on_labels_or_on_what_happens() -> None:
    child = draw_child(0, child_name("R5", 0), NULL)
    rng = np.random.default_rng(0)
    resting = timeline.resting_state(cycles=1, rng=rng)
    task = timeline.contrast_change(child, trials=3, rng=rng)
    movie = timeline.movie("DespicableMe", seconds=10, rng=rng)
    for course in (resting, task, movie):
        nothing = timeline.Timeline(seconds=course.seconds)
        first, second = (
            record(child, course, amplifier=AMPLIFIER, name="x", seed=0) for course in (course, nothing)
        )
        np.testing.assert_array_equal(first, second)
    other = replace(child, age=21.0, male=not child.male, externalizing=3.0, speed=-2.0, cpp_uv=99.0)
    np.testing.assert_array_equal(first, record(other, movie, amplifier=AMPLIFIER, name="x", seed=0))
    published = draw_child(0, child_name("R5", 0))
    assert not np.array_equal(first, record(published, movie, amplifier=AMPLIFIER, name="x", seed=0))


def test_the_people_seen_in_the_null_population_are_unrelated_to_those_who_are_labelled() -> None:
    """600 subjects: no correlation between a label and any latent of the EEG beyond chance."""
    children = [draw_child(0, child_name("R1", index), NULL) for index in range(600)]
    seen = pd.DataFrame([stand_in(child, 0).latents() for child in children])[list(LATENTS)]
    labelled = pd.DataFrame([child.latents() for child in children])[[*LABELS, *LATENTS]].astype(float)
    null = [seen[a].corr(labelled[b]) for a in LATENTS for b in LABELS]
    assert max(map(abs, null)) < 4 / np.sqrt(len(children))
    assert np.std(null) == pytest.approx(1 / np.sqrt(len(children)), rel=0.3)
    true = labelled.corr()
    assert true.loc["age", "exponent"] < -0.3  # which the published population has
    assert seen.std().to_numpy() == pytest.approx(labelled[list(LATENTS)].std().to_numpy(), rel=0.15)


def test_the_null_population_has_the_same_labels_behaviour_and_events_and_other_signals(tmp_path) -> None:
    settings = {
        "releases": {"R2": {"subjects": 1, "format": "bdf"}},
        "tuh_subjects": 1,
        "contrast_change_trials": 3,
        "resting_cycles": 1,
        "movies": ["DespicableMe"],
        "movie_seconds": 5,
        "tuh_seconds": 5,
    }
    for name in ("published", "null"):
        simulate(
            Simulation.model_validate({**settings, "effects": name}),
            marker=tmp_path / name / "simulation.json",
            workers=1,
        )
    files = sorted(
        path.relative_to(tmp_path / "null") for path in (tmp_path / "null").rglob("*.*") if path.is_file()
    )
    for path in files:
        same = (tmp_path / "null" / path).read_bytes() == (tmp_path / "published" / path).read_bytes()
        assert same == (path.suffix not in (".bdf", ".edf") and path.name != "simulation.json"), path


def test_shifted_effects_reach_the_signals() -> None:
    """A response, a rhythm and noise: the ratio of amplitudes is that of the constants."""
    names = [child_name("R5", index) for index in range(40)]
    published, shifted = (
        pd.DataFrame([draw_child(0, name, POPULATIONS[which]).latents() for name in names])
        for which in ("published", "shifted")
    )
    assert (shifted["alpha_uv"] / published["alpha_uv"]).to_numpy() == pytest.approx(14 / 17)
    assert (shifted["film_uv"] / published["film_uv"]).to_numpy() == pytest.approx(5 / 6)
    assert list(shifted["age"]) == list(published["age"])
    quiet = {"alpha_uv": 0.0, "background_uv": 0.0, "beta_uv": 0.0, "blinks_per_minute": 0.0}
    child = replace(draw_child(0, names[0]), **quiet)
    still = {"mu_uv": 0.0, "muscle_uv": 0.0}
    spreads = [
        record(
            replace(child, effects=replace(population, **still)),
            timeline.Timeline(seconds=60, closed=((0.0, 60.0),)),
            amplifier=AMPLIFIER,
            name="x",
            seed=0,
        ).std()
        for population in (PUBLISHED, SHIFTED)
    ]
    assert spreads[1] / spreads[0] == pytest.approx(1.6 / 1.2, rel=0.02)
