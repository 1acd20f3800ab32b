"""A wheel of the package is enough: it holds what its modules read, and works away from the repository."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

import cerebro.provenance
from cerebro.config import EncoderSettings
from cerebro.data.card import random_encoder, write_phase_output

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel of a copy of the repository that is gone by then."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "repository"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "requirements.lock"):
        shutil.copy(ROOT / name, source)
    for name in ("config", "src"):
        shutil.copytree(
            ROOT / name,
            source / name,
            symlinks=True,
            ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"),
        )
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "."]
    subprocess.run([*command, "--wheel-dir", folder], cwd=source, check=True)
    (wheel,) = folder.glob("cerebro-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    shutil.rmtree(source)
    return folder / "site"


def run(installed: Path, folder: Path, *arguments: str) -> str:
    """Run a Python command on the wheel alone, in a folder away from the repository."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_command_line_of_a_wheel_lists_its_commands(installed: Path, tmp_path: Path) -> None:
    assert "check" in run(installed, tmp_path, "-m", "cerebro.cli", "--help")


@pytest.mark.slow
def test_a_wheel_checks_an_overlay_on_the_base_configuration_it_holds(
    installed: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\n")
    shown = run(installed, tmp_path, "-m", "cerebro.cli", "check", "mine.yaml")
    assert shown.startswith("study mine: ")


@pytest.mark.slow
def test_the_digest_of_code_and_lock_file_is_that_of_the_repository(installed: Path, tmp_path: Path) -> None:
    step = "cerebro.phases.run"
    code = f"from cerebro.provenance import code_digest; print(code_digest({step!r}))"
    assert run(installed, tmp_path, "-c", code).strip() == cerebro.provenance.code_digest(step)


@pytest.mark.slow
def test_a_wheel_loads_the_encoder_of_a_card(installed: Path, tmp_path: Path) -> None:
    encoder = random_encoder(EncoderSettings(dim=16, depth=1, heads=2), seed=0)
    model = torch.nn.Module()
    model.encoder = encoder
    write_phase_output(tmp_path, model, {"kind": "test"})
    code = (
        "import cerebro; from cerebro.data.card import load_encoder;"
        "print(cerebro.__file__, sum(p.abs().sum().item() for p in load_encoder('.').parameters()))"
    )
    file, total = run(installed, tmp_path, "-c", code).rsplit(maxsplit=1)
    assert Path(file).is_relative_to(installed)
    assert float(total) == pytest.approx(sum(p.abs().sum().item() for p in encoder.parameters()))


def test_no_module_reads_above_the_package() -> None:
    """What lies above it is not installed."""
    package = cerebro.provenance.PACKAGE
    above = re.compile(r"(__file__\)|PACKAGE)\.parents\b")
    assert [path.name for path in package.rglob("*.py") if above.search(path.read_text())] == []
    links = sorted((package / "shipped").iterdir())
    layers = ("base", "challenge", "demo")
    shipped = [*(f"config/{name}.yaml" for name in layers), "requirements.lock"]
    shipped += [f"config/{name}.yaml" for name in ("tuab", "tuev")]
    assert [link.resolve() for link in links] == [ROOT / path for path in shipped]


def test_git_ignores_what_users_put_beside_the_code(tmp_path: Path) -> None:
    """Raw data and results, folders or links to another disk; never the package's own `data`."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    names = ("data/hbn/x.bdf", "results/demo/summary.md", "src/cerebro/data/card.py", "config/mine.yaml")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    seen = _untracked(tmp_path)
    assert {"src/cerebro/data/card.py", "config/mine.yaml"} <= seen
    assert not {name for name in seen if name.startswith(("data/", "results/"))}
    (tmp_path / "data").rename(tmp_path.with_name("disk"))
    (tmp_path / "data").symlink_to(tmp_path.with_name("disk"))
    assert "data" not in _untracked(tmp_path)


def _untracked(folder: Path) -> set[str]:
    command = ["git", "-C", folder, "ls-files", "--others", "--exclude-standard"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())
