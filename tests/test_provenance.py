"""What re-runs a step: its code and its pins, never comments or other rooms."""

import importlib.metadata
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import cerebro.provenance
from cerebro.provenance import (
    code_digest,
    imports,
    installed_otherwise,
    read_pins,
    required_packages,
    step_digest,
)

STEP = "cerebro.shards.build"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
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


STEPS = (
    *("simulate", "inventory", "shard", "windows", "audit", "check-windows", "phase", "features", "probe"),
    *("lineage", "adapters", "isc", "encoders", "package", "preflight", "score", "predict", "baseline"),
    *("oracle", "ablations", "summary", "score-phase", "probe-table"),
)


def digests() -> dict[str, str]:
    code_digest.cache_clear()
    return {step: step_digest(step) for step in STEPS}


@pytest.fixture(scope="module")
def before() -> dict[str, str]:
    """Digests of the package as it is."""
    return digests()


@pytest.fixture
def rerun_by(before: dict[str, str], package: Path) -> Callable[[str, str, str], set[str]]:
    """The steps whose digest changes when a text of a module is replaced by another."""

    def edit(module: str, old: str, new: str) -> set[str]:
        file = package / module
        text = file.read_text()
        assert text.count(old) == 1, f"{module} holds {text.count(old)} times: {old}"
        file.write_text(text.replace(old, new))
        after = digests()
        file.write_text(text)
        return {step for step in STEPS if before[step] != after[step]}

    return edit


def test_a_value_that_the_configuration_holds_reruns_the_steps_that_compute_with_it(rerun_by) -> None:
    assert rerun_by("config/analyses.py", "range(-1, 5)", "range(-1, 4)") == {
        *("score", "score-phase", "baseline")
    }
    assert "audit" in rerun_by("config/study.py", 'Challenge("reaction_time", ', 'Challenge("crop", ')
    networks = rerun_by("config/encoders.py", '"SPARCNet", ', "")
    assert "package" in networks
    assert not networks & {"phase", "features", "shard"}


def test_logic_of_the_configuration_reruns_the_steps_that_call_it(rerun_by) -> None:
    reading = "return TypeAdapter(AnyEncoder).validate_python(content)"
    found = rerun_by("config/encoders.py", reading, f"content['dim'] = 1\n    {reading}")
    assert {"phase", "features", "isc", "adapters"} <= found
    assert not found & {"shard", "windows", "probe", "score", "summary"}


def test_a_declaration_of_a_setting_reruns_nothing_since_its_value_arrives_as_a_parameter(rerun_by) -> None:
    """Its type, default, bounds and description, and what a validator refuses."""
    assert (
        rerun_by("config/nodes.py", "ema_decay: float = Field(default=0.95", "ema: float = Field(0.9")
        == set()
    )
    assert rerun_by("config/nodes.py", '"mix must sum to 1, not', '"mix must sum to 1 and not') == set()
    assert (
        rerun_by("config/archives.py", "flat_uv: float = Field(default=1.0", "flat: float = Field(2.0")
        == set()
    )


@pytest.mark.parametrize(
    ("module", "step"), [("data", "audit"), ("encoders", "probe"), ("answers", "score"), ("phases", "phase")]
)
def test_what_a_command_hands_over_is_code_of_that_step_alone(rerun_by, module: str, step: str) -> None:
    found = rerun_by(
        f"commands/{module}.py",
        f"def _{step}(options: argparse.Namespace) -> None:\n",
        f"def _{step}(options: argparse.Namespace) -> None:\n    options.index = options.index.parent\n",
    )
    assert found == {step}


def test_how_settings_are_read_is_code_of_every_step(rerun_by) -> None:
    assert rerun_by("commands/parsing.py", "return json.loads(", "return None or json.loads(") == set(STEPS)


def test_an_edit_of_a_report_trains_nothing(rerun_by) -> None:
    assert rerun_by("report/lineage.py", "COLUMNS = 3", "COLUMNS = 4") == {"lineage", "encoders"}
    assert rerun_by("commands/answers.py", "    summarise(\n", "    print()\n    summarise(\n") == {"summary"}


def test_help_of_a_command_and_what_only_tells_change_no_digest(rerun_by) -> None:
    assert rerun_by("commands/encoders.py", "fit linear probes on", "fit probes on") == set()
    assert rerun_by("mlflow_run.py", "_METRICS_A_BATCH = 1000", "_METRICS_A_BATCH = 999") == set()


def test_a_definition_counts_with_all_that_it_refers_to(package: Path) -> None:
    (package / "config" / "extra.py").write_text(
        "from cerebro.config.analyses import Statistics as S\nBASE = 1\nTABLE = {}\n"
        "def value():\n    return BASE + TABLE['x']\ndef other():\n    return S()\n"
        "for key in 'xy':\n    TABLE[key] = 2\n"
    )
    entry = "cerebro.config.extra.value"
    text = (package / "config" / "extra.py").read_text()
    before = code_digest(entry)
    for old, new, same in (
        ("BASE = 1", "BASE = 2", False),
        ("TABLE[key] = 2", "TABLE[key] = 3", False),
        ("return S()", "return S", True),
    ):
        (package / "config" / "extra.py").write_text(text.replace(old, new))
        code_digest.cache_clear()
        assert (code_digest(entry) == before) is same, old


def test_a_step_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match="there is no command shards"):
        step_digest("shards")


def test_packages_that_compute_and_are_installed_otherwise_than_locked_are_named_in_one_line(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = cerebro.provenance.LOCK
    pins = read_pins(lock.read_text())
    installed = dict(pins) | {"torch": f"{pins['torch']}+cpu"}
    monkeypatch.setattr(cerebro.provenance, "version", installed.__getitem__)
    assert installed_otherwise() is None
    installed |= {"scipy": "0.9", "mlflow": "0.1", "rich": "0.1"}
    said = installed_otherwise()
    assert said is not None
    assert f"scipy 0.9 ({pins['scipy']})" in said
    assert "mlflow" not in said
    assert "\n" not in said


def test_a_package_that_computes_and_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(name: str) -> str:
        if name == "edfio":
            raise importlib.metadata.PackageNotFoundError(name)
        return read_pins(cerebro.provenance.LOCK.read_text())[name]

    monkeypatch.setattr(cerebro.provenance, "version", found)
    assert "edfio missing (" in (installed_otherwise() or "")


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
    assert "scikit-learn" in required_packages("cerebro.statistics.linear")
