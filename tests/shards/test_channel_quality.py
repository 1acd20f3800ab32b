"""Bad channels are found in simulated recordings, whose faults are known, and in a real one."""

from pathlib import Path

import mne
import numpy as np
import pytest

from cerebro.config import Preprocessing, Quality
from cerebro.recordings.signals import open_raw
from cerebro.shards.channel_quality import RawFacts, bad_channels, join_facts, raw_facts
from cerebro.shards.preprocess import preprocess
from cerebro.simulation import timeline
from cerebro.simulation.head import NET, TEN_TWENTY, electrode_directions
from cerebro.simulation.recording import Amplifier, record
from cerebro.simulation.subjects import child_name, draw_child, draw_patient, patient_name, subject_rng

CLINICAL = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T7", "T8", "P7", "P8")
CLINICAL += ("A1", "A2", "Fz", "Cz", "Pz")


def child(index: int, *, sfreq: int, faulty: float = 0.0) -> tuple[np.ndarray, list[str]]:
    """A minute of rest as the HBN net records it, µV against Cz; the same one whatever is faulty in it."""
    subject = draw_child(0, child_name("R1", index))
    course = timeline.resting_state(cycles=1, rng=subject_rng(0, subject.name, "RestingState", "events"))
    net = electrode_directions(NET)
    amplifier = Amplifier(
        directions=net, reference=("Cz",), sfreq=sfreq, band_limited=sfreq == 100, faulty_channels=faulty
    )
    return record(subject, course, amplifier=amplifier, name="RestingState", seed=0), list(net)


def patient(index: int) -> tuple[np.ndarray, list[str]]:
    """Two minutes of a clinical recording, average reference."""
    subject = draw_patient(0, patient_name(index))
    course = timeline.clinical(seconds=120.0, rng=subject_rng(0, subject.name, "clinic"))
    cap = electrode_directions(TEN_TWENTY)
    amplifier = Amplifier(
        directions={name: cap[name] for name in CLINICAL},
        reference=CLINICAL,
        sfreq=250,
        band_limited=False,
        faulty_channels=0,
    )
    return record(subject, course, amplifier=amplifier, name="rest", seed=0), list(CLINICAL)


def judge(
    signal_uv: np.ndarray,
    names: list[str],
    *,
    sfreq: float,
    reference: str = "",
    settings: Quality | None = None,
) -> dict[str, str]:
    """Bad channels of a recording, as the shard step finds them."""
    raw = mne.io.RawArray(
        np.asarray(signal_uv, dtype=float) / 1e6, mne.create_info(names, sfreq, "eeg"), verbose="error"
    )
    return judge_raw(raw, reference=reference, filtered=sfreq == 100, settings=settings)


def judge_raw(
    raw: mne.io.BaseRaw, *, reference: str = "", filtered: bool = False, settings: Quality | None = None
) -> dict[str, str]:
    quality = settings or Quality()
    blocks: list[RawFacts] = []
    signal = preprocess(
        raw,
        Preprocessing(),
        filtered=filtered,
        inspect=lambda block: blocks.append(
            raw_facts(block.get_data() * 1e6, sfreq=block.info["sfreq"], settings=quality)
        ),
    )
    return bad_channels(
        signal,
        join_facts(blocks),
        names=raw.ch_names,
        reference=reference,
        sfreq=100,
        settings=quality,
    )


@pytest.fixture(scope="module")
def net() -> tuple[np.ndarray, list[str]]:
    """An original recording of HBN, without a fault."""
    return child(0, sfreq=500)


def test_sound_recordings_have_no_bad_channel_and_their_reference_is_none() -> None:
    for index in range(3):
        signal, names = child(index, sfreq=100)
        assert judge(signal, names, sfreq=100, reference="Cz") == {}
    for index in range(3):
        signal, names = patient(index)
        assert judge(signal, names, sfreq=250) == {}


