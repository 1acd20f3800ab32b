"""Files of a configuration: what is wrong in how they are written, by file and line."""

import json
from pathlib import Path

import pytest
import yaml

from cerebro.config.files import check_files
from cerebro.errors import UserError

CONFIGURATIONS = sorted((Path(__file__).parents[1] / "config").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.stem)
def test_every_shipped_file_is_well_written(path: Path) -> None:
    check_files([path])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: a\nphases:\n  x: 1\nname: b\n", "line 4: the key 'name' was written in line 1 already"),
        ("a:\n  - b: 1\n    c: 2\n    b: 3\n", "line 4: the key 'b' was written in line 2 already"),
        ("a: {b: 1, c: 2, b: 3}\n", "line 1: the key 'b' was written in line 1 already"),
        ("a:\n  1: x\n  '1': y\n", "line 3: the key '1'"),
        ('{"a": 1,\n\t"b": {"c": 1,\n\t"c": 2}}', "line 3: the key 'c' was written in line 2 already"),
        ("a: &x {b: 1}\nc: *x\nd:\n  e: 1\n  e: 2\n", "line 5: the key 'e'"),
        ("a: {b: 1\nc: 2\n", "line 2: "),
        ("a:\n\tb: 1\n", "line 2: found character"),
        ("a: 1\n b: 2\n", "line 2: "),
        ("- a\n- b\n", "line 1: a configuration has keys at its top"),
        ("just words\n", "line 1: a configuration has keys at its top"),
        ("a: 1\n---\nb: 2\n", "line 2: "),
        ("a: *b\n", "line 1: found undefined alias"),
    ],
)
def test_a_fault_is_one_sentence_with_file_and_line(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        check_files([path])
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert words in message
    assert "\n" not in message


def test_a_file_in_other_letters_or_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes("name: a\n# Universit\u00e4t\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"mine\.yaml: line 2: letters that are no UTF-8"):
        check_files([path])
    with pytest.raises(UserError, match=r"there is no configuration nowhere\.yaml"):
        check_files([Path("nowhere.yaml")])


def test_equal_keys_of_different_mappings_an_empty_file_and_json_with_tabs_are_no_fault(
    tmp_path: Path,
) -> None:
    path = tmp_path / "mine.yaml"
    for text in ("", "# nothing\n", "a: {k: 1}\nb: {k: 1}\n", "x: &x {k: 1}\ny: *x\nz: {<<: *x, m: 1}\n"):
        path.write_text(text)
        check_files([path])
        yaml.safe_load(text)
    path.write_text(json.dumps({"a": {"b": 1}}, indent="\t"))
    check_files([path])
