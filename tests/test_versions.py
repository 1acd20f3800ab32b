"""pyproject.toml is the one source of versions; the lock file and the conda files repeat it."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from cerebro.provenance import read_pins, required_packages

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RUNTIME = read_pins("\n".join(PROJECT["dependencies"]))
DEVELOPMENT = read_pins("\n".join(PROJECT["optional-dependencies"]["dev"]))
STEPS = {
    "prepare": ["simulation.population", "recordings.inventory", "shards.build", "shards.windows"],
    "train": [
        "data.selection",
        "shards.audit",
        "probes.masks",
        "tracking",
        "phases.run",
        "adapters.run",
        "probes.features",
        "probes.run",
        "report.adapters",
        "synchrony.run",
        "submission.package",
        "submission.preflight",
        "scoring.submission",
        "scoring.predictions",
        "scoring.baseline_answers",
        "scoring.phase_score",
        "scoring.oracle",
    ],
    "report": ["report.summary", "report.probes", "report.ablations", "report.encoders", "report.lineage"],
}


def conda_pins(path: Path) -> dict[str, str]:
    pip = next(
        part["pip"] for part in yaml.safe_load(path.read_text())["dependencies"] if isinstance(part, dict)
    )
    assert all("==" in line for line in pip), f"{path.name} has a package without an exact version"
    return read_pins("\n".join(pip))


def test_every_requirement_of_the_project_is_an_exact_version() -> None:
    lines = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
    assert [
        line for line in lines if not re.fullmatch(r"[a-z0-9.-]+(\[[a-z0-9,]+\])?==[0-9][^ ,]*", line)
    ] == []


def test_the_lock_file_holds_the_versions_of_pyproject() -> None:
    locked = read_pins((ROOT / "requirements.lock").read_text())
    wanted = RUNTIME | DEVELOPMENT
    assert {name: locked.get(name) for name in wanted} == wanted


def test_the_lock_file_holds_only_exact_versions_from_no_named_host() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    odd = [line for line in lines if not re.fullmatch(r"#.*|[a-z0-9.-]+==[^\s;]+( ; .*)?", line)]
    assert odd == []
    assert "://" not in "".join(lines)


def test_packages_for_nvidia_devices_are_locked_for_linux_only() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    devices = [line for line in lines if line.startswith(("nvidia-", "cuda-", "triton"))]
    assert devices
    assert [line for line in devices if not line.endswith("; sys_platform == 'linux'")] == []


def test_the_conda_environment_holds_exactly_the_versions_of_pyproject() -> None:
    assert conda_pins(ROOT / "environment.yml") == RUNTIME | DEVELOPMENT


@pytest.mark.parametrize("name", sorted(STEPS))
def test_a_step_environment_holds_versions_of_pyproject(name: str) -> None:
    pins = conda_pins(ROOT / "envs" / f"{name}.yaml")
    assert pins == {package: RUNTIME[package] for package in pins}


@pytest.mark.parametrize("name", sorted(STEPS))
def test_a_step_environment_holds_all_that_its_steps_import(name: str) -> None:
    needed = required_packages(*(f"cerebro.{step}" for step in STEPS[name]))
    assert needed - conda_pins(ROOT / "envs" / f"{name}.yaml").keys() == set()


@pytest.mark.parametrize("name", sorted(STEPS))
def test_every_python_of_the_conda_files_is_the_one_tested(name: str) -> None:
    for path in (ROOT / "environment.yml", ROOT / "envs" / f"{name}.yaml"):
        assert "python=3.11" in yaml.safe_load(path.read_text())["dependencies"]


def test_the_documentation_says_what_each_package_is_for() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text()
    assert [name for name in RUNTIME | DEVELOPMENT if not re.search(rf"\b{name}\b", text)] == []


def test_the_steps_that_read_eeglab_files_have_all_that_mne_needs_for_it() -> None:
    """MNE imports pymatreader when it meets such a file, which no import here shows."""
    assert "pymatreader" in conda_pins(ROOT / "envs" / "prepare.yaml")
