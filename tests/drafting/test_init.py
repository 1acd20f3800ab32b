"""`cerebro init` looks at a folder and writes a configuration that holds what was found there."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cerebro.config import BaselinePhase, Config, FinetunePhase, load_config
from cerebro.drafting.archives import reader_of
from cerebro.drafting.overlay import flow
from cerebro.drafting.run import init
from cerebro.drafting.sizes import sizes_for
from cerebro.errors import UserError


@pytest.fixture(scope="module")
def drafted(
    tmp_path_factory: pytest.TempPathFactory, write_own_study: Callable[..., Path]
) -> tuple[str, Config]:
    """The text that `init` writes for a dataset of one's own, and the configuration that it is."""
    folder = tmp_path_factory.mktemp("own")
    root = write_own_study(folder / "rest")
    init([root], folder / "mine.yaml")
    text = (folder / "mine.yaml").read_text()
    return text, load_config(yaml.safe_load(text))


def test_the_study_has_the_dataset_and_the_labels_of_its_tables_and_events(drafted) -> None:
    _, config = drafted
    assert config.name == "mine"
    assert {name: dataset.reader for name, dataset in config.datasets.items()} == {"rest": "bids"}
    labels = {name: label.model_dump(exclude_unset=True) for name, label in config.labels.items()}
    assert labels["age"] == {"of": "person", "column": "age", "log": True, "range": (0, 120)}
    assert labels["group"]["classes"] == {"control": ("control",), "epilepsy": ("epilepsy",)}
    assert labels["task"]["classes"] == {"clicks": ("clicks",), "rest": ("rest",)}
    assert labels["state"]["classes"] == {
        "eyes_closed": ("eyes_closed",),
        "eyes_open": ("eyes_open",),
    }
    speed = labels["response_time"]
    assert (speed["of"], speed["at"], speed["time"]) == ("event", ("click_left", "click_right"), True)
    assert 0.3 <= speed["range"][0] < 0.35
    assert 0.85 < speed["range"][1] <= 0.9
    assert "code" not in labels  # everybody has another


def test_every_line_of_what_was_found_says_how_much_of_it(drafted) -> None:
    text, _ = drafted
    assert "24 recordings of 12 people" in text
    assert "12 of 12 people: 6 control, 6 epilepsy" in text
    assert "Expected: " in text
    assert " of shards; trainings " in text


def test_the_phases_pair_people_by_a_state_and_name_the_dataset(drafted) -> None:
    _, config = drafted
    assert list(config.phases) == ["tokenizer", "pretrain", "contrast"]
    assert config.phases["pretrain"].mix == {"rest": 1.0}
    assert config.phases["contrast"].sources == {"state": 1}
    assert config.submission is None
    assert not any(isinstance(phase, FinetunePhase | BaselinePhase) for phase in config.phases.values())


def test_the_sizes_grow_with_the_hours() -> None:
    few, some, many = (sizes_for(hours) for hours in (1, 200, 20_000))
    assert few.encoder.dim < some.encoder.dim < many.encoder.dim
    assert few.steps < some.steps <= many.steps == 100_000


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: precious\n")
    with pytest.raises(UserError, match=r"mine\.yaml exists already"):
        init([tmp_path], tmp_path / "mine.yaml")


def test_a_folder_without_recordings_is_named_with_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match=r"holds no recording .* but files of \.txt"):
        init([tmp_path], tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    ("file", "reader"),
    [
        ("sub-1/ses-2/eeg/sub-1_ses-2_task-rest_eeg.vhdr", "bids"),
        ("edf/000/aaaaaaaa/s001_2015_12_30/01_tcp_ar/aaaaaaaa_s001_t000.edf", "tuh"),
        ("anna_rest.edf", "files"),
        ("R5_mini_L100_bdf/sub-1/eeg/sub-1_task-RestingState_eeg.bdf", "bids"),
    ],
)
def test_the_reader_is_known_by_the_names_of_files(tmp_path: Path, file: str, reader: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).touch()
    assert reader_of(tmp_path) == reader


def test_hbn_is_known_by_its_table(tmp_path: Path) -> None:
    (tmp_path / "sub-1" / "eeg").mkdir(parents=True)
    (tmp_path / "sub-1" / "eeg" / "sub-1_task-rest_eeg.set").touch()
    (tmp_path / "participants.tsv").write_text("participant_id\trelease_number\tp_factor\texternalizing\n")
    with pytest.raises(UserError, match=r"recordings of HBN.*config/hbn_tuh\.yaml"):
        init([tmp_path], tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    "text", ["yes", "1", "a: b", "null", "", "eyes open", "ä", "x'y", '"', "-1", "a, b", "[", "# n"]
)
def test_text_of_any_kind_is_read_back_from_the_line_that_holds_it(text: str) -> None:
    assert yaml.safe_load(flow({"key": [text], text or "k": 1.5})) == {"key": [text], text or "k": 1.5}