def test_a_real_recording_has_no_bad_channel(real_recordings: Path) -> None:
    assert judge_raw(open_raw(real_recordings / "eeglab_data.set")) == {}


def test_what_the_simulation_broke_is_found_and_nothing_else() -> None:
    found: dict[str, list[bool]] = {"flat": [], "noisy": []}
    for index in range(6):
        sound, names = child(index, sfreq=100)
        broken, _ = child(index, sfreq=100, faulty=6)
        fault = np.abs(broken - sound)
        bad = judge(broken, names, sfreq=100, reference="Cz")
        for place, name in enumerate(names):
            if fault[place].mean() < 1e-3:
                assert name not in bad
            elif np.ptp(broken[place]) < 1:
                found["flat"].append(bad.get(name) == "flat")
            elif np.median(fault[place]) > 10:  # noise is there throughout, a pop is over after two seconds
                found["noisy"].append(bad.get(name) == "noisy")
    assert min(map(len, found.values())) >= 5
    for faults, right in found.items():
        assert all(right), faults


@pytest.mark.parametrize(("pops", "noisy"), [(12, True), (3, False)])
def test_a_channel_that_pops_is_noisy_where_it_does_so_often(
    net: tuple[np.ndarray, list[str]], pops: int, noisy: bool
) -> None:
    """Of a minute; what pops more rarely is left to the windows, which are judged one by one."""
    seed = 4
    random = np.random.default_rng(seed)
    signal, names = net[0].copy(), net[1]
    decay = 1500 * np.exp(-np.arange(500) / 250)
    for second in random.choice(58, pops, replace=False):
        start = second * 500 + random.integers(250)
        signal[30, start : start + 500] += decay * random.choice([-1, 1])
    bad = judge(signal, names, sfreq=500, reference="Cz")
    assert bad == ({"E31": "noisy"} if noisy else {}), f"seed {seed}"


@pytest.mark.parametrize("sfreq", [100, 500])
def test_a_dead_channel_is_flat_and_so_is_one_that_only_drifts(sfreq: int) -> None:
    signal, names = child(0, sfreq=sfreq)
    signal[3] = 0
    signal[7] = 42.0
    bad = judge(signal, names, sfreq=sfreq, reference="Cz")
    assert bad == {"E4": "flat", "E8": "flat"}


def test_a_channel_without_contact_for_some_seconds_drops_out(net: tuple[np.ndarray, list[str]]) -> None:
    signal, names = net[0].copy(), net[1]
    signal[10, 5000:7500] = signal[10, 5000]  # 5 s of 60
    assert judge(signal, names, sfreq=500, reference="Cz") == {"E11": "dropouts"}
    assert judge(signal, names, sfreq=500, reference="Cz", settings=Quality(max_dropouts=0.1)) == {}


def test_a_second_or_two_without_contact_condemn_no_channel_of_a_short_recording(
    net: tuple[np.ndarray, list[str]],
) -> None:
    signal, names = net[0].copy(), net[1]
    signal[10, 5000:6000] = signal[10, 5000]
    limit = signal[20].max() + 1
    signal[20, 9000:9450] = limit  # 0.9 s, more than 1 % of the samples
    assert judge(signal, names, sfreq=500, reference="Cz") == {}


