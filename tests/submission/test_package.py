import ast
import io
import os
import sys
import zipfile

import numpy as np
import pytest
import torch

from cerebro.data.card import load_predictor
from cerebro.errors import UserError
from cerebro.recordings.montages import positions
from cerebro.scoring.clean_process import CleanProcess
from cerebro.scoring.windows import CHANNELS
from cerebro.submission.flatten import flatten_sources
from cerebro.submission.package import package
from cerebro.submission.preflight import eeg_like_windows


def test_packaging_twice_gives_the_same_bytes(phases, submission, tmp_path):
    again = tmp_path / "other name.zip"
    for file in phases["reaction_time"].iterdir():
        os.utime(file, (0, 0))
    package(challenge_1=[phases["reaction_time"]], challenge_2=[phases["externalizing"]], output=again)
    assert again.read_bytes() == submission.read_bytes()


def test_the_zip_is_flat_and_holds_only_what_the_predictor_needs(submission):
    with zipfile.ZipFile(submission) as archive:
        names = set(archive.namelist())
        assert all(entry.date_time == (1980, 1, 1, 0, 0, 0) for entry in archive.infolist())
    assert {"submission.py", "weights_challenge_1.pt", "weights_challenge_2.pt"} < names
    assert {"cerebro_predictor.py", "cerebro_encoder.py", "cerebro_time_course.py"} < names
    assert not any("/" in name for name in names)
    assert not {"cerebro_tokenizer.py", "cerebro_quantizer.py"} & names


def test_every_import_in_the_zip_is_there_or_on_the_scorers_machine(submission):
    with zipfile.ZipFile(submission) as archive:
        own = {name.removesuffix(".py") for name in archive.namelist()}
        for name in archive.namelist():
            if not name.endswith(".py"):
                continue
            for node in ast.walk(ast.parse(archive.read(name))):
                found = (
                    [alias.name for alias in node.names]
                    if isinstance(node, ast.Import)
                    else [node.module or ""]
                    if isinstance(node, ast.ImportFrom)
                    else []
                )
                tops = {module.partition(".")[0] for module in found}
                # Imported where a network of braindecode is built, and shipped with one.
                tops.discard("cerebro_braindecode_encoder")
                assert tops <= own | {"torch", "numpy"} | sys.stdlib_module_names


def test_weights_are_tensors_and_plain_values(submission):
    with zipfile.ZipFile(submission) as archive:
        stream = io.BytesIO(archive.read("weights_challenge_2.pt"))
    content = torch.load(stream, weights_only=True)
    assert set(content) == {"members", "positions", "constant"}
    assert [(member["phase"], member["weight"]) for member in content["members"]] == [("externalizing", 1.0)]
    assert content["positions"].numpy() == pytest.approx(positions(CHANNELS))
    assert content["constant"] is False


def test_the_packaged_models_answer_volts_as_the_phases_answer_microvolts(phases, submission):
    volts = eeg_like_windows(6)
    where = torch.from_numpy(positions(CHANNELS)).expand(6, -1, -1)
    with CleanProcess(submission) as process:
        process.construct(sfreq=100)
        for challenge, target in ((1, "reaction_time"), (2, "externalizing")):
            with torch.inference_mode():
                expected = load_predictor(phases[target])(torch.from_numpy(volts) * 1e6, where).numpy()
            assert np.ptp(expected) > 1e-3
            found = process.predict(challenge, volts, batch_size=1)
            assert found == pytest.approx(expected, abs=1e-5)


def test_a_phase_of_the_other_target_is_refused(phases, tmp_path):
    with pytest.raises(UserError, match=r"challenge 1 asks for reaction_time, but .*externalizing"):
        package(
            challenge_1=[phases["externalizing"]],
            challenge_2=[phases["externalizing"]],
            output=tmp_path / "x.zip",
        )
    assert not (tmp_path / "x.zip").exists()


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("import mne", "imports mne"),
        ("from cerebro.config import Phase", "imports cerebro"),
        ("from cerebro.models import encoder", "imports cerebro"),
        ("from .encoder import Encoder", r"imports \.encoder"),
    ],
)
def test_a_module_that_needs_more_than_the_scorer_has_is_refused(line, fault, tmp_path):
    entry = tmp_path / "submission.py"
    entry.write_text(f"import torch\n{line}\n")
    with pytest.raises(UserError, match=rf"submission\.py, line 2 {fault}"):
        flatten_sources(entry)


def test_an_import_over_several_lines_is_flattened(tmp_path):
    entry = tmp_path / "submission.py"
    entry.write_text("def late():\n    from cerebro.models.front_end import (\n        FrontEnd,\n    )\n")
    sources = flatten_sources(entry)
    assert set(sources) == {"submission.py", "cerebro_front_end.py"}
    assert "from cerebro_front_end import (" in sources["submission.py"]
