"""Readers: three built in, any other a module of one's own."""

from pathlib import Path

import pytest

from cerebro.errors import UserError
from cerebro.recordings import files
from cerebro.recordings.readers import BUILT_IN, events_function, find_reader, load_reader, person_function


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_built_in_readers_offer_what_their_archives_have() -> None:
    offered = {
        name: (events_function(name) is not None, person_function(name) is not None) for name in BUILT_IN
    }
    assert offered == {
        "bids": (True, False),
        "hbn": (True, False),
        "tuh": (True, True),
        "files": (False, False),
    }
    assert all(find_reader(name) is None for name in BUILT_IN)


def test_a_module_of_ones_own_is_a_reader_by_its_name(module: Path) -> None:
    (module / "lemon_reader.py").write_text("def scan(roots):\n    yield from ()\n")
    assert list(load_reader("lemon_reader").scan([])) == []
    assert find_reader("lemon_reader") == module / "lemon_reader.py"
    assert events_function("lemon_reader") is None


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("absent_reader", None, "there is no reader 'absent_reader'; built in are bids, hbn, tuh, files"),
        ("package.absent_reader", None, "there is no reader 'package.absent_reader'"),
        ("empty_reader", "", r"reader 'empty_reader' \(.*\) has no function scan\(roots\)"),
        ("os", None, "reader 'os' .* is no module that is written in Python"),
        ("math", None, "reader 'math' .* is no module that is written in Python"),
        (
            "broken_reader",
            "import re\nimport nothing_of_that_name",
            r"'broken_reader' can't be imported \(.*broken_reader\.py, line 2\): ModuleNotFoundError",
        ),
        ("wrong_reader", "def scan(:", r"'wrong_reader' \(.*wrong_reader\.py\) can't be read: SyntaxError"),
        (
            "latin_reader",
            "# Universit\xe4t\n",
            r"'latin_reader' \(.*latin_reader\.py\) can't be read: SyntaxError: .*encoding",
        ),
    ],
)
def test_what_is_no_reader_is_one_sentence(
    module: Path, name: str, content: str | None, sentence: str
) -> None:
    if content is not None:
        (module / f"{name}.py").write_text(content, encoding="latin1")
    with pytest.raises(UserError, match=sentence) as caught:
        load_reader(name)
    assert "\n" not in str(caught.value)


def test_a_package_that_fails_names_its_own_file_and_not_the_readers(module: Path) -> None:
    (module / "failing_package").mkdir()
    (module / "failing_package" / "__init__.py").write_text("\nraise RuntimeError('no licence')\n")
    (module / "failing_package" / "reader.py").write_text("def scan(roots):\n    yield from ()\n")
    sentence = r"can't be imported \(.*failing_package/__init__\.py, line 2\): RuntimeError: no licence"
    with pytest.raises(UserError, match=sentence):
        find_reader("failing_package.reader")
    (module / "failing_package" / "__init__.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(UserError, match=r"line 1\): ModuleNotFoundError: No module named 'nothing_of_that"):
        find_reader("failing_package.reader")


def test_any_folder_of_eeg_files_is_read_by_names_alone(tmp_path: Path) -> None:
    for name in ("anna_rest.edf", "day2/anna_rest.EDF", "bob.set", "bob.fdt", "notes.txt", ".hidden.edf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = list(files.scan([tmp_path]))
    assert [(one.subject, one.name) for one in found] == [
        ("anna", ("anna_rest",)),
        ("bob", ("bob",)),
        ("anna", ("day2", "anna_rest")),
    ]
    assert {one.reference for one in found} == {"unknown"}
