"""Baselines against formulas written out and scikit-learn called directly."""

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import logm, sqrtm
from sklearn.linear_model import LinearRegression

from cerebro.config import BaselinePhase
from cerebro.data.classes import coded, training_classes
from cerebro.data.phase_windows import phase_windows
from cerebro.errors import UserError
from cerebro.probes.band_power import BANDS_HZ, log_band_power, read_ten_twenty
from cerebro.probes.covariance import covariances, tangent_features, tangent_vectors
from cerebro.recordings.montages import LAYOUTS
from cerebro.scoring.answers import challenge_rows
from cerebro.scoring.baseline_answers import answer
from cerebro.scoring.baselines import fit_baseline


def baseline(features: str, **settings: object) -> BaselinePhase:
    return BaselinePhase(kind="baseline", target="reaction_time", features=features, **settings)


def test_a_rhythm_s_power_stands_in_its_band_and_channel_alone():
    times = np.arange(200) / 100
    signal = np.zeros((1, 21, 200), np.float32)
    signal[0, 4] = 8 * np.sin(2 * np.pi * 10 * times)
    power = np.exp(log_band_power(signal)).reshape(21, len(BANDS_HZ))
    # A sine of amplitude a has power a²/2; ten bins of 0.5 Hz make up the band from 8 to 13 Hz.
    assert power[4, 2] == pytest.approx(8**2 / 2 / 5, rel=1e-3)
    power[4, 2] = 0
    assert power.max() < 1e-3


def test_a_constant_factor_moves_all_log_powers_by_its_logarithm():
    print("seed 0")
    signal = 20 * np.random.default_rng(0).standard_normal((3, 21, 200)).astype(np.float32)
    assert log_band_power(3 * signal) - log_band_power(signal) == pytest.approx(2 * np.log(3), abs=1e-3)


def test_tangent_vectors_are_logarithms_of_whitened_covariances(study, labels):
    rows = phase_windows(study.table, "x", baseline("covariance"), "train", labels)
    parts = [rows.iloc[:8].reset_index(drop=True), rows.iloc[8:11].reset_index(drop=True)]
    known, asked = tangent_vectors(*parts, study.shards)
    matrices = [covariances(np.concatenate(list(read_ten_twenty(part, study.shards)))) for part in parts]
    names = LAYOUTS["ten_twenty"]
    assert matrices[0].shape == (8, len(names) - 2, len(names) - 2)
    assert known.mean(axis=0) == pytest.approx(0, abs=1e-5)  # what the Riemannian mean is defined by
    # The mean solves that equation; whitened by it, the logarithm's upper triangle with sqrt(2) off-diagonal.
    from pyriemann.geometry.mean import mean_riemann

    whiten = np.linalg.inv(sqrtm(mean_riemann(matrices[0])))
    rows, columns = np.triu_indices(19)
    weights = np.where(rows == columns, 1, np.sqrt(2))
    for vector, matrix in zip(asked, matrices[1], strict=True):
        expected = logm(whiten @ matrix @ whiten).real[rows, columns] * weights
        assert vector == pytest.approx(expected, abs=1e-4)


def test_a_window_without_a_good_channel_has_finite_features():
    nothing = np.zeros((1, 21, 200), np.float32)
    assert np.isfinite(log_band_power(nothing)).all()
    assert (np.linalg.eigvalsh(covariances(nothing)) > 0).all()


def test_windows_are_read_on_the_10_20_system_in_microvolts(study, labels):
    rows = phase_windows(study.table, "x", baseline("spectral"), "train", labels)
    signal = np.concatenate(list(read_ten_twenty(rows, study.shards)))
    assert signal.shape == (len(rows), 21, 200)
    assert 5 < np.median(signal.std(axis=-1)) < 25  # the study's noise is 15 µV


@pytest.mark.parametrize("features", ["spectral", "covariance"])
def test_what_the_eeg_tells_is_found_in_new_subjects(study, features, labels):
    """Reaction times that follow the alpha power of each window, or its generalised variance."""
    table = study.table.assign(run="1")
    trials = table[table["kind"] == "reaction_time"].reset_index(drop=True)
    signal = np.concatenate(list(read_ten_twenty(trials, study.shards)))
    if features == "spectral":
        carried = log_band_power(signal).reshape(len(trials), 21, -1)[:, :, 2].mean(axis=1)
    else:
        carried = np.linalg.slogdet(covariances(signal))[1]
    table.loc[table["kind"] == "reaction_time", "reaction_time"] = carried
    settings = baseline(features)
    training = phase_windows(table, "x", settings, "train", labels)
    rows = challenge_rows(table, "reaction_time", "test", purpose="")
    found = fit_baseline("x", settings, training, rows, labels=labels, shards=study.shards)
    assert np.corrcoef(found, rows["reaction_time"])[0, 1] > 0.8


