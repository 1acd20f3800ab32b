"""Whether a file holds what its S3 entity tag says.

The tag of an object uploaded in one request is the MD5 of its content; that of an upload in N parts is the
MD5 of the parts' MD5s, followed by `-N`
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html). Both hold for
buckets that are not encrypted with keys of their owner, which no anonymous reader could read anyway.
"""

import hashlib
import re
from pathlib import Path
from typing import BinaryIO

_TAG = re.compile(r"[0-9a-f]{32}(?:-(?P<parts>\d+))?")
_BLOCK = 1 << 20


def parts_of(etag: str) -> int | None:
    """Return in how many parts the object was uploaded; 0 for one request, None if the tag is no checksum."""
    match = _TAG.fullmatch(etag)
    return None if match is None else int(match["parts"] or 0)


def plausible(part_size: int, *, size: int, parts: int) -> bool:
    """Whether parts of this many bytes, the last one shorter, make up the object."""
    return part_size > 0 and -(-size // part_size) == parts


def etag_of(path: Path, part_size: int | None) -> str:
    """Compute the entity tag of a local file.

    Parameters
    ----------
    path
        The file.
    part_size
        Bytes of each part of the upload but the last; None for an upload in one request.
    """
    with path.open("rb") as stream:
        if part_size is None:
            return hashlib.file_digest(stream, "md5").hexdigest()
        digests = []
        while digest := _part(stream, part_size):
            digests.append(digest)
    return f"{hashlib.md5(b''.join(digests)).hexdigest()}-{len(digests)}"


def _part(stream: BinaryIO, size: int) -> bytes:
    digest = hashlib.md5()
    left = size
    while left and (block := stream.read(min(_BLOCK, left))):
        digest.update(block)
        left -= len(block)
    return digest.digest() if left < size else b""
