"""GDF files: what their headers say of length, units and scales, none of which MNE looks at or keeps.

The layout is that of Schlögl, "GDF - A general dataformat for biosignals" (https://arxiv.org/abs/cs/0608052),
versions 1 and 2.
"""

import struct
from pathlib import Path

import mne

from cerebro.recordings.failures import BrokenRecording

_COUNT_AT, _FIXED_BYTES = 252, 256
_UNITS_AT = {1: 96, 2: 102}
"""Where units begin, in bytes per channel after the fixed part, by version: as text, or as codes."""
_CODES = {4256: "V", 4274: "mV", 4275: "uV"}
"""Voltages by their codes in ISO/IEEE 11073-10101."""


def refuse_short_gdf(path: Path, raw: mne.io.BaseRaw) -> None:
    """Refuse a file that holds fewer data records than its header promises, or channels without a scale.

    Raises
    ------
    BrokenRecording
        Naming both numbers.
    """
    layout = raw._raw_extras[0]  # MNE offers no other way to them
    held = (path.stat().st_size - layout["data_offset"]) // layout["bytes_tot"]
    if held < layout["n_records"]:
        raise BrokenRecording(
            f"truncated: its header promises {layout['n_records']} data records, the file holds {held}"
        )
    for name, *limits in zip(
        raw.ch_names,
        *(layout[f"{kind}_{end}"] for kind in ("physical", "digital") for end in ("min", "max")),
        strict=False,
    ):
        low, high, least, most = map(float, limits)
        if not (low != high and least < most):
            raise BrokenRecording(
                f"its header states physical limits of {low:g} and {high:g}, digital ones of {least:g} and "
                f"{most:g} for {name}"
            )


def gdf_rates(raw: mne.io.BaseRaw) -> dict[str, float]:
    """Sampling rate of each channel in Hz; MNE brings slower ones to the rate of the fastest."""
    layout = raw._raw_extras[0]
    length, of = layout["record_length"]
    return {
        name: float(samples) * float(of) / float(length)
        for name, samples in zip(raw.ch_names, layout["n_samps"], strict=False)
    }


def gdf_units(path: Path) -> list[str]:
    """Read the unit of each channel, as MNE scales it."""
    with path.open("rb") as stream:
        version = 1 if float(stream.read(8)[4:]) < 1.9 else 2
        stream.seek(_COUNT_AT)
        (count,) = struct.unpack("<I" if version == 1 else "<HH", stream.read(4))[:1]
        stream.seek(_FIXED_BYTES + _UNITS_AT[version] * count)
        if version == 2:
            codes = struct.unpack(f"<{count}H", stream.read(2 * count))
            return [_CODES.get(code, f"unit number {code}") for code in codes]
        texts = [stream.read(8).split(b"\x00")[0].decode("latin1").strip() for _ in range(count)]
    # MNE takes all but microvolts for volts.
    return ["uV" if text.startswith("uV") else f"{text} of GDF 1" if text != "V" else text for text in texts]
