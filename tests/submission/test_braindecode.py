"""Submissions with a network of braindecode: those that the scorer has are tried with it, others refused."""

import zipfile

import numpy as np
import pytest
import torch

from cerebro.config import SCORER_NETWORKS, BraindecodeSettings
from cerebro.data.card import load_predictor
from cerebro.errors import UserError
from cerebro.files import read_json
from cerebro.models.braindecode_encoder import model_names
from cerebro.recordings.montages import positions
from cerebro.scoring.clean_process import CleanProcess
from cerebro.scoring.windows import CHANNELS
from cerebro.submission.package import package
from cerebro.submission.preflight import eeg_like_windows, preflight


@pytest.fixture(scope="module")
def phase(tmp_path_factory, write_phase):
    settings = BraindecodeSettings(braindecode="EEGNeX")
    return write_phase(tmp_path_factory.mktemp("eegnex"), "reaction_time", encoder=settings)


@pytest.fixture(scope="module")
def zipped(phase, phases, tmp_path_factory):
    output = tmp_path_factory.mktemp("submission") / "submission.zip"
    package(challenge_1=[phase], challenge_2=[phases["externalizing"]], output=output)
    return output


@pytest.mark.slow
def test_the_preflight_passes_with_braindecode_and_without_this_package(zipped, tmp_path):
    preflight(zipped, output=tmp_path / "preflight.json")
    results = read_json(tmp_path / "preflight.json")
    details = {result["check"]: result["detail"] for result in results["checks"]}
    assert details["constructs"].startswith("twice, without cerebro, with torch, numpy and braindecode (")


@pytest.mark.slow
def test_the_packaged_network_answers_as_the_phase(zipped, phase):
    volts = eeg_like_windows(4)
    where = torch.from_numpy(positions(CHANNELS)).expand(4, -1, -1)
    with torch.inference_mode():
        expected = load_predictor(phase)(torch.from_numpy(volts) * 1e6, where).numpy()
    with CleanProcess(zipped) as process:
        process.construct(sfreq=100)
        assert process.predict(1, volts, batch_size=1) == pytest.approx(expected, abs=1e-5)
    assert np.ptp(expected) > 1e-3


def test_the_module_that_needs_braindecode_is_shipped_only_with_a_network(zipped, submission):
    name = "cerebro_braindecode_encoder.py"
    assert name in zipfile.ZipFile(zipped).namelist()
    assert name not in zipfile.ZipFile(submission).namelist()


def test_a_network_that_the_scorer_lacks_is_refused(tmp_path, write_phase, phases):
    settings = BraindecodeSettings(braindecode="CBraMod", options={"n_layer": 1})
    folder = write_phase(tmp_path / "cbramod", "reaction_time", encoder=settings)
    with pytest.raises(
        UserError, match="has braindecode's CBraMod for an encoder, which the challenge's scorer"
    ):
        package(challenge_1=[folder], challenge_2=[phases["externalizing"]], output=tmp_path / "x.zip")


def test_every_network_said_to_be_at_the_scorer_exists():
    assert set(SCORER_NETWORKS) <= set(model_names())
