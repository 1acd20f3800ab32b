"""Several members in one zip: their answers, their weights, and that the scorer sees no difference."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from mlflow import MlflowClient

from cerebro.config import BraindecodeSettings
from cerebro.data.card import load_predictor, read_card
from cerebro.errors import UserError
from cerebro.files import read_json
from cerebro.recordings.montages import positions
from cerebro.scoring.ensemble import averaged, member_weights
from cerebro.scoring.predictions import predict
from cerebro.scoring.submission import score
from cerebro.scoring.windows import CHANNELS
from cerebro.submission.package import package
from cerebro.submission.preflight import eeg_like_windows, preflight
from cerebro.submission.template.submission import Ensemble
from cerebro.tracking import create_store

MEMBERS = {1: ("reaction_time", "eegnex"), 2: ("externalizing", "constant")}


@pytest.fixture(scope="module")
def index(study: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study's index with four validation subjects, enough to weigh two members by."""
    root = tmp_path_factory.mktemp("ensemble")
    (root / "windows").mkdir()
    (root / "shards").symlink_to(study.shards)
    table = study.table.copy()
    table.loc[table["subject"].isin(["hbn-0", "hbn-1"]), "split"] = "validation"
    table.to_parquet(root / "windows" / "index.parquet")
    return root / "windows" / "index.parquet"


@pytest.fixture(scope="module")
def folders(
    tmp_path_factory: pytest.TempPathFactory, phases: dict[str, Path], write_phase: Callable[..., Path]
) -> dict[str, Path]:
    """The members, one of them a network of braindecode and one that answers the training mean."""
    root = tmp_path_factory.mktemp("members")
    network = BraindecodeSettings(braindecode="EEGNeX")
    return {
        **phases,
        "eegnex": write_phase(root / "eegnex", "reaction_time", encoder=network),
        "constant": write_phase(root / "constant", "externalizing", constant=True),
    }