@pytest.mark.parametrize("edge", ["start", "end"])
@pytest.mark.parametrize("steps", [1, 2])
def test_padding_at_a_files_edges_is_no_dropout(
    net: tuple[np.ndarray, list[str]], edge: str, steps: int
) -> None:
    """Some channels end before the others, at a held value, then at zero: as in real files."""
    signal, names = net[0].copy(), net[1]
    for channel in range(0, 60, 3):  # fewer than half: no pause of the whole amplifier
        length = 4000 + 25 * channel
        held = np.repeat(np.arange(steps)[::-1] * 7.0, -(-length // steps))[:length]
        signal[channel] = np.concatenate([signal[channel, :-length], held])
    if edge == "start":
        signal = signal[:, ::-1]
    assert "dropouts" not in judge(signal, names, sfreq=500, reference="Cz").values()


@pytest.mark.parametrize("seconds", [60, 180, 600])
def test_how_long_a_recording_is_does_not_decide_how_many_channels_are_bad(seconds: int) -> None:
    """Channels that lose 1 % of their seconds by chance are as many in short recordings as in long ones."""
    seed = 3
    random = np.random.default_rng(seed)
    n_chans = 400
    signal = random.normal(0, 20, (n_chans, 1)) + random.normal(0, 20, (n_chans, seconds * 20))
    lost = np.repeat(random.random((n_chans, seconds)) < 0.01, 20, axis=1)
    facts = raw_facts(np.where(lost, 0.0, signal), sfreq=20, settings=Quality())
    bad = bad_channels(
        signal,
        facts,
        names=[f"N{number}" for number in range(n_chans)],
        reference="",
        sfreq=20,
        settings=Quality(max_uncorrelated=1),
    )
    assert list(bad.values()).count("dropouts") <= 0.02 * n_chans, f"seed {seed}"


def test_a_pause_of_the_whole_amplifier_is_no_channels_fault(net: tuple[np.ndarray, list[str]]) -> None:
    signal, names = net[0].copy(), net[1]
    signal[:, :5000] = 0
    assert judge(signal, names, sfreq=500, reference="Cz") == {}


def test_a_channel_at_the_amplifiers_limit_is_clipped(net: tuple[np.ndarray, list[str]]) -> None:
    signal, names = net[0].copy(), net[1]
    limit = np.quantile(signal[20], 0.97)
    signal[20] = np.minimum(signal[20], limit)
    assert judge(signal, names, sfreq=500, reference="Cz") == {"E21": "clipped"}


def test_a_channel_beyond_the_stores_range_is_clipped(net: tuple[np.ndarray, list[str]]) -> None:
    signal, names = net[0].copy(), net[1]
    signal[20] += 8000 * np.sin(2 * np.pi * 2 * np.arange(signal.shape[1]) / 500)
    assert judge(signal, names, sfreq=500, reference="Cz") == {"E21": "clipped"}


def test_a_channel_of_noise_is_noisy_whatever_its_size(net: tuple[np.ndarray, list[str]]) -> None:
    random = np.random.default_rng(0)
    for size in (20, 60, 500):
        signal, names = net[0].copy(), net[1]
        # An electrode that touches nothing is measured against Cz too: the mean holds what is left of Cz.
        signal[30] = size * random.standard_normal(signal.shape[1]) + net[0].mean(axis=0)
        assert judge(signal, names, sfreq=500, reference="Cz") == {"E31": "noisy"}


def test_two_bridged_channels_of_outlying_size_are_noisy_although_they_agree(
    net: tuple[np.ndarray, list[str]],
) -> None:
    signal, names = net[0].copy(), net[1]
    common = 400 * np.cumsum(np.random.default_rng(0).standard_normal(signal.shape[1])) / np.sqrt(500)
    signal[[30, 36]] += common
    assert judge(signal, names, sfreq=500, reference="Cz") == {"E31": "noisy", "E37": "noisy"}


@pytest.mark.parametrize("mains", [50, 60])
def test_a_channel_that_hums_louder_than_its_eeg_is_named(
    net: tuple[np.ndarray, list[str]], mains: int
) -> None:
    signal, names = net[0].copy(), net[1]
    hum = np.sin(2 * np.pi * mains * np.arange(signal.shape[1]) / 500)
    everywhere = signal + 80 * hum  # all alike: no channel's fault
    assert judge(everywhere, names, sfreq=500, settings=Quality(mains_hz=mains)) == {}
    signal[40] += 300 * hum
    found = judge(signal, names, sfreq=500, reference="Cz", settings=Quality(mains_hz=mains))
    assert found["E41"] in ("line_noise", "noisy")
    assert set(found) == {"E41"}
    assert judge(net[0] + 0 * hum, names, sfreq=500, reference="Cz", settings=Quality(mains_hz=mains)) == {}


def test_hum_beyond_the_band_is_line_noise(net: tuple[np.ndarray, list[str]]) -> None:
    signal, names = net[0].copy(), net[1]
    signal[40] += 100 * np.sin(2 * np.pi * 60 * np.arange(signal.shape[1]) / 500)
    assert judge(signal, names, sfreq=500, reference="Cz") == {"E41": "line_noise"}


def test_an_archive_at_100_hz_cannot_show_60_hz() -> None:
    signal, names = child(1, sfreq=100)
    facts = raw_facts(signal, sfreq=100, settings=Quality())
    assert np.isnan(facts.hum_uv).all()
    assert np.isnan(facts.hum_db).all()
    assert facts.flat.shape == (len(names), signal.shape[1] // 100)


def test_hum_is_measured_in_microvolts_and_against_its_neighbourhood() -> None:
    times = np.arange(30 * 500) / 500
    noise = np.random.default_rng(7).normal(0, 10, (4, len(times)))
    quiet = raw_facts(noise, sfreq=500, settings=Quality())
    loud = raw_facts(noise + 10 * np.sin(2 * np.pi * 60 * times), sfreq=500, settings=Quality())
    assert (quiet.hum_db < 6).all()
    assert (loud.hum_db > 15).all()
    assert (quiet.hum_uv < 1.5).all()
    np.testing.assert_allclose(loud.hum_uv, 10 / np.sqrt(2), rtol=0.1)


def test_a_strong_alpha_rhythm_is_no_fault() -> None:
    signal, names = patient(3)
    times = np.arange(signal.shape[1]) / 250
    alpha = np.sin(2 * np.pi * 9.5 * times) * (1 + 0.5 * np.sin(2 * np.pi * 0.1 * times))
    for name, size in {"O1": 40, "O2": 40, "P3": 25, "P4": 25, "Pz": 25, "P7": 20, "P8": 20}.items():
        signal[names.index(name)] += size * alpha
    assert judge(signal, names, sfreq=250) == {}


def test_the_reference_may_be_flat_but_not_noisy(net: tuple[np.ndarray, list[str]]) -> None:
    signal, names = net[0].copy(), net[1]
    assert judge(signal, names, sfreq=500) == {"Cz": "flat"}
    signal[names.index("Cz")] = 200 * np.random.default_rng(0).standard_normal(signal.shape[1])
    assert judge(signal, names, sfreq=500, reference="Cz") == {"Cz": "noisy"}


def test_a_recording_in_which_nothing_moves_is_flat_in_all_channels() -> None:
    names = ["Cz", "O1", "O2"]
    assert judge(np.zeros((3, 1000)), names, sfreq=100) == dict.fromkeys(names, "flat")


@pytest.mark.parametrize("n_times", [1, 50, 120])
def test_recordings_of_a_second_or_less_are_judged_without_an_error(n_times: int) -> None:
    signal, names = child(0, sfreq=100)
    assert (
        "E1" not in judge(signal[:, 200 : 200 + n_times] + (n_times == 1), names, sfreq=100) or n_times == 1
    )


def test_two_electrodes_alone_cannot_tell_which_of_them_is_noisy() -> None:
    signal = np.random.default_rng(0).normal(0, 20, (2, 3000))
    assert judge(signal, ["Cz", "O1"], sfreq=100) == {}


def test_measures_do_not_depend_on_how_channels_are_blocked(
    net: tuple[np.ndarray, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    signal, names = net[0].copy(), net[1]
    signal[30] = 60 * np.random.default_rng(0).standard_normal(signal.shape[1])
    whole = judge(signal, names, sfreq=500, reference="Cz")
    monkeypatch.setattr("cerebro.shards.preprocess._BLOCK_BYTES", 10 * 8 * signal.shape[1])
    assert judge(signal, names, sfreq=500, reference="Cz") == whole == {"E31": "noisy"}
