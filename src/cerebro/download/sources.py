"""Where HBN's releases lie: the buckets, the folders in them, and what these folders are called here."""

from dataclasses import dataclass

from cerebro.config import Download
from cerebro.errors import UserError
from cerebro.recordings.releases import ACCESSIONS

LICENCE = (
    "the TUH EEG corpus can't be fetched by `download`, since it needs a licence (free, from Temple "
    "University); docs/getting_data.md says how to get it and where to put it"
)
"""What to say where TUH is wanted and absent."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One release in one format."""

    release: str
    """`R1` to `R11`."""
    bucket: str
    """Name of the public bucket."""
    prefix: str
    """Folder within the bucket, with its closing slash; below it lies a BIDS dataset."""
    region: str
    """The bucket's region; Amazon redirects where it has moved."""

    @property
    def folder(self) -> str:
        """Name of the local folder, by which the HBN reader knows the release."""
        return self.prefix.rstrip("/").rpartition("/")[2]

    @property
    def url(self) -> str:
        """The place in full, for messages."""
        return f"s3://{self.bucket}/{self.prefix}"


def sources(settings: Download) -> list[Source]:
    """Return the releases to fetch, in the order in which they are named, each once.

    Originals lie on OpenNeuro (https://docs.openneuro.org, `s3://openneuro.org/ds005505`). The challenge's
    copies lie under `s3://nmdatasets/NeurIPS25/` as `R<n>_L100_bdf` and `R<n>_mini_L100_bdf`
    (https://eeg2025.github.io/data; eegdash's ``EEGChallengeDataset`` reads the same places).

    Raises
    ------
    UserError
        If there is no such release.
    """
    return [_source(release, settings.format) for release in dict.fromkeys(settings.releases)]


def _source(release: str, kind: str) -> Source:
    if release not in ACCESSIONS:
        known = f"{next(iter(ACCESSIONS))} to {list(ACCESSIONS)[-1]}"
        raise UserError(f"download.releases: HBN has no public release '{release}'; there are {known}")
    if kind == "set":
        bucket, prefix, region = "openneuro.org", f"{ACCESSIONS[release]}/", "us-east-1"
    else:
        name = f"{release}_mini_L100_bdf" if kind == "bdf_mini" else f"{release}_L100_bdf"
        bucket, prefix, region = "nmdatasets", f"NeurIPS25/{name}/", "us-east-2"
    return Source(release=release, bucket=bucket, prefix=prefix, region=region)
