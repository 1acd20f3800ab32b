"""Settings of the data: archives, simulation, download, shards, windows, splits."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from cerebro.config.settings import Seed, Settings

_RELEASE = re.compile(r"\s*r(?:elease)?[\s_-]*0*(\d+)\s*", flags=re.IGNORECASE)


def _as_written(release: str) -> str:
    match = _RELEASE.fullmatch(release)
    if match and release != f"R{match[1]}":
        raise ValueError(f"'{release}' would match no release; HBN's are written R{match[1]}")
    return release


Release = Annotated[str, AfterValidator(_as_written)]
"""Name of a release: `R1` to `R11` of HBN, or as a reader of one's own calls it."""


class SimulatedRelease(Settings):
    """One simulated HBN release."""

    subjects: int = Field(gt=0)
    """Number of subjects."""
    format: Literal["bdf", "set"] = "bdf"
    """`bdf`: 100 Hz, 0.5 to 50 Hz, as the challenge ships it; `set`: 500 Hz EEGLAB, as OpenNeuro ships it."""


class Simulation(Settings):
    """The embedded raw data: how many subjects, which recordings, how long."""

    seed: Seed = 0
    """Seed of the whole population; subjects depend on it and on their own name only."""
    effects: Literal["published", "shifted", "null"] = "published"
    """`published`: as in the literature; `shifted`: other heads, noise and sizes within its ranges; `null`:
    nothing in the EEG depends on the subject's labels, behaviour, eyes or movies."""
    releases: dict[str, SimulatedRelease]
    """HBN releases by name (`R1`, `R5`, ...)."""
    tuh_subjects: int = Field(default=12, ge=0)
    """Number of TUH patients; 0 writes no TUH corpus."""
    tuab_subjects: int = Field(default=0, ge=0)
    """Number of TUAB patients, every second one abnormal, a third of them below `eval`; 0 writes no TUAB."""
    contrast_change_trials: int = Field(default=24, ge=3)
    """Trials in the contrast change detection run (24 in the real one)."""
    resting_cycles: int = Field(default=2, ge=1)
    """Cycles of 20 s eyes open and 40 s eyes closed (5.5 in the real recording)."""
    movies: tuple[Literal["DespicableMe", "DiaryOfAWimpyKid", "FunwithFractals", "ThePresent"], ...]
    """Movies watched by every HBN subject."""
    movie_seconds: float = Field(default=60.0, gt=4)
    """Seconds of each movie that are recorded; shorter than the movie means a recording without its stop."""
    tuh_seconds: float = Field(default=300.0, gt=4)
    """Length of a TUH recording in seconds."""


_VARIABLE = re.compile(r"\$(?:(?P<plain>\w+)|\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\})")


def _expanded(root: Path) -> Path:
    """Fill in variables as a shell does: ``$DATA``, ``${DATA}``, ``${DATA:-/data}``."""

    def value(found: re.Match[str]) -> str:
        name = found["plain"] or found["name"]
        if (given := os.environ.get(name) or found["default"]) is None:
            raise ValueError(f"{root}: the environment variable {name} is not set; export it")
        return given

    return Path(_VARIABLE.sub(value, str(root))).expanduser()


class Dataset(Settings):
    """One archive of raw recordings."""

    reader: str = Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")
    """Who understands the folders: `bids` (any BIDS dataset), `hbn`, `tuh`, `files` (any folder of EEG
    files), or the dotted name of a module of one's own."""
    roots: tuple[Annotated[Path, AfterValidator(_expanded)], ...] = ()
    """Folders to search; `~` and environment variables (`$DATA/rest`, `${DATA:-data}/rest`) are filled in.
    Empty takes the simulation's recordings of this dataset."""
    mains_hz: Literal[50, 60] | None = None
    """Frequency of the mains where the recordings were made; null is what a recording's sidecar says, else
    `quality.mains_hz`."""
    groups: int = Field(default=1, gt=0)
    """Number of subject groups, one sharding job and one shard each; about one per 100 subjects."""
    tasks: tuple[str, ...] = ()
    """Tasks to keep, by BIDS name; empty keeps all."""
    releases: tuple[Release, ...] = ()
    """Releases to keep (`R1`, ...); empty keeps all that lie below the roots."""
    keep: tuple[str, ...] = ()
    """The only subjects to take: names, or text files with one name a line (an entry with a `.` or a `/` is a
    file, `#` begins a comment); empty takes all."""
    exclude: tuple[str, ...] = ()
    """Subjects to leave out, as names or files like `keep`."""
    exclude_evaluation_of: tuple[Path, ...] = ()
    """Folders of TUAB or TUEV copies: patients found there below `eval` are left out of this dataset, so that
    nothing is pretrained on whom those benchmarks evaluate."""
    max_failed_share: float = Field(default=0.1, ge=0, le=1)
    """A step stops when more than one recording and more than this share of the dataset's is quarantined."""


