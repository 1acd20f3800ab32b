"""Raw recordings to the window index: what each step of data reads, and what makes it run again."""

from collections.abc import Iterable
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cerebro.config import Config, Dataset
from cerebro.errors import UserError
from cerebro.files import describe_damage, digest_text
from cerebro.plan.mistakes import or_stop
from cerebro.plan.study import StudyPlan, as_json
from cerebro.provenance import code_digest, step_digest
from cerebro.recordings.exclusions import Exclusions, read_exclusions
from cerebro.recordings.folders import EVERYBODY, name_in_files, subject_of_file, walk_files
from cerebro.recordings.readers import BUILT_IN, find_reader

if TYPE_CHECKING:
    import pandas as pd

_EVENTS = ("cerebro.recordings.events", "cerebro.recordings.hbn_events")
"""Code that readers import and that neither the inventory nor a shard runs."""


class DataPlan(StudyPlan):
    """Steps from raw recordings to the window index.

    Raises
    ------
    UserError
        A folder, list or reader that ``datasets`` names does not exist or can't be read.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        for name, dataset in config.datasets.items():
            for root in dataset.roots:
                if not root.is_dir() and not self._comes_by_download(root):
                    raise UserError(f"configuration: datasets.{name}.roots: there is no folder {root}")
        self._reader_files = {name: _reader_file(name, part) for name, part in config.datasets.items()}
        excluded = config.splits.excluded_subjects
        self._exclusions = {name: _excluded(name, part, excluded) for name, part in config.datasets.items()}
        # Asked for by many jobs, and final once it is asked for.
        self._inventory = cache(lambda path: or_stop(lambda: _read_inventory(path)))

    @property
    def simulated(self) -> bool:
        """Whether any dataset is read from the simulation."""
        return any(not dataset.roots for dataset in self.config.datasets.values())

    def markers(self, group: str | None = None) -> list[str]:
        """The simulation's marker, where a group (none: any dataset) comes from the simulation."""
        wanted = self.simulated if group is None else not self.config.datasets[_dataset_name(group)].roots
        return [f"{self.results}/raw/simulation.json"] if wanted else []

    def _comes_by_download(self, root: Path) -> bool:
        """Whether `snakemake download` makes this folder; then only the inventory needs it to be there."""
        if self.config.download is None:
            return False
        root, folder = root.absolute(), self.config.download.folder.absolute()
        return root.is_relative_to(folder) or folder.is_relative_to(root)

    def download_settings(self) -> str:
        """What ``download`` reads: its section, and where TUH should lie, which it can't fetch."""
        tuh = {
            name: [str(root) for root in part.roots]
            for name, part in self.config.datasets.items()
            if part.reader == "tuh" and part.roots
        }
        return as_json({"download": self.config.download, "tuh": tuh})

    def simulation_settings(self) -> str:
        """What ``simulate`` reads."""
        return as_json(self.config.simulation)

    def inventory_settings(self) -> str:
        """What ``inventory`` reads."""
        return as_json(
            {
                "datasets": self.config.datasets,
                "excluded_subjects": self.config.splits.excluded_subjects,
            }
        )

    def raw_option(self) -> list[str]:
        """The part of the command line that names the simulated archives."""
        return ["--raw", f"{self.results}/raw"] if self.simulated else []

    def inventory_code(self) -> str:
        """Digest of the code behind the inventory, readers of one's own included."""
        return step_digest("inventory", without=_EVENTS, files=_present(self._reader_files.values()))

    def inventory_state(self) -> str:
        """Where the headers that were read are remembered; other code that reads them starts anew."""
        return f"{self.results}/state/inventory/{code_digest('cerebro.recordings.headers')}"

    def found(self) -> str:
        """Digest of every file below the configured roots, and of lists of subjects.

        By it the inventory notices what came and went.
        """
        lists = [part.digest() for part in self._exclusions.values()]
        return digest_text(repr((sorted(self._listings.items()), lists)))

    def recordings(self, inventory: str) -> str:
        """Digest of what a finished inventory says, whenever it and the files were written."""
        return _digest(self._inventory(inventory))

    def members(self, group: str, inventory: str) -> str:
        """Digest of the recordings of a group that a finished inventory finds usable, and of their files.

        Labels are not part of it: they come with the window index. All files of a subject count, by their
        names in archives with a reader that is built in, and sidecars that hold for every subject. With a
        reader of one's own, every file of the dataset counts for each of its groups.
        """
        name = _dataset_name(group)
        known = self._inventory(inventory)
        usable = known[(known["group"] == group) & (known["status"] == "ok")]
        reader = self.config.datasets[name].reader
        subjects = [""]
        if reader in BUILT_IN:
            subjects = [EVERYBODY, *sorted({name_in_files(subject, reader) for subject in usable["subject"]})]
        files = [self._listings.get((name, subject), "") for subject in subjects]
        return digest_text(repr([_digest(usable.drop(columns=["person", "facts"])), files]))

    def shard_code(self, group: str) -> str:
        """Digest of the code behind a shard: its own, and what finds the recordings of its dataset."""
        reader = self._reader_files[_dataset_name(group)]
        own, finding = (
            step_digest(step, without=_EVENTS, files=_present([reader])) for step in ("shard", "inventory")
        )
        return f"{own}-{finding}"

    def shard_settings(self, group: str) -> str:
        """What ``shard`` reads; the number of groups says that a group without subjects is one."""
        name = _dataset_name(group)
        return as_json(
            {
                "preprocessing": self.config.preprocessing,
                "quality": self.config.quality,
                "groups": {name: self.config.datasets[name].groups},
            }
        )

    def shard_tables(self) -> list[str]:
        """The tables of all shards."""
        return [f"{self.results}/shards/{group}.parquet" for group in self.groups]

    def windows_code(self) -> str:
        """Digest of the code behind the window index, readers of one's own included."""
        return step_digest("windows", files=_present(self._reader_files.values()))

    def windows_settings(self) -> str:
        """What ``windows`` reads."""
        limits = {name: part.max_failed_share for name, part in self.config.datasets.items()}
        splits = self.config.splits
        return as_json(
            {
                "windows": self.config.windows,
                "splits": splits,
                "labels": self.config.labels,
                "max_failed_share": limits,
            }
        )

    def audit_settings(self) -> str:
        """What ``audit`` reads."""
        return as_json(
            {
                "splits": self.config.splits,
                "labels": self.config.labels,
                "scored": self.config.submission is not None,
            }
        )

    @cached_property
    def _listings(self) -> dict[tuple[str, str], str]:
        """Digests of the names, sizes and times of files, by dataset and subject.

        What is of no known subject stands under the subject ``""``.
        """
        listings: dict[tuple[str, str], list[str]] = {}
        for name, dataset in self.config.datasets.items():
            for path in walk_files(dataset.roots):
                listings.setdefault((name, subject_of_file(path, dataset.reader)), []).append(_line(path))
        return {key: digest_text("\n".join(sorted(lines))) for key, lines in listings.items()}


