import hashlib
import json

import pandas as pd
import pytest

from cerebro.config import Simulation
from cerebro.errors import UserError
from cerebro.simulation.population import simulate

TINY = {
    "seed": 5,
    "releases": {"R1": {"subjects": 1, "format": "set"}, "R2": {"subjects": 1, "format": "bdf"}},
    "tuh_subjects": 1,
    "contrast_change_trials": 3,
    "resting_cycles": 1,
    "movies": ["ThePresent"],
    "movie_seconds": 5,
    "tuh_seconds": 5,
}


def _run(folder, workers=1, **changes):
    settings = Simulation.model_validate(TINY | changes)
    simulate(settings, marker=folder / "simulation.json", workers=workers)
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("once")
    return folder, _run(folder)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_on_one_process_and_on_two(once, tmp_path):
    assert _run(tmp_path, workers=2) == once[1]


def test_another_seed_gives_other_recordings_of_the_same_subjects(once, tmp_path):
    other = _run(tmp_path, seed=6)
    recordings = [name for name in once[1] if name.endswith((".set", ".bdf"))]
    assert len(recordings) == 6
    assert all(other[name] != once[1][name] for name in recordings)


def test_adding_subjects_changes_none_of_those_that_were_there(once, tmp_path):
    more = _run(
        tmp_path,
        releases={"R2": {"subjects": 2, "format": "bdf"}, "R1": {"subjects": 1, "format": "set"}},
        tuh_subjects=2,
    )
    own = [name for name in once[1] if "/sub-" in name or name.endswith(".edf")]
    assert own
    assert {name: more[name] for name in own} == {name: once[1][name] for name in own}
    assert len(more) > len(once[1])


def test_the_marker_lists_settings_and_all_files_with_their_sizes(once):
    folder, files = once
    marker = json.loads((folder / "simulation.json").read_text())
    assert marker["settings"]["seed"] == 5
    assert set(marker["files"]) == set(files) - {"simulation.json", "ground_truth.parquet"}
    assert all((folder / name).stat().st_size == size for name, size in marker["files"].items())


def test_the_ground_truth_has_one_row_per_subject_with_latents_and_reaction_times(once):
    truth = pd.read_parquet(once[0] / "ground_truth.parquet")
    assert list(truth.archive) == ["hbn", "hbn", "tuh"]
    assert truth.alpha_hz.between(5, 13).all()
    assert [len(times) for times in truth.reaction_time.dropna()] == [3, 3]


def test_an_interrupted_simulation_is_cleared_and_runs_again(once, tmp_path):
    left = tmp_path / "hbn" / "R2_L100_bdf" / "sub-NDARXX000XXX" / "eeg" / "half.bdf"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    (tmp_path / "simulation.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("not the simulation's")
    files = _run(tmp_path)
    files.pop("notes.txt")
    assert files == once[1]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"movies": ["ThePresent", "ThePresent"]}, "ThePresent.*twice"),
        ({"movie_seconds": 900}, "movie_seconds.*longer than ThePresent"),
        ({"releases": {}, "tuh_subjects": 0}, "no releases, tuh_subjects or tuab_subjects"),
    ],
)
def test_settings_that_make_no_sense_get_a_sentence(tmp_path, changes, sentence):
    with pytest.raises(UserError, match=sentence):
        _run(tmp_path, **changes)


def test_an_output_below_a_file_gets_a_sentence(tmp_path):
    (tmp_path / "raw").write_text("")
    with pytest.raises(UserError, match="is a file"):
        _run(tmp_path / "raw")
