"""Channels that are known by their labels to be no electrodes on a scalp: hearts, muscles, eyes, lamps.

They are left out without a word; what is neither such a channel nor an electrode was not understood, which
is reported. The names are those of the TUH corpus ("The TUH EEG Corpus: electrode location and channel
labels", Ferrell et al. 2020), of sleep laboratories, and of BioSemi's, Neuroscan's and EGI's recorders.
"""

import re

from cerebro.recordings.montages import bare_label

_BODY = (
    r"[ELR]?[CK]KG?|(ECG|EKG|EMG|GSR|EDA|SCR|PPG|BVP|RESP|PLETH?|TEMP|ERG|PULSE|HR|HEART|SPO2|SAO2|O2SAT|OSAT).*"
    r"|(SNORE|FLOW|AIRFLOW|NASAL|THOR|ABD|CHEST|CHIN|LEG|TIB|[LR]AT|[LR]LEG|POSITION|BODY)[ A-Z0-9_/+-]*"
)
_EYES = r"[HV]?EOG.*|[LR]EOG|HEO[LR]?|VEO[ULR]?|[LR][OU][CE]\d?|RLC|LLC|EYE.*|PUPIL.*|GAZE.*"
_AMPLIFIER = (
    r"\d+|DC\d*(-DC\d*)?|AUX.*|BIP\d*|EXG?\d+|EXG?|X\d+|MISC.*|REF\d?|GND|GROUND|CMS|DRL|STATUS|TRIG.*|STI.*"
    r"|EVENT.*|MARKERS?|.*ANNOTATIONS.*|PHOTIC.*|IBI|BURSTS?|SUPPR|COUNTER|BATTERY|(ACC|GYR|MAG).{0,6}"
)
# Sphenoidal, nasopharyngeal, true temporal and closely spaced electrodes of clinics: without a place in the
# 10-05 system.
_NO_PLACE = r"SP\d|PG\d|T[12]|[CFPO]\dP"

_OTHER = re.compile(rf"|{_BODY}|{_EYES}|{_AMPLIFIER}|{_NO_PLACE}")
_BIOSEMI = re.compile(r"STATUS|EXG?\d|GSR\d|ERG\d|RESP|PLET|TEMP", flags=re.IGNORECASE)


def is_other_channel(label: str) -> bool:
    """Whether a label is empty, a mere number, or the name of something that is measured beside EEG."""
    return _OTHER.fullmatch(bare_label(label)) is not None


def is_beside_biosemi(label: str) -> bool:
    """Whether a label is one that BioSemi's recorder gives to a channel that is no electrode."""
    return _BIOSEMI.fullmatch(label.strip()) is not None