class Download(Settings):
    """What `snakemake download` fetches: HBN-EEG from its public buckets. No other step reads it."""

    releases: tuple[str, ...] = Field(min_length=1)
    """HBN releases (`R1` to `R11`)."""
    format: Literal["bdf", "bdf_mini", "set"] = "bdf"
    """`bdf`: the challenge's copies, 100 Hz; `bdf_mini`: those of 20 subjects a release; `set`: OpenNeuro's
    originals, 500 Hz."""
    folder: Path
    """Where the releases go, each in a folder of its own (`R5_L100_bdf`, `ds005509`)."""
    tasks: tuple[str, ...] = ()
    """Tasks to fetch, by BIDS name; empty fetches all."""
    subjects: Annotated[int, Field(gt=0)] | tuple[str, ...] = ()
    """Subjects to fetch, with or without `sub-`; a number takes that many of each release, the first by name;
    empty fetches all."""
    connections: int = Field(default=8, gt=0)
    """Files fetched side by side."""
    endpoint: str | None = None
    """URL of an S3 server that holds a copy of the buckets; null is Amazon's."""


class Preprocessing(Settings):
    """From raw samples to shards, whose rate is always 100 Hz: patches, bands and the challenge are of it."""

    band: tuple[float, float] = (0.5, 50.0)
    """Band-pass in Hz, its upper edge at most 50; recordings that the archive already band-passed are not
    filtered again."""

    @field_validator("band")
    @classmethod
    def _passes(cls, band: tuple[float, float]) -> tuple[float, float]:
        """MNE takes edges in the other order for a band to stop."""
        low, high = band
        if not 0 < low < high <= 50:
            raise ValueError(f"[{low:g}, {high:g}] is no band of signals at 100 Hz; 0 < low < high <= 50 is")
        return band


class Quality(Settings):
    """When a channel of a recording is bad; see docs/quality.md for the sources. The shards' tables name bad
    channels; their signals are stored as recorded."""

    flat_uv: float = Field(default=1.0, gt=0)
    """A second in which a channel moves less than this (µV, peak to peak) is flat; a channel that is flat in
    more than half of the recording is bad."""
    max_dropouts: float = Field(default=0.01, ge=0, le=1)
    """Share of flat seconds above which a channel is bad, by more than chance gives in as many seconds; those
    at the file's start and end are padding and do not count."""
    max_clipped: float = Field(default=0.01, ge=0, le=1)
    """Share of samples at the amplifier's limits, or beyond the store's, above which a channel is bad, where
    more of its seconds than chance gives at this share hold such samples."""
    noisy_deviations: float = Field(default=5.0, gt=0)
    """Robust deviations of log amplitude above the other channels that make a channel bad."""
    min_correlation: float = Field(default=0.4, gt=-1, lt=1)
    """A second in which a channel correlates less with what the others predict for it is uncorrelated."""
    max_uncorrelated: float = Field(default=0.05, ge=0, le=1)
    """Share of uncorrelated seconds above which a channel is bad, by more than chance gives in as many
    seconds."""
    mains_hz: Literal[50, 60] = 60
    """Frequency of the mains where neither the dataset's `mains_hz` nor a recording's sidecar says it."""
    line_noise_deviations: float = Field(default=4.0, gt=0)
    """Robust deviations of log hum above the other channels that make a channel bad, if its hum also exceeds
    its EEG."""


class Windows(Settings):
    """The window index: which windows are candidates and which are kept."""

    seconds: float = Field(default=2.0, gt=0)
    """Length of every window for which no label says another, in seconds."""
    stride_seconds: float = Field(default=2.0, gt=0)
    """Distance between windows of kind `fixed` in seconds."""
    max_peak_to_peak: float = Field(default=800.0, gt=0)
    """Windows whose median channel exceeds this peak-to-peak amplitude (µV) are dropped from training."""
    max_bad_channels: float = Field(default=0.3, ge=0, le=1)
    """Windows with a larger share of flat or outlying channels are dropped from training."""
    crops: tuple[str, ...] = ()
    """Tasks from whose recordings Challenge 2's crops are drawn, windows of kind `crop`; empty draws none."""


class People(Settings):
    """Some of the people, by what is known before anything is trained; exactly one of its keys is given."""

    share: float | None = Field(default=None, gt=0, lt=1)
    """This share of each dataset's people, at least one and never all."""
    seed: Seed = 0
    """Which ones, where a share says how many."""
    subjects: tuple[str, ...] = ()
    """Their names, or text files with one name a line, as `datasets.*.keep`."""
    releases: tuple[Release, ...] = ()
    """Whoever has a recording in one of these releases."""
    folders: tuple[str, ...] = ()
    """Whoever has a recording in a folder of one of these names, as `eval` in TUAB."""
    column: str | None = None
    """A column of the table of participants, as `site`, whose `values` say who."""
    values: tuple[str, ...] = ()
    """Values of that column."""

    @model_validator(mode="after")
    def _one_way(self) -> "People":
        given = [key for key in ("share", "subjects", "releases", "folders", "column") if getattr(self, key)]
        if len(given) != 1:
            raise ValueError(
                "give one of share, subjects, releases, folders and column"
                + (f", not {' and '.join(given)}" if given else "")
            )
        if bool(self.column) != bool(self.values):
            raise ValueError("column and values go together")
        if self.seed and self.share is None:
            raise ValueError("seed is for share")
        return self


class Splits(Settings):
    """Who trains, who selects, who is scored: a person stands on one side with all recordings."""

    test: People | None = People(share=0.2)
    """Who is only ever scored; null scores nobody."""
    validation: People = People(share=0.2)
    """Who of the others is held out to select and stop."""
    together: str | None = None
    """A column of the table of participants whose values, such as a family's, keep people on one side."""
    excluded_subjects: tuple[str, ...] = ()
    """People left out altogether."""
