"""What commands read: each kind of file with what it must hold, looked at before the step begins.

A file that is missing, broken or of another kind is the caller's to mend and gets one sentence. What goes
wrong after that is a fault of the program, and keeps its traceback.
"""

import argparse
import json
import zipfile
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from cerebro.errors import UserError
from cerebro.files import describe_damage

Kind = Callable[[str], Path]


class _Wrong(argparse.ArgumentTypeError, UserError):
    """An input that cannot be read, or is something else: an argument, or named by one."""


def file(text: str) -> Path:
    """Any file that is there."""
    path = Path(text)
    if not text:
        raise _Wrong("the path is empty")
    try:
        if path.is_dir():
            raise _Wrong(f"{path} is a folder, not a file")
        with path.open("rb"):
            return path
    except FileNotFoundError:
        raise _Wrong(
            f"there is no file {path}; `snakemake --cores 8 {path}` makes what belongs to a study, with the "
            "study's --configfile"
        ) from None
    except (OSError, ValueError) as error:
        raise _Wrong(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from None


def folder(text: str) -> Path:
    """Any folder that is there."""
    path = Path(text)
    if not text:
        raise _Wrong("the path is empty")
    if not path.is_dir():
        raise _Wrong(f"{path} is a file, not a folder" if path.exists() else f"there is no folder {path}")
    return path


def table(what: str, *columns: str) -> Kind:
    """A parquet file with these columns, among others."""

    def check(text: str) -> Path:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = file(text)
        try:
            found = pq.read_schema(path).names
        except (pa.ArrowException, OSError) as error:
            raise _Wrong(f"{path} is no parquet file, or a broken one: {_first_line(error)}") from None
        _require(path, what, "column", columns, found)
        return path

    return check


def index_with_signals(text: str) -> Path:
    """A window index, and beside its folder the shards that it points into."""
    import pyarrow.parquet as pq

    from cerebro.data.selection import shards_folder

    path = INDEX(text)
    for shard in pq.read_table(path, columns=["shard"])["shard"].unique().to_pylist():
        if not (signals := shards_folder(path) / f"{shard}.npy").is_file():
            raise _Wrong(
                f"{path} points into the shard {signals}, which is not there; leave both in their study"
            )
    return path


def damaged_table(read: Iterable[Any]) -> str | None:
    """Name the first table that a step read, or the shards of its index, of which a page cannot be read.

    Looked for once a step has failed: a look at every page beforehand would read each table twice.
    """
    from cerebro.data.selection import shards_folder

    paths = [path for path in read if isinstance(path, Path) and path.suffix == ".parquet"]
    beside = [table for path in paths for table in sorted(shards_folder(path).glob("*.parquet"))]
    return next(filter(None, map(describe_damage, [*paths, *beside])), None)


def document(what: str, *keys: str) -> Kind:
    """A JSON file that holds an object with these keys, among others."""

    def check(text: str) -> Path:
        path = file(text)
        read_document(path, what, *keys)
        return path

    return check


def read_document(path: Path, what: str, *keys: str) -> dict[str, Any]:
    """Read such a file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # of JSON, and of letters that are no UTF-8
        raise _Wrong(f"{path} is no JSON, or broken: {_first_line(error)}") from None
    if not isinstance(content, dict):
        raise _Wrong(f"{path} is not {what}: it holds no object")
    _require(path, what, "key", keys, content)
    return content


def archive(text: str) -> Path:
    """A zip file whose every member can be read."""
    path = file(text)
    try:
        with zipfile.ZipFile(path) as opened:
            broken = opened.testzip()
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise _Wrong(f"{path} is no zip file that can be read: {_first_line(error)}") from None
    if broken is not None:
        raise _Wrong(f"{path} is broken: {broken} does not match its checksum")
    return path


def features(text: str) -> Path:
    """A file that the command `features` wrote."""
    path = file(text)
    try:
        with zipfile.ZipFile(path) as opened:
            names, broken = opened.namelist(), opened.testzip()
    except (zipfile.BadZipFile, OSError) as error:
        raise _Wrong(f"{path} holds no features: {_first_line(error)}") from None
    if "origin.npy" not in names or broken is not None:
        raise _Wrong(f"{path} holds no features, or is broken; `cerebro features` writes such files")
    return path


def phase_folder(text: str) -> Path:
    """The folder of a finished phase."""
    path = folder(text)
    read_card(path)
    return path


def read_card(path: Path) -> dict[str, Any]:
    """The card of a finished phase, once its weights are seen to be whole."""
    if not (path / "card.json").is_file():
        raise _Wrong(f"{path} is not the folder of a finished phase: there is no {path / 'card.json'}")
    for weights in (path / "encoder.safetensors", path / "head.safetensors"):
        _weights(weights)
    return read_document(path / "card.json", "the card of a phase", "node", "kind", "lineage", "encoder")


def require_checkpoint(path: Path, number: str) -> None:
    """Refuse a checkpoint that a phase did not keep."""
    kept = {name.partition(".")[0] for name in _weights(path / "checkpoints.safetensors")}
    if number not in kept:
        raise _Wrong(
            f"{path} holds no checkpoint {number}, but {', '.join(sorted(kept, key=int)) or 'none'}; "
            "the phase's `checkpoints` says how many it keeps"
        )


def _weights(path: Path) -> list[str]:
    """Names of the tensors in a file that is whole."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file(str(path)), framework="numpy") as opened:
            return list(opened.keys())
    except (SafetensorError, OSError) as error:
        raise _Wrong(f"{path} is broken: {_first_line(error)}") from None


def parent(text: str) -> tuple[str, Path]:
    """``KEY=FOLDER``: a phase that another one needs, by the key that names it."""
    key, sign, path = text.partition("=")
    if not key or not sign:
        raise _Wrong(f"{text!r} is not of the form KEY=FOLDER, such as init=results/demo/phases/contrast")
    return key, phase_folder(path)


def _require(path: Path, what: str, part: str, wanted: Collection[str], found: Collection[str]) -> None:
    if missing := [name for name in wanted if name not in found]:
        raise _Wrong(f"{path} is not {what}: it has no {part} '{missing[0]}'")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


INVENTORY = table("an inventory", "recording", "dataset", "subject", "group", "status")
SHARD_TABLE = table("the table of a shard", "recording", "offset", "length", "fingerprint")
INDEX = table("a window index", "window", "kind", "split", "subject", "shard", "start", "length", "keep")
ANSWERS = table("a file of answers", "window", "subject", "truth", "prediction")
PROBE_ANSWERS = table("the answers of a probe", "target", "metric", "subject", "truth", "prediction", "floor")
PROBES = document("a file of `cerebro probe`", "node", "lineage", "targets")
ISC = document("a file of `cerebro isc`", "node", "lineage", "embeddings")
PHASE_SCORES = document("a file of `cerebro score-phase`", "node", "target", "split", "metrics")
SCORE = document("a score", "challenge_1", "challenge_2", "overall")
TRACKING = document("the description of an MLflow store", "database", "experiment_id")
WINDOWS = document("counts of windows", "recordings", "windows", "left_out")
MARKER = document("the marker of a simulation", "settings", "files")
