"""What re-runs a step: its code and its pins, never comments or other rooms."""

import shutil
from pathlib import Path

import pytest

import cerebro.provenance
from cerebro.provenance import code_digest, imports, read_pins, required_packages

STEP = "cerebro.shards.build"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package and of its lock file that a test may edit."""
    copy = tmp_path / "src" / "cerebro"
    shutil.copytree(cerebro.provenance.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(cerebro.provenance.LOCK, tmp_path / "requirements.lock")
    monkeypatch.setattr(cerebro.provenance, "PACKAGE", copy)
    monkeypatch.setattr(cerebro.provenance, "LOCK", tmp_path / "requirements.lock")
    code_digest.cache_clear()
    yield copy
    code_digest.cache_clear()


def digest_after(edit: str, file: Path) -> str:
    file.write_text(edit)
    code_digest.cache_clear()
    return code_digest(STEP)


def test_a_comment_a_docstring_or_layout_changes_no_digest(package: Path) -> None:
    before = code_digest(STEP)
    file = package / "shards" / "build.py"
    text = file.read_text()
    assert (
        digest_after('"""Another docstring."""\n\n\n# A comment.\n' + text.split('"""', 2)[2], file) == before
    )


def test_a_statement_changes_the_digest_of_the_steps_that_import_it(package: Path) -> None:
    before, other = code_digest(STEP), code_digest("cerebro.models.encoder")
    file = package / "recordings" / "montages.py"
    assert digest_after(file.read_text() + "\nANYTHING = 1\n", file) != before
    assert code_digest("cerebro.models.encoder") == other


def test_configuration_and_tracking_change_no_digest_since_settings_arrive_as_params(package: Path) -> None:
    before = code_digest(STEP), code_digest("cerebro.phases.run")
    for name in ("config/__init__.py", "tracking.py", "__init__.py"):
        file = package / name
        file.write_text(file.read_text() + "\nANYTHING = 1\n")
    code_digest.cache_clear()
    assert (code_digest(STEP), code_digest("cerebro.phases.run")) == before


def test_a_new_version_counts_only_where_its_package_is_imported(
    package: Path,
) -> None:
    before = code_digest(STEP)
    lock = cerebro.provenance.LOCK
    text = lock.read_text()
    scipy = read_pins(text)["scipy"]
    assert digest_after(text.replace(f"scipy=={scipy}", "scipy==99.0"), lock) != before
    torch = read_pins(text)["torch"]
    assert digest_after(text.replace(f"torch=={torch}", "torch==99.0"), lock) == before


def test_an_imported_package_without_a_pin_is_an_error_that_names_it(package: Path) -> None:
    file = package / "shards" / "build.py"
    with pytest.raises(ValueError, match="polars"):
        digest_after(file.read_text() + "\nimport polars\n", file)


def test_a_module_left_out_changes_no_digest(package: Path) -> None:
    def digest() -> str:
        code_digest.cache_clear()
        return code_digest("cerebro.phases.run", without=("cerebro.phases.contrast",))

    before = digest()
    file = package / "phases" / "contrast.py"
    file.write_text(file.read_text() + "\nANYTHING = 1\n")
    assert digest() == before


def test_a_module_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"cerebro\.nowhere"):
        code_digest("cerebro.nowhere")


def test_imports_inside_functions_are_found() -> None:
    source = "import a.b\ndef f():\n    from c import d\n    import e as g\n"
    assert imports(source) == {"a.b", "c", "c.d", "e"}


def test_packages_go_by_the_name_under_which_they_are_installed() -> None:
    assert "scikit-learn" in required_packages("cerebro.evaluation.linear")
