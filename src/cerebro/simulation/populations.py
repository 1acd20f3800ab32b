"""Populations that differ in their effects: the published one, one that is shifted, one without any.

A table of ablations that holds on one simulated population may hold because of its constants. `shifted` asks
the same questions of people whose effects and noise lie elsewhere in the published ranges; `null` asks
whether anything looks like success where the EEG knows nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cerebro.simulation import effects


@dataclass(frozen=True)
class Effects:
    """What may differ between populations, in the units of :mod:`cerebro.simulation.effects`.

    The defaults are its constants, where their sources stand; what is not here is the same in all.
    """

    coupled: bool = True
    """Whether a recording shows the subject it is of and what happens in it. Otherwise it shows another
    person of the same population at rest, with labels, behaviour and events of the subject beside it."""
    alpha_uv: float = effects.ALPHA_UV
    alpha_hz_sd: float = effects.ALPHA_HZ_SD
    alpha_eyes_open: float = effects.ALPHA_EYES_OPEN
    exponent_per_year: float = effects.EXPONENT_PER_YEAR
    background_uv_at_10: float = effects.BACKGROUND_UV_AT_10
    mu_uv: float = effects.MU_UV
    beta_uv: float = effects.BETA_UV
    beta_female: float = effects.BETA_FEMALE
    erd_contralateral: float = effects.ERD_CONTRALATERAL
    erd_ipsilateral: float = effects.ERD_IPSILATERAL
    rebound_at_10: float = effects.REBOUND_AT_10
    cpp_uv_at_10: float = effects.CPP_UV_AT_10
    film_uv_at_10: float = effects.FILM_UV_AT_10
    blink_uv: float = effects.BLINK_UV
    muscle_uv: float = effects.MUSCLE_UV
    sensor_noise_uv: float = effects.SENSOR_NOISE_UV
    faulty_channels: float = effects.FAULTY_CHANNELS
    head_radius_sd: float = effects.HEAD_RADIUS_SD
    source_jitter_deg: float = effects.SOURCE_JITTER_DEG


PUBLISHED = Effects()

SHIFTED = Effects(
    # Away from the favourable ends, still within the ranges of the sources named beside the constants.
    alpha_uv=14.0,
    alpha_hz_sd=0.82,  # the largest of the age groups of HBN; the smallest is .72
    alpha_eyes_open=0.6,
    exponent_per_year=-0.028,
    background_uv_at_10=12.5,
    mu_uv=5.5,
    beta_uv=3.0,
    beta_female=1.15,
    erd_contralateral=0.5,
    erd_ipsilateral=0.3,
    rebound_at_10=0.5,
    cpp_uv_at_10=17.0,
    film_uv_at_10=5.0,
    blink_uv=150.0,
    muscle_uv=30.0,
    sensor_noise_uv=1.6,
    faulty_channels=3.0,
    head_radius_sd=0.0028,
    source_jitter_deg=7.0,
)

NULL = Effects(coupled=False)

POPULATIONS: Mapping[str, Effects] = {"published": PUBLISHED, "shifted": SHIFTED, "null": NULL}
"""By their name in the configuration."""
