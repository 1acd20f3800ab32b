"""A local S3 server with releases of HBN in it, and a wire that can be slow, break off or garble."""

import json
import logging
import random
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from cerebro.cli import main

MINI = "NeurIPS25/R5_mini_L100_bdf"
SUBJECTS = ("sub-NDARAA111AAA", "sub-NDARBB222BBB", "sub-NDARCC333CCC")
TASKS = ("RestingState", "contrastChangeDetection_run-1")
SIGNAL_BYTES = 3_000_000


@dataclass
class Wire:
    """What lies between the server's answers and their reader."""

    app: Any
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and range of each request."""
    sent: Counter[str] = field(default_factory=Counter)
    """Bytes of content sent, by path."""
    break_after: dict[str, int] = field(default_factory=dict)
    """Answers for this path end once after that many bytes."""
    garble: Counter[str] = field(default_factory=Counter)
    """How many answers for this path have one byte changed."""
    seconds_per_block: float = 0.0
    """Pause between blocks of 64 kB."""
    at_once: int = 0
    """Contents under way now."""
    most_at_once: int = 0
    """Contents that were under way at the same time."""

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterator[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.requests.append((method, path, environ.get("HTTP_RANGE", "")))
        body = b"".join(self.app(environ, start))
        if method != "GET":
            yield body
            return
        if self.garble[path] > 0:
            self.garble[path] -= 1
            body = body[:-1] + bytes([body[-1] ^ 1])
        body = body[: self.break_after.pop(path, len(body))]
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            for begin in range(0, len(body), 1 << 16):
                time.sleep(self.seconds_per_block)
                self.sent[path] += len(body[begin : begin + (1 << 16)])
                yield body[begin : begin + (1 << 16)]
        finally:
            self.at_once -= 1

    def forget(self) -> None:
        """Count anew."""
        self.requests.clear()
        self.sent.clear()

    def contents(self) -> Counter[str]:
        """Bytes sent of objects, listings left out, by the object's file name."""
        return Counter(
            {path.rpartition("/")[2]: size for path, size in self.sent.items() if path.count("/") > 1}
        )


@dataclass
class Store:
    """The server: its address, the wire in front of it, and what lies in it."""

    url: str
    wire: Wire
    content: dict[str, bytes] = field(default_factory=dict)
    """By key, what can be fetched."""
    subjects: tuple[str, ...] = SUBJECTS
    large: str = f"{MINI}/{SUBJECTS[0]}/eeg/{SUBJECTS[0]}_task-{TASKS[0]}_eeg.bdf"
    """A recording of 12 MB that was uploaded in three parts."""
    small: str = f"{MINI}/{SUBJECTS[1]}/eeg/{SUBJECTS[1]}_task-{TASKS[0]}_eeg.bdf"
    """A recording of 3 MB that was uploaded at once."""

    def put(self, bucket: str, key: str, body: bytes) -> None:
        """Upload an object that anyone may read."""
        self._client.put_object(Bucket=bucket, Key=key, Body=body, ACL="public-read")
        self.content[key] = body

    def put_in_parts(self, bucket: str, key: str, body: bytes, part_size: int) -> None:
        """Upload an object in parts, as `aws s3 cp` does with large files."""
        upload = self._client.create_multipart_upload(Bucket=bucket, Key=key, ACL="public-read")["UploadId"]
        target = {"Bucket": bucket, "Key": key, "UploadId": upload}
        parts = []
        for number, begin in enumerate(range(0, len(body), part_size), start=1):
            part = body[begin : begin + part_size]
            tag = self._client.upload_part(**target, PartNumber=number, Body=part)["ETag"]
            parts.append({"PartNumber": number, "ETag": tag})
        self._client.complete_multipart_upload(**target, MultipartUpload={"Parts": parts})
        self.content[key] = body

    def create(self, bucket: str) -> None:
        """Create a bucket."""
        self._client.create_bucket(Bucket=bucket, ACL="public-read")

    def reset(self) -> None:
        """Empty the server."""
        urllib.request.urlopen(f"{self.url}/moto-api/reset", data=b"").close()
        self.content.clear()

    @cached_property
    def _client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="owner",
            aws_secret_access_key="secret",
        )


@pytest.fixture(scope="session")
def _server() -> Iterator[Store]:
    wire = Wire(DomainDispatcherApplication(create_backend_app))
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = make_server("127.0.0.1", 0, wire, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Store(url=f"http://127.0.0.1:{server.server_port}", wire=wire)
    server.shutdown()


@pytest.fixture
def store(_server: Store) -> Store:
    """The mini copy of R5: three subjects, two tasks, one recording uploaded in parts."""
    _server.reset()
    _server.create("nmdatasets")
    source = random.Random(0)
    people = "".join(f"{subject}\tR5\n" for subject in SUBJECTS)
    _server.put(
        "nmdatasets", f"{MINI}/participants.tsv", f"participant_id\trelease_number\n{people}".encode()
    )
    for name in ("dataset_description.json", "task-RestingState_events.json"):
        _server.put("nmdatasets", f"{MINI}/{name}", f"content of {name}\n".encode())
    _server.put("nmdatasets", f"{MINI}/derivatives/cleaned.bdf", b"nothing that the readers look at")
    for subject in SUBJECTS:
        for task in TASKS:
            stem = f"{MINI}/{subject}/eeg/{subject}_task-{task}"
            _server.put("nmdatasets", f"{stem}_events.tsv", b"onset\tvalue\n")
            signals = source.randbytes(SIGNAL_BYTES)
            if (subject, task) == (SUBJECTS[0], TASKS[0]):
                _server.put_in_parts("nmdatasets", f"{stem}_eeg.bdf", signals * 4, 5 << 20)
            else:
                _server.put("nmdatasets", f"{stem}_eeg.bdf", signals)
    _server.wire.break_after.clear()
    _server.wire.garble.clear()
    _server.wire.seconds_per_block = 0.0
    _server.wire.most_at_once = 0
    _server.wire.forget()
    return _server


@dataclass
class Command:
    """The command, with the settings that point it at the server."""

    store: Store
    folder: Path
    tuh: dict[str, list[str]] = field(default_factory=dict)

    def arguments(self, **changes: Any) -> list[str]:
        """The command line."""
        section = {
            "releases": ["R5"],
            "format": "bdf_mini",
            "folder": str(self.folder),
            "endpoint": self.store.url,
            **changes,
        }
        settings = json.dumps({"download": section, "tuh": self.tuh})
        return ["download", "--settings", settings, "--log", str(self.log)]

    def __call__(self, **changes: Any) -> int:
        """Run it in this process."""
        return main(self.arguments(**changes))

    @property
    def log(self) -> Path:
        """What became of each file."""
        return self.folder.with_suffix(".log")

    def outcomes(self) -> Counter[str]:
        """How many files met which fate."""
        return Counter(line.rpartition(" R5_")[0] for line in self.log.read_text().splitlines())

    def files(self) -> dict[str, bytes]:
        """What lies in the folder by its key on the server, hidden files left out."""
        return {
            f"NeurIPS25/{path.relative_to(self.folder)}": path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file() and not path.name.startswith(".")
        }


@pytest.fixture
def command(store: Store, tmp_path: Path) -> Command:
    """The command, which writes into an empty folder."""
    return Command(store, tmp_path / "hbn")