def _reader_file(name: str, dataset: Dataset) -> Path | None:
    try:
        return find_reader(dataset.reader)
    except UserError as error:
        raise UserError(f"configuration: datasets.{name}.reader: {error}") from None


def _excluded(name: str, dataset: Dataset, excluded_subjects: Iterable[str]) -> Exclusions:
    try:
        return read_exclusions(name, dataset, excluded_subjects)
    except UserError as error:
        raise UserError(f"configuration: {error}") from None


def _present(files: Iterable[Path | None]) -> tuple[Path, ...]:
    return tuple(file for file in files if file is not None)


def _dataset_name(group: str) -> str:
    return group.rpartition("-")[0]


def _read_inventory(path: str) -> "pd.DataFrame":
    import pandas as pd

    try:
        return pd.read_parquet(path).drop(columns="mtime_ns")
    except (OSError, ValueError) as error:  # of which those of pyarrow are
        raise UserError(describe_damage(Path(path)) or f"{path}: {error}") from error


def _digest(rows: "pd.DataFrame") -> str:
    from pandas.util import hash_pandas_object

    return digest_text(repr([*rows.columns, *hash_pandas_object(rows, index=False).tolist()]))


def _line(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError:  # a link to content that has not been downloaded
        return f"{path} missing"
    return f"{path} {stat.st_size} {stat.st_mtime_ns}"
