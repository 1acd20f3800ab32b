import io
import pickle
import platform
import sys

import numpy as np
import pytest
import torch

from cerebro.errors import UserError
from cerebro.files import read_json
from cerebro.scoring.clean_process import CleanProcess, SubmissionError
from cerebro.submission.package import package
from cerebro.submission.preflight import CHECKS, eeg_like_windows, preflight

FORWARD = "return self.offset + 1e3 * X[:, :5].std(dim=-1).mean(dim=1, keepdim=True)"


def test_a_packaged_submission_passes_every_check(submission, tmp_path):
    preflight(submission, output=tmp_path / "preflight.json")
    content = read_json(tmp_path / "preflight.json")
    assert content["passed"] is True
    assert [result["check"] for result in content["checks"]] == list(CHECKS)
    assert all(result["passed"] for result in content["checks"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "check", "reason"),
    [
        (FORWARD, "return 1.5 + 0 * X[:, :1, 0]", "not constant", "64 .*windows give one answer, 1.5"),
        (FORWARD, "return X[:, :1, 0] / X[:, -1:, 0]", "shapes", "NaN or infinity"),
        (FORWARD, "return X.std(dim=-1).mean(dim=1)", "shapes", r"shape \(64,\), not \(64, 1\)"),
        (FORWARD, "return 1.5 + 1e3 * (X - X.mean(0)).std((1, 2))[:, None]", "shapes", "between batches"),
        (FORWARD, "return 1000 * (1.5 + 1e3 * X[:, :1].std(dim=-1))", "plausible range", "outside 0 to 2.6"),
        (FORWARD, "return 1.5 + X[:, 11:12].std(dim=-1) / X[:, 10:11].std(dim=-1) / 100", "bad channels",
         "windows with flat channels give NaN"),
        ("import torch\n", "import torch\nimport cerebro\n", "constructs", "No module named 'cerebro'"),
        ("weights_only=True", "weights_only=False", "constructs", "without weights_only=True"),
        ("weights_challenge_1.pt", "weights_challenge_3.pt", "constructs", "No such file"),
        (FORWARD, "return torch.tensor(X[:, :1, 0].numpy())", "shapes", "Numpy is not available to"),
        (FORWARD, "import numpy; return torch.tensor(numpy.ones(3))", "shapes", "Numpy is not available"),
        ("class Model", "import os; os._exit(3)\nclass Model", "constructs", "exit code 3"),
        ("class Model", "def f[T](x: T): ...\nclass Model", "python 3.10 syntax", "line 6"),
        ("        self.offset = offset\n", "        self.offset = offset + torch.rand(1)\n", "repeatable",
         "constructed again"),
    ],
)  # fmt: skip
def test_a_broken_submission_is_refused_by_the_check_it_fails(old, new, check, reason, hand_made, tmp_path):
    with pytest.raises(UserError, match=f"failed the check '{check}': .*({reason})"):
        preflight(hand_made(old, new), output=tmp_path / "preflight.json")
    content = read_json(tmp_path / "preflight.json")
    assert content["passed"] is False
    assert content["checks"][-1] == {**content["checks"][-1], "check": check, "passed": False}


def test_a_folder_inside_the_zip_is_refused(hand_made, tmp_path):
    with pytest.raises(UserError, match=r"'flat zip': 'models/encoder\.py' lies in a folder"):
        preflight(hand_made(extra={"models/encoder.py": b"x = 1"}), output=tmp_path / "preflight.json")


def test_weights_that_would_run_code_are_refused(hand_made, tmp_path):
    stream = io.BytesIO()
    pickle.dump(CHECKS["shapes"], stream, protocol=2)
    with pytest.raises(UserError, match=r"'weights only': more\.pt does not load"):
        preflight(hand_made(extra={"more.pt": stream.getvalue()}), output=tmp_path / "preflight.json")


@pytest.mark.slow
def test_another_python_is_asked_and_named(submission, tmp_path):
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ntouch "{tmp_path}/called"\nexec "{sys.executable}" "$@"\n')
    with pytest.raises(UserError, match=r"python is no Python that could run .*submission\.zip"):
        preflight(submission, output=tmp_path / "preflight.json", python=python)
    python.chmod(0o755)
    preflight(submission, output=tmp_path / "preflight.json", python=python)
    assert (tmp_path / "called").exists()
    checks = {check["check"]: check for check in read_json(tmp_path / "preflight.json")["checks"]}
    assert f"Python {platform.python_version()}, torch {torch.__version__}" in checks["constructs"]["detail"]


def test_no_zip_at_all_is_a_sentence(tmp_path):
    (tmp_path / "text.zip").write_text("nothing")
    with pytest.raises(UserError, match="is no zip file"):
        preflight(tmp_path / "text.zip", output=tmp_path / "preflight.json")


@pytest.mark.slow
def test_a_model_that_never_improved_on_the_mean_passes_because_it_says_so(tmp_path, capsys, write_phase):
    folders = {
        challenge: [write_phase(tmp_path / target, target, constant=True)]
        for challenge, target in (("challenge_1", "reaction_time"), ("challenge_2", "externalizing"))
    }
    package(**folders, output=tmp_path / "submission.zip")
    assert "answers one constant to all windows" in capsys.readouterr().out
    preflight(tmp_path / "submission.zip", output=tmp_path / "preflight.json")
    details = {
        result["check"]: result["detail"] for result in read_json(tmp_path / "preflight.json")["checks"]
    }
    assert "declared" in details["not constant"]


@pytest.mark.slow
def test_prints_and_errors_of_a_submission_do_not_disturb_its_answers(hand_made):
    with CleanProcess(hand_made("class Model", "print('hello')\nclass Model")) as process:
        process.construct(sfreq=100)
        with pytest.raises(SubmissionError, match="IndexError"):
            process.predict(1, np.zeros((2, 129), np.float32), batch_size=1)
        windows = eeg_like_windows(3)
        expected = 1.5 + 1e3 * windows[:, :5].std(axis=-1, ddof=1).mean(axis=1, keepdims=True)
        assert process.predict(1, windows, batch_size=2) == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_the_sampling_rate_must_be_the_models(submission):
    with CleanProcess(submission) as process, pytest.raises(SubmissionError, match=r"100\.0 Hz, not at 250"):
        process.construct(sfreq=250)


def test_test_windows_look_like_eeg_in_volts():
    windows = eeg_like_windows(16)
    deviation = windows.std(axis=(1, 2)) * 1e6
    assert windows.dtype == np.float32
    assert (deviation > 9).all()
    assert (deviation < 61).all()
    assert not windows[:, 128].any()
