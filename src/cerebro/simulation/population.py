"""The entry of the workflow step: write both archives, several participants at a time."""

import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from cerebro.config import Simulation
from cerebro.errors import UserError
from cerebro.files import atomic_path, write_json
from cerebro.simulation import hbn, tuh
from cerebro.simulation.timeline import MOVIES

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_ARCHIVES = ("hbn", "tuh", "tuab")
_OWN = (*_ARCHIVES, "ground_truth.parquet")


def simulate(settings: Simulation, *, marker: Path, workers: int) -> None:
    """Write simulated HBN releases, and the corpora TUEG and TUAB of TUH.

    Parameters
    ----------
    settings
        How many subjects, which recordings, how long.
    marker
        ``simulation.json``, written last: settings and files with their sizes. The archives stand beside it
        in ``hbn/``, ``tuh/`` and ``tuab/``, the latents and true reaction times in ``ground_truth.parquet``.
        What an interrupted run left there is removed first.
    workers
        Participants written at the same time, each in a process of its own.

    Raises
    ------
    UserError
        No release and no patient, a movie named twice, or ``marker``'s folder cannot be used.
    """
    _check(settings, workers)
    folder = Path(marker).parent
    _clear(folder, Path(marker))
    jobs = [
        partial(hbn.write_participant, folder / "hbn", release=release, index=index, settings=settings)
        # 500 Hz recordings take longest: first, so that no process is left alone with them at the end
        for release, part in sorted(settings.releases.items(), key=lambda item: item[1].format != "set")
        for index in range(part.subjects)
    ]
    jobs += [
        partial(tuh.write_patient, folder / "tuh" / "edf", index=index, settings=settings)
        for index in range(settings.tuh_subjects)
    ]
    jobs += [
        partial(tuh.write_tuab_patient, folder / "tuab" / "edf", index=index, settings=settings)
        for index in range(settings.tuab_subjects)
    ]
    for release in settings.releases:
        hbn.write_release(folder / "hbn", release=release, settings=settings)
    truth = pd.DataFrame(_run(jobs, workers)).sort_values(["archive", "release", "name"])
    with atomic_path(folder / "ground_truth.parquet") as temporary:
        truth.to_parquet(temporary, index=False)
    files = sorted(path for name in _ARCHIVES for path in (folder / name).rglob("*") if path.is_file())
    write_json(
        Path(marker),
        {
            "settings": settings.model_dump(mode="json"),
            "bytes": sum(path.stat().st_size for path in files),
            "files": {path.relative_to(folder).as_posix(): path.stat().st_size for path in files},
        },
    )


def _check(settings: Simulation, workers: int) -> None:
    if workers < 1:
        raise UserError(f"simulate: --threads must be at least 1, not {workers}")
    if not (settings.releases or settings.tuh_subjects or settings.tuab_subjects):
        raise UserError(
            "simulation: there are no releases, tuh_subjects or tuab_subjects; name at least one release"
        )
    if twice := {name for name in settings.movies if settings.movies.count(name) > 1}:
        raise UserError(f"simulation.movies: '{sorted(twice)[0]}' stands there twice; name each movie once")
    for name in settings.movies:
        if settings.movie_seconds > MOVIES[name][1] + 60:
            raise UserError(
                f"simulation.movie_seconds: {settings.movie_seconds:g} s is far longer than {name} "
                f"({MOVIES[name][1]:g} s); use at most its length"
            )


def _clear(folder: Path, marker: Path) -> None:
    """Remove the marker first, so that a half-cleared folder is never taken for a whole one."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"simulate: {folder} is a file; name an --output inside a folder")
    marker.unlink(missing_ok=True)
    for name in _OWN:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _run(jobs: Sequence[Callable[[], dict[str, Any]]], workers: int) -> list[dict[str, Any]]:
    with (
        _single_threaded(),
        # spawned, not forked: the parent may have threads, and numpy must see the variables at its start
        ProcessPoolExecutor(min(workers, len(jobs)), mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        futures = [pool.submit(job) for job in jobs]
        try:
            return [future.result() for future in as_completed(futures)]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Let processes started meanwhile use one thread each: rounding depends on their number."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
