"""What becomes of bad channels: masked or interpolated, never silently kept."""

from collections.abc import Iterable, Sequence

import mne
import numpy as np

from cerebro.config import Quality
from cerebro.recordings.montages import positions

_HEAD_RADIUS = 0.095  # m; MNE's own default head. Only directions matter to spherical splines.


def repair(
    signal_uv: np.ndarray, *, names: Sequence[str], bad: Iterable[str], settings: Quality
) -> tuple[np.ndarray, str]:
    """Mask or interpolate bad channels.

    Interpolation is MNE's, by spherical splines (Perrin et al. 1989,
    https://doi.org/10.1016/0013-4694(89)90180-6), from the good channels, the recording's reference included:
    its zeros are what the others are measured against.

    Parameters
    ----------
    signal_uv
        float32, shape (n_chans, n_times), µV; not changed.
    names
        Canonical names of the channels.
    bad
        Those that are bad.
    settings
        ``bad_channels`` and ``max_interpolated``: where more than this share is bad, all of them are masked.

    Returns
    -------
    signal : numpy.ndarray
        float32, the same shape; masked channels are zero.
    repair : str
        ``mask`` or ``interpolate``: what was done, or would have been if any channel were bad.
    """
    wanted = set(bad)
    broken = [index for index, name in enumerate(names) if name in wanted]
    done = settings.bad_channels if len(broken) <= settings.max_interpolated * len(names) else "mask"
    if not broken:
        return signal_uv, done
    repaired = signal_uv.copy()
    if done == "mask":
        repaired[broken] = 0
    else:
        repaired[broken] = _interpolated(signal_uv, names, broken)
    return repaired, done


def _interpolated(signal_uv: np.ndarray, names: Sequence[str], broken: list[int]) -> np.ndarray:
    info = mne.create_info(list(names), sfreq=1.0, ch_types="eeg")  # the rate plays no role
    raw = mne.io.RawArray(signal_uv.astype(np.float64), info, verbose="error")
    places = dict(zip(names, _HEAD_RADIUS * positions(names).astype(np.float64), strict=True))
    raw.set_montage(mne.channels.make_dig_montage(places, coord_frame="head"), verbose="error")
    raw.info["bads"] = [names[index] for index in broken]
    raw.interpolate_bads(reset_bads=True, origin=(0.0, 0.0, 0.0), method={"eeg": "spline"}, verbose="error")
    return raw.get_data(picks=broken).astype(np.float32)
