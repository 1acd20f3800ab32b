"""The step `download`: list, say how much, compare with the disk, fetch side by side, say what failed."""

import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from cerebro.config import Download
from cerebro.download.bucket import Bucket, RefusedError, RemoteObject, TransferError
from cerebro.download.fetch import Fetcher, FetchError, Stopped, bytes_there
from cerebro.download.manifest import Manifest
from cerebro.download.selection import choose, is_recording, is_signal, require_wanted, subject_of
from cerebro.download.sources import LICENCE, Source, sources
from cerebro.errors import UserError
from cerebro.files import nearest_folder
from cerebro.recordings.folders import walk_files
from cerebro.running.exclusive import exclusive


@dataclass(frozen=True, kw_only=True)
class _Release:
    source: Source
    bucket: Bucket
    files: Sequence[RemoteObject]
    folder: Path
    manifest: Manifest
    waiting: Sequence[RemoteObject]
    """Files that are not known to be there."""

    def to_fetch(self) -> int:
        """Bytes that will have to come over the network, as far as sizes tell."""
        return sum(
            item.size - bytes_there(self.folder / item.path, item)
            for item in self.waiting
            if not _same_size(self.folder / item.path, item)
        )


def download(settings: Download | None, *, tuh_roots: Mapping[str, Sequence[Path]], log: Path) -> None:
    """Fetch the chosen releases; what is there and verified is left alone.

    Parameters
    ----------
    settings
        The section `download` of the configuration, None where there is none.
    tuh_roots
        Folders of the TUH datasets of the configuration, by dataset: where they hold nothing, a line says how
        to get it.
    log
        A text file, one line per file that was fetched, compared or given up.

    Raises
    ------
    UserError
        If there is nothing to fetch, another download fetches the same release into the same folder, the disk
        is too small, or files could not be had: those that could are kept, and the same command fetches the
        rest.
    """
    console = Console()
    for name, roots in tuh_roots.items():
        if not any(path.suffix.lower() == ".edf" for path in walk_files(roots)):
            where = ", ".join(map(str, roots))
            console.print(f"datasets.{name}: no EDF file in {where}: {LICENCE}", highlight=False)
    if settings is None:
        raise UserError(
            "the configuration has no section 'download'; docs/getting_data.md shows one: "
            "download: {releases: [R1, R5], format: bdf_mini, folder: data/hbn}"
        )
    with ExitStack() as locks:
        releases = _list(settings, locks)
        _fetch(releases, settings, log, console)


