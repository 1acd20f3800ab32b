"""Real Snakemake runs, by subprocess, in folders of their own."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from cerebro.recordings.groups import group_index, group_name
from cerebro.recordings.inventory import SCHEMA

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Study:
    """A folder in which the workflow runs, and the repository it comes from."""

    folder: Path
    repository: Path

    def snakemake(
        self, *arguments: str, overlay: Mapping[str, Any] | None = None, over: str | None = "smoke"
    ) -> subprocess.CompletedProcess[str]:
        """Run Snakemake on the smoke configuration, or another or none, with further settings on top."""
        return subprocess.run(
            self.command(*arguments, overlay=overlay, over=over),
            cwd=self.repository,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def command(
        self, *arguments: str, overlay: Mapping[str, Any] | None = None, over: str | None = "smoke"
    ) -> list[str]:
        """The command line of :meth:`snakemake`."""
        overlays = [] if over is None else [str(self.repository / "config" / f"{over}.yaml")]
        if overlay is not None:
            file = self.folder / "overlay.yaml"
            file.write_text(yaml.safe_dump(dict(overlay)))
            overlays.append(str(file))
        folder = str(self.folder)
        return ["snakemake", "--cores", "2", "--directory", folder, *arguments, "--configfile", *overlays]

    def jobs(self, overlay: Mapping[str, Any] | None = None, target: str = "submission") -> set[str]:
        """Messages of the jobs that a dry run lists, the target itself left out."""
        done = self.snakemake(target, "--dry-run", overlay=overlay)
        assert done.returncode == 0, done.stdout + done.stderr
        return _messages(done)

    def run(self, target: str, overlay: Mapping[str, Any] | None = None) -> set[str]:
        """Run a target for good; messages of the jobs that this took."""
        done = self.snakemake(target, overlay=overlay)
        assert done.returncode == 0, done.stdout + done.stderr
        return _messages(done)

    def pretend_finished(self, overlay: Mapping[str, Any] | None = None) -> None:
        """Create every promised file, empty, and let Snakemake record that its rules made them."""
        listing = self.snakemake("--dry-run", "--forceall", "--summary", overlay=overlay)
        assert listing.returncode == 0, listing.stderr
        files = [line.split("\t")[0] for line in listing.stdout.splitlines() if line.startswith("results/")]
        for file in files:
            path = self.folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        self.write_inventory()
        done = self.snakemake("--touch", "--forceall", overlay=overlay)
        assert done.returncode == 0, done.stderr

    def write_inventory(self, excluded: str = "", **columns: Any) -> None:
        """Write an inventory of the subjects of `archive/R1`, one recording each; the workflow reads it."""
        subjects = sorted(path.name for path in (self.folder / "archive" / "R1").glob("sub-*"))
        rows = [
            {
                "recording": f"hbn/R1/{subject}/RestingState",
                "dataset": "hbn",
                "subject": subject,
                "group": group_name("hbn", group_index(subject, 2)),
                "status": "excluded" if subject == excluded else "ok",
                **columns,
            }
            for subject in subjects
        ]
        path = self.folder / "results" / "smoke" / "inventory" / "recordings.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path)

    @property
    def from_archive(self) -> dict[str, Any]:
        """Settings that read HBN from the archive of :meth:`add_subject`."""
        return {"datasets": {"hbn": {"roots": ["archive/R1"]}}, "splits": {"excluded_subjects": []}}

    def add_subject(self, subject: str) -> None:
        """Add a subject with one file to the folder ``archive/R1``."""
        folder = self.folder / "archive" / "R1" / subject / "eeg"
        folder.mkdir(parents=True)
        (folder / f"{subject}_task-RestingState_eeg.bdf").write_bytes(b"signals")

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the tests, with their Python first on the path and one thread a process."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}


def _messages(done: subprocess.CompletedProcess[str]) -> set[str]:
    """Messages of the jobs that a run started, or that a dry run lists, without that of the target."""
    pattern = r"^Job \d+: (.*?)(?: \(progress: .*\))?$"
    messages = re.findall(pattern, done.stdout + done.stderr, re.MULTILINE)
    return {message for message in messages if not message.endswith(" is complete")}


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository's files, so that an edit during the tests changes no digest."""
    return copy_repository(ROOT, tmp_path_factory.mktemp("copy") / "repository")


@pytest.fixture(scope="session")
def pretended(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """Folder of a study of the smoke configuration of which Snakemake believes that all is done."""
    study = Study(tmp_path_factory.mktemp("pretended"), repository)
    study.pretend_finished()
    return study.folder


@pytest.fixture(scope="session")
def study_in(repository: Path) -> Callable[[Path], Study]:
    """Makes a study of which nothing has run, in a folder."""
    return lambda folder: Study(folder, repository)


@pytest.fixture
def empty(repository: Path, tmp_path: Path) -> Study:
    """A study of which nothing has run."""
    return Study(tmp_path, repository)


@pytest.fixture
def finished(pretended: Path, repository: Path, tmp_path: Path) -> Study:
    """A copy of the pretended study, for a test to change."""
    folder = tmp_path / "study"
    shutil.copytree(pretended, folder)
    return Study(folder, repository)


@pytest.fixture
def editable(finished: Study, tmp_path: Path) -> Study:
    """The pretended study with a repository that a test may edit."""
    return Study(finished.folder, copy_repository(finished.repository, tmp_path / "repository"))


@pytest.fixture(scope="session")
def pretended_archive(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """Like `pretended`, with HBN read from a folder of four subjects whose files no dry run opens."""
    study = Study(tmp_path_factory.mktemp("archived"), repository)
    for subject in ("sub-A", "sub-B", "sub-C", "sub-D"):
        study.add_subject(subject)
    (study.folder / "archive" / "R1" / "participants.tsv").write_text("participant_id\n")
    study.pretend_finished(study.from_archive)
    return study.folder


@pytest.fixture
def archived(pretended_archive: Path, repository: Path, tmp_path: Path) -> Study:
    """A copy of the pretended study of an archive, for a test to change."""
    folder = tmp_path / "study"
    shutil.copytree(pretended_archive, folder)
    return Study(folder, repository)


def copy_repository(source: Path, folder: Path) -> Path:
    """Copy what the workflow consists of."""
    folder.mkdir()
    for name in ("Snakefile", "requirements.lock"):
        shutil.copy(source / name, folder)
    for name in ("workflow", "config", "envs", "src"):
        shutil.copytree(
            source / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    (folder / "profiles").symlink_to("workflow/profiles")
    return folder


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Study:
    """A study of the smoke configuration that really ran, from raw files to the score."""
    study = Study(tmp_path_factory.mktemp("smoke"), repository)
    done = study.snakemake("submission", "adapters", "ablations")
    (study.folder / "terminal.txt").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return study