def test_answers_follow_from_training_windows_alone(study, tmp_path, labels):
    """Labels of validation and test subjects may be anything."""
    declared = {name: labels[name].model_dump(mode="json") for name in ("reaction_time", "age", "sex")}
    for name in ("true", "other"):
        table = study.table.assign(run="1")
        outside = table["split"] != "train"
        if name == "other":
            table.loc[outside, ["reaction_time", "externalizing"]] += 7
        folder = tmp_path / name / "windows"
        folder.mkdir(parents=True)
        (tmp_path / name / "shards").symlink_to(study.shards)
        table.to_parquet(folder / "index.parquet")
        for features in ("mean", "age_sex", "age_sex_run", "spectral"):
            index, output = folder / "index.parquet", tmp_path / name / features
            settings = {"phase": baseline(features).model_dump(mode="json"), "labels": declared}
            answer("x", settings, split="test", index=index, output=output)
    for features in ("mean", "age_sex", "age_sex_run", "spectral"):
        true, other = (pd.read_parquet(tmp_path / name / features) for name in ("true", "other"))
        assert list(true) == ["window", "subject", "recording", "onset", "truth", "prediction", "unshrunk"]
        np.testing.assert_array_equal(true["prediction"], other["prediction"])
        assert other["truth"].to_numpy() == pytest.approx(true["truth"].to_numpy() + 7)
    training = study.table[(study.table["kind"] == "reaction_time") & (study.table["split"] == "train")]
    mean = pd.read_parquet(tmp_path / "true" / "mean")["prediction"]
    assert mean.to_numpy() == pytest.approx(training["reaction_time"].mean())


def test_shuffled_labels_give_a_model_that_knows_nothing(study, labels):
    table = coded(study.table, training_classes(study.table, ["sex"], labels))
    rows = table["kind"] == "reaction_time"
    table.loc[rows, "reaction_time"] = 2 - 0.05 * table.loc[rows, "age"]
    true, shuffled = (
        phase_windows(table, "x", baseline("age_sex", shuffle_labels=on), "train", labels)
        for on in (False, True)
    )
    wanted = challenge_rows(table, "reaction_time", "test", purpose="")
    found = fit_baseline("x", baseline("age_sex"), true, wanted, labels=labels, shards=study.shards)
    assert found == pytest.approx(wanted["reaction_time"].to_numpy(), abs=0.01)
    control = fit_baseline("x", baseline("age_sex"), shuffled, wanted, labels=labels, shards=study.shards)
    spread = np.std(wanted["reaction_time"])
    assert np.std(control) < 0.5 * spread
    reference = LinearRegression().fit(shuffled[["age", "sex"]], shuffled["reaction_time"])
    assert (
        np.abs(control - shuffled["reaction_time"].mean()).max()
        <= 0.01 + np.abs(reference.predict(wanted[["age", "sex"]]) - shuffled["reaction_time"].mean()).max()
    )


def test_too_few_subjects_are_said(study, labels):
    settings = baseline("spectral")
    training = phase_windows(study.table, "x", settings, "train", labels)
    one = training[training["subject"] == training["subject"].iloc[0]].reset_index(drop=True)
    with pytest.raises(UserError, match=r"baseline 'x' cannot be fitted: 1 training subject"):
        fit_baseline("x", settings, one, one, labels=labels, shards=study.shards)


def test_covariance_is_probed_in_the_tangent_space_of_each_dataset_s_own_training_people(study):
    """The mean of a dataset's training vectors is 0, by definition of the Riemannian mean."""
    describe = tangent_features(study.table, study.shards)
    rows = study.table.query("kind == 'fixed' and split == 'train'").reset_index(drop=True)
    vectors = describe(rows)
    assert vectors.shape == (len(rows), 190)
    for dataset in ("hbn", "tuh"):
        assert vectors[rows["dataset"] == dataset].mean(axis=0) == pytest.approx(0, abs=1e-4)
    order = np.random.default_rng(0).permutation(len(rows))
    np.testing.assert_allclose(describe(rows.iloc[order].reset_index(drop=True)), vectors[order], atol=1e-9)


def test_a_dataset_without_training_people_has_no_tangent_space(study):
    table = study.table[(study.table["dataset"] == "hbn") | (study.table["split"] != "train")]
    rows = table[(table["dataset"] == "tuh") & (table["kind"] == "fixed")].reset_index(drop=True)
    with pytest.raises(UserError, match="dataset 'tuh' has no training people"):
        tangent_features(table, study.shards)(rows)