@pytest.fixture(scope="module")
def answers(folders: dict[str, Path], index: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of all members' answers, as the workflow asks for them."""
    root = tmp_path_factory.mktemp("predictions")
    for split in ("validation", "test"):
        for name, folder in folders.items():
            predict(folder, split=split, index=index, output=root / split / f"{name}.parquet")
    return root


@pytest.fixture(scope="module", params=["equal", "validation"])
def weights(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def ensemble(
    weights: str, folders: dict[str, Path], answers: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The packaged ensemble."""
    output = tmp_path_factory.mktemp(weights) / "submission.zip"
    pack(folders, output, answers if weights == "validation" else None)
    return output


def pack(folders: dict[str, Path], output: Path, answers: Path | None) -> None:
    members = {f"challenge_{number}": [folders[name] for name in names] for number, names in MEMBERS.items()}
    files = {} if answers is None else {path.stem: path for path in (answers / "validation").iterdir()}
    package(**members, validation=files, output=output)


def read_weights(zip: Path, challenge: int) -> dict[str, Any]:
    with zipfile.ZipFile(zip) as archive:
        stream = io.BytesIO(archive.read(f"weights_challenge_{challenge}.pt"))
    return torch.load(stream, weights_only=True)


@pytest.mark.slow
def test_an_ensemble_scores_as_the_table_of_variants_scores_the_mean_of_its_members(
    ensemble: Path, weights: Any, answers: Path, index: Path, tmp_path: Path
) -> None:
    create_store(name="scores", output=tmp_path / "tracking.json")
    score(
        ensemble,
        {"statistics": {"resamples": 100}, "labels": {}},
        index=index,
        store=tmp_path / "tracking.json",
        output=tmp_path / "score.json",
    )
    found = pd.read_parquet(tmp_path / "predictions.parquet")
    by_split = {
        split: {path.stem: pd.read_parquet(path) for path in (answers / split).iterdir()}
        for split in ("validation", "test")
    }
    for challenge, members in MEMBERS.items():
        counted = member_weights(members, weights, by_split["validation"], purpose="")
        expected = averaged(by_split["test"], counted)
        part = found[found["challenge"] == challenge].set_index("window")
        assert part.index.tolist() == expected["window"].tolist()
        assert part["prediction"].to_numpy() == pytest.approx(expected["prediction"].to_numpy(), abs=1e-5)
        assert expected["prediction"].std() > 1e-3
        stored = {
            member["phase"]: member["weight"] for member in read_weights(ensemble, challenge)["members"]
        }
        assert stored == counted
        assert (stored == dict.fromkeys(members, 0.5)) == (weights == "equal")


@pytest.mark.slow
def test_the_answers_of_a_shrunk_zip_stand_beside_what_its_heads_gave(
    folders: dict[str, Path], write_phase: Callable[..., Path], index: Path, tmp_path: Path
) -> None:
    """A node's file and the zip's score agree, also where nothing is left that could be divided again."""
    create_store(name="scores", output=tmp_path / "tracking.json")
    shrunk = {
        name: write_phase(tmp_path / name, target, shrinkage=factor)
        for name, target, factor in (("half", "reaction_time", 0.5), ("none", "externalizing", 0.0))
    }
    package(challenge_1=[shrunk["half"]], challenge_2=[shrunk["none"]], output=tmp_path / "submission.zip")
    score(
        tmp_path / "submission.zip",
        {"statistics": {"resamples": 100}, "labels": {}},
        index=index,
        store=tmp_path / "tracking.json",
        output=tmp_path / "score.json",
    )
    content, found = read_json(tmp_path / "score.json"), pd.read_parquet(tmp_path / "predictions.parquet")
    for challenge, node, whole, factor in (
        (1, "half", "reaction_time", 0.5),
        (2, "none", "externalizing", 0.0),
    ):
        for name, folder in ((node, shrunk[node]), (whole, folders[whole])):
            predict(folder, split="test", index=index, output=tmp_path / f"{name}.parquet")
        own, unshrunk = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in (node, whole))
        part = found[found["challenge"] == challenge]
        np.testing.assert_array_equal(own["unshrunk"], unshrunk["prediction"])
        assert part["unshrunk"].to_numpy() == pytest.approx(own["unshrunk"].to_numpy(), abs=1e-5)
        assert part["prediction"].to_numpy() == pytest.approx(own["prediction"].to_numpy(), abs=1e-5)
        mean = read_card(shrunk[node])["predictor"]["mean"]
        expected = mean + factor * (own["unshrunk"].to_numpy() - mean)
        assert own["prediction"].to_numpy() == pytest.approx(expected, abs=1e-5)
        assert own["unshrunk"].std() > 1e-3
        scored = content[f"challenge_{challenge}"]
        truth = own["truth"].to_numpy()
        error = np.sqrt(np.mean((own["unshrunk"] - truth) ** 2)) / truth.std()
        assert scored["unshrunk"]["nrmse"]["value"] == pytest.approx(error, rel=1e-4)
        r = np.corrcoef(own["unshrunk"], truth)[0, 1]
        assert scored["unshrunk"]["r"]["value"] == pytest.approx(r, abs=1e-4)
        assert scored["constant"] is (factor == 0)
    assert content["challenge_2"]["r"]["value"] is None
    assert content["challenge_2"]["unshrunk"]["r_within"]["value"] is None
    own = pd.read_parquet(tmp_path / "half.parquet")
    centred = own[["truth", "unshrunk"]] - own.groupby("subject")[["truth", "unshrunk"]].transform("mean")
    within = content["challenge_1"]["unshrunk"]["r_within"]["value"]
    assert within == pytest.approx(np.corrcoef(centred.to_numpy().T)[0, 1], abs=1e-4)
    halves = [content[f"challenge_{c}"]["unshrunk"]["nrmse"]["value"] for c in (1, 2)]
    assert content["overall"]["unshrunk"]["nrmse"]["value"] == pytest.approx(
        0.3 * halves[0] + 0.7 * halves[1]
    )
    run = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}").search_runs(["1"])[0]
    assert run.data.metrics["c1/unshrunk_nrmse"] == pytest.approx(halves[0])
    assert run.data.metrics["c1/unshrunk_r_within"] == pytest.approx(within)
    assert "c2/r" not in run.data.metrics


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["validation"], indirect=True)
def test_an_ensemble_passes_every_check(ensemble: Path, tmp_path: Path) -> None:
    preflight(ensemble, output=tmp_path / "preflight.json")
    assert read_json(tmp_path / "preflight.json")["passed"] is True


def test_an_ensemble_packaged_again_is_the_same_to_the_byte(
    ensemble: Path, weights: str, folders: dict[str, Path], answers: Path, tmp_path: Path
) -> None:
    pack(folders, tmp_path / "again.zip", answers if weights == "validation" else None)
    assert (tmp_path / "again.zip").read_bytes() == ensemble.read_bytes()


def test_an_ensemble_answers_a_constant_only_if_all_that_count_in_it_do(
    folders: dict[str, Path], ensemble: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert read_weights(ensemble, 2)["constant"] is False
    package(
        challenge_1=[folders["reaction_time"]], challenge_2=[folders["constant"]], output=tmp_path / "x.zip"
    )
    assert read_weights(tmp_path / "x.zip", 2)["constant"] is True
    assert f"{folders['constant']} answers one constant to all windows" in capsys.readouterr().out


def test_a_member_of_weight_0_is_not_shipped_and_neither_is_the_code_of_its_network(
    folders: dict[str, Path], answers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right = pd.read_parquet(answers / "validation" / "reaction_time.parquet")
    right = right.assign(truth=right["prediction"] + np.resize([0.01, -0.01], len(right)))
    wrong = right.assign(prediction=right["truth"] + 2 * (right["prediction"] - right["truth"]))
    files = {name: tmp_path / f"{name}.parquet" for name in ("reaction_time", "eegnex")}
    for frame, file in zip((right, wrong), files.values(), strict=True):
        frame.to_parquet(file)
    package(
        challenge_1=[folders["eegnex"], folders["reaction_time"]],
        challenge_2=[folders["externalizing"]],
        validation=files,
        output=tmp_path / "one.zip",
    )
    assert "eegnex 0.00, reaction_time 1.00" in capsys.readouterr().out
    package(
        challenge_1=[folders["reaction_time"]],
        challenge_2=[folders["externalizing"]],
        output=tmp_path / "alone.zip",
    )
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "alone.zip").read_bytes()


def test_a_single_member_answers_to_the_bit_as_its_predictor(folders: dict[str, Path]) -> None:
    predictor, where = load_predictor(folders["externalizing"]), torch.from_numpy(positions(CHANNELS)).float()
    volts = torch.from_numpy(eeg_like_windows(4))
    with torch.inference_mode():
        expected = predictor(volts * 1e6, where.expand(4, -1, -1))
        assert torch.equal(Ensemble([predictor], [1.0], where)(volts), expected)
    assert np.ptp(expected.numpy()) > 1e-3


def test_two_members_of_one_name_are_refused(
    folders: dict[str, Path], write_phase: Callable[..., Path], tmp_path: Path
) -> None:
    other = write_phase(tmp_path / "reaction_time", "reaction_time")
    with pytest.raises(UserError, match=r"challenge 1: two members have one name, of .*reaction_time"):
        package(
            challenge_1=[folders["reaction_time"], other],
            challenge_2=[folders["externalizing"]],
            output=tmp_path / "x.zip",
        )