def _fetch(releases: Sequence[_Release], settings: Download, log: Path, console: Console) -> None:
    """Say how much comes, fetch it, and say what could not be had."""
    _announce(releases, settings, console)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as stream:
        outcomes = Counter[str]()
        failures: list[str] = []
        for outcome, text in _fetch_all(releases, settings, console):
            outcomes[outcome] += 1
            print(f"{outcome} {text}", file=stream, flush=True)
            if outcome == "failed":
                failures.append(text)
    counted = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    console.print(f"download: {counted or 'nothing to do'}; the list is in {log}", highlight=False)
    if failures:
        raise UserError(
            f"{len(failures)} files could not be fetched (first: {failures[0]}); what was fetched is kept, "
            "and the same command fetches the rest"
        )


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Two downloads into one folder would append to the same unfinished files."""
    with ExitStack() as lock:
        try:
            lock.enter_context(exclusive(folder))
        except UserError as error:
            holder = (folder / ".lock").read_text().strip()
            raise UserError(
                f"another download writes into {folder} (pid {holder}); wait for it or stop it"
            ) from error
        yield


def _list(settings: Download, locks: ExitStack) -> list[_Release]:
    """What lies in each release's bucket and is wanted; its folder is this process's alone from now on."""
    wanted = sources(settings)
    buckets = [
        Bucket(source, endpoint=settings.endpoint, connections=settings.connections) for source in wanted
    ]
    with ThreadPoolExecutor(settings.connections) as pool:
        listings = list(pool.map(Bucket.objects, buckets))
    require_wanted([item for listing in listings for item in listing], settings)
    releases = []
    for source, bucket, listing in zip(wanted, buckets, listings, strict=True):
        folder = settings.folder / source.folder
        locks.enter_context(_alone_in(folder))
        manifest = Manifest(folder)
        files = choose(listing, settings)
        waiting = [item for item in files if not manifest.holds(item)]
        releases.append(
            _Release(
                source=source, bucket=bucket, files=files, folder=folder, manifest=manifest, waiting=waiting
            )
        )
    return releases


def _announce(releases: Sequence[_Release], settings: Download, console: Console) -> None:
    """Say what will be fetched, and refuse where the disk is too small for it."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("release")
    for name in ("subjects", "recordings", "size", "to compare", "to fetch"):
        table.add_column(name, justify="right")
    for release in releases:
        recordings = [item for item in release.files if is_recording(item)]
        unverified = sum(
            item.size for item in release.waiting if _same_size(release.folder / item.path, item)
        )
        table.add_row(
            release.source.folder,
            str(len({subject_of(item) for item in recordings})),
            str(len(recordings)),
            decimal(sum(item.size for item in release.files)),
            decimal(unverified) if unverified else "",
            decimal(release.to_fetch()),
        )
    console.print(table)
    needed = sum(release.to_fetch() for release in releases)
    free = shutil.disk_usage(nearest_folder(settings.folder)).free
    console.print(f"{decimal(needed)} to fetch into {settings.folder}, {decimal(free)} free", highlight=False)
    if needed > free:
        raise UserError(
            f"download.folder: {settings.folder} has {decimal(free)} free and {decimal(needed)} are to be "
            "fetched; choose another folder, or fewer releases, tasks or subjects"
        )


def _fetch_all(
    releases: Sequence[_Release], settings: Download, console: Console
) -> Iterator[tuple[str, str]]:
    """Yield what became of each file; all that describes recordings comes before any signal."""
    stop = threading.Event()
    files = sorted(
        ((release, item) for release in releases for item in release.waiting),
        key=lambda pair: is_signal(pair[1]),
    )
    if not files:
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress, ThreadPoolExecutor(settings.connections) as pool:
        bar = progress.add_task("fetching", total=sum(item.size for _, item in files))

        def advance(count: int) -> None:
            progress.advance(bar, count)

        fetchers = {
            release.folder: Fetcher(release.bucket, advance=advance, stop=stop) for release in releases
        }
        try:
            for signals, wave in groupby(files, key=lambda pair: is_signal(pair[1])):
                progress.update(bar, description="signals" if signals else "sidecars")
                jobs: list[Future[tuple[str, str]]] = [
                    pool.submit(_have, release, item, fetchers[release.folder], advance)
                    for release, item in wave
                ]
                for job in as_completed(jobs):
                    yield job.result()
        except OSError as error:
            raise UserError(
                f"{settings.folder}: {error.strerror or error}; mend that and run again"
            ) from error
        except KeyboardInterrupt:
            raise UserError("interrupted; what was fetched is kept, and the same command continues") from None
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _have(
    release: _Release, item: RemoteObject, fetcher: Fetcher, advance: Callable[[int], None]
) -> tuple[str, str]:
    """Make sure that one file is there; returns what was done and its name."""
    target = release.folder / item.path
    name = f"{release.source.folder}/{item.path}"
    try:
        if target.is_file() and fetcher.matches(target, item):
            advance(item.size)
            release.manifest.add(item)
            return "compared", name
        replaced = target.is_file()
        advance(bytes_there(target, item))
        damaged = fetcher.fetch(item, target)
    except Stopped:
        return "stopped", name
    except (FetchError, RefusedError, TransferError) as error:
        return "failed", f"{name}: {error}"
    release.manifest.add(item)
    if damaged:
        return "fetched again, since its checksum did not match", name
    return ("replaced" if replaced else "fetched"), name


def _same_size(path: Path, item: RemoteObject) -> bool:
    return path.is_file() and path.stat().st_size == item.size
