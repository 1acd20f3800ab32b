"""Anonymous reading of a public S3 bucket: list, part size of an upload, content from a byte onwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath

import boto3
import botocore.exceptions
from botocore import UNSIGNED
from botocore.config import Config

from cerebro.download.sources import Source
from cerebro.errors import UserError

CHUNK = 1 << 20
"""Bytes read from the network at a time."""


class TransferError(Exception):
    """A request failed, or its answer broke off; another attempt may succeed."""


class RefusedError(Exception):
    """The server will not hand out this object, however often it is asked."""


@dataclass(frozen=True, kw_only=True)
class RemoteObject:
    """A file in a bucket."""

    key: str
    """Full name in the bucket."""
    path: PurePosixPath
    """Where it lies below the release's folder."""
    size: int
    """Bytes."""
    etag: str
    """The entity tag that names its content, unquoted."""


class Bucket:
    """One source's bucket.

    Parameters
    ----------
    source
        Which bucket, and the folder that holds the release.
    endpoint
        URL of another server that holds the bucket; None is Amazon's.
    connections
        Requests that may be under way at once.
    """

    def __init__(self, source: Source, *, endpoint: str | None, connections: int) -> None:
        self._source = source
        self._client = boto3.client(
            "s3",
            region_name=source.region,
            endpoint_url=endpoint,
            config=Config(
                signature_version=UNSIGNED,
                max_pool_connections=connections,
                connect_timeout=20,
                read_timeout=60,
                retries={"mode": "standard", "max_attempts": 5},
                # Whole files are checked here, by their entity tags: a part that continues another has no
                # checksum of its own.
                response_checksum_validation="when_required",
            ),
        )

    def objects(self) -> list[RemoteObject]:
        """List every file of the release.

        Raises
        ------
        UserError
            If the bucket can't be reached or listed, or holds nothing there.
        """
        pages = self._client.get_paginator("list_objects_v2")
        found = []
        try:
            for page in pages.paginate(Bucket=self._source.bucket, Prefix=self._source.prefix):
                for entry in page.get("Contents", ()):
                    path = PurePosixPath(entry["Key"].removeprefix(self._source.prefix))
                    # A name that ends in a slash is a folder made by a browser.
                    if entry["Key"].endswith("/") or path.is_absolute() or ".." in path.parts:
                        continue
                    etag = entry["ETag"].strip('"')
                    found.append(RemoteObject(key=entry["Key"], path=path, size=entry["Size"], etag=etag))
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            raise UserError(f"{self._source.url} can't be listed: {_reason(error)}") from error
        if not found:
            raise UserError(
                f"download.releases: {self._source.url} holds nothing; {self._source.release} may have "
                "moved, see docs/getting_data.md for other places"
            )
        return found

    def part_size(self, item: RemoteObject) -> int:
        """Return the size in bytes of an upload's first part; all but the last are of that size.

        Raises
        ------
        TransferError, RefusedError
            See :meth:`read`.
        """
        with _translated():
            answer = self._client.head_object(Bucket=self._source.bucket, Key=item.key, PartNumber=1)
            return int(answer["ContentLength"])

    def read(self, item: RemoteObject, start: int) -> Iterator[bytes]:
        """Yield the content from byte ``start`` on.

        The request is bound to the entity tag of the listing, so that pieces of two versions never mix.

        Raises
        ------
        TransferError
            If the connection fails, or the answer is shorter than promised.
        RefusedError
            If the object is gone, is closed to the public, or has changed since it was listed.
        """
        with _translated():
            answer = self._client.get_object(
                Bucket=self._source.bucket,
                Key=item.key,
                IfMatch=f'"{item.etag}"',
                **({"Range": f"bytes={start}-"} if start else {}),
            )
            if start and not answer.get("ContentRange", "").startswith(f"bytes {start}-"):
                raise RefusedError("the server did not send the part that was asked for")
            yield from answer["Body"].iter_chunks(CHUNK)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except botocore.exceptions.ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        if status == 412:
            raise RefusedError("it changed since it was listed; run the command again") from error
        kind = RefusedError if 400 <= status < 500 and status != 429 else TransferError
        raise kind(_reason(error)) from error
    except botocore.exceptions.BotoCoreError as error:
        raise TransferError(_reason(error)) from error


def _reason(error: Exception) -> str:
    if isinstance(error, botocore.exceptions.ClientError):
        fault = error.response.get("Error", {})
        return f"{fault.get('Code', 'error')} {fault.get('Message', '')}".strip()
    return " ".join(str(error).split()) or type(error).__name__
