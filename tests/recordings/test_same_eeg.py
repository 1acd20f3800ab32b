import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cerebro.recordings.events import complete_events, read_events
from cerebro.recordings.hbn_contrast_change import contrast_change_trials, runs_within
from cerebro.recordings.same_eeg import Copy, Timed, find_copies

RUN_2_WITH_BLOCK_3 = re.findall(
    r"\w+",
    """
AM704GKZ AN385MDH AP359UM6 BD879MBX BH024NH2 BK082PDD BM173BJG CJ594BWQ DH670PXH DU986RBM EN519BLJ GB441VVD
GU729WUR GX001CB1 HR443EHF HR753ZKU HY177LY9 JK910PDK JY033DKZ KA627LF8 KD134TCX KU278YRR LH979WFX LL720BGU
LY585ZVN MU053YEU NZ615UEU PL306LC6 RP818DWL TE785ZMJ TJ032FJ2 TN158LRF TX659HAF UX216VHK VX337AC0 WR732NZE
WV405ZW0 WZ495PG4 XG469XGP XU253JHC XY162ERA YZ770NA1 ZC499NVX ZH761YA7 ZJ016GL0 ZV608BL8
""",
)
RUN_1_WITH_BLOCK_2 = re.findall(
    r"\w+",
    """
CW071AU5 CW094JCG CZ947WU5 EN519BLJ GX001CB1 KD134TCX LH979WFX PU897CM5 RF897HB5 TF133LLM UT607MWK WA622HHZ
YL758JGG ZN277NR6
""",
)
BROKEN_OFF = ["EN519BLJ", "KD134TCX"]
"""Their run 1 holds an attempt at block 2 that was broken off after 17 and 18 trials; run 2 holds another."""


def recordings_of(folder: Path) -> list[Timed]:
    found = []
    for path in sorted(folder.glob("eeg/*_events.tsv")):
        events, header = read_events(path), path.with_name(path.name.replace("_events.tsv", "_eeg.json"))
        # Without a header: files end half a second after their last event, or with it.
        known = json.loads(header.read_text())["RecordingDuration"] if header.exists() else None
        name = re.sub(r"sub-\w+?_task-(\w+?)(?:_run-(\d))?_events.tsv", r"\1 \2", path.name).strip()
        found.append(Timed(name=name, events=events, duration=known or events["onset"].max() + 0.5))
    return found


@pytest.fixture(scope="module")
def copies(sidecars: Path) -> dict[str, list[Copy]]:
    """All copies in the real sidecars, by subject."""
    return {
        folder.name.removeprefix("sub-NDAR"): find_copies(recordings_of(folder))
        for folder in sorted(sidecars.glob("sub-*"))
    }


def test_the_real_files_that_also_hold_another_runs_block_are_these(sidecars: Path) -> None:
    found: dict[str, list[str]] = {"1": [], "2": [], "3": []}
    for path in sorted(sidecars.glob("sub-*/eeg/*contrastChangeDetection_run-*_events.tsv")):
        run = path.name.split("run-")[1][0]
        if runs_within(read_events(path)) != [run]:
            found[run].append(path.name.split("_")[0].removeprefix("sub-NDAR"))
    assert len(RUN_2_WITH_BLOCK_3) == 46
    assert len(RUN_1_WITH_BLOCK_2) == 14
    assert found == {"1": RUN_1_WITH_BLOCK_2, "2": RUN_2_WITH_BLOCK_3, "3": []}


def test_the_same_eeg_is_found_in_every_such_file_but_two_whose_block_was_broken_off(
    copies: dict[str, list[Copy]],
) -> None:
    task = "contrastChangeDetection"
    pairs = {
        kept: sorted(s for s, found in copies.items() for copy in found if copy.kept_in == f"{task} {kept}")
        for kept in "123"
    }
    assert pairs["1"] == []
    assert pairs["2"] == sorted(set(RUN_1_WITH_BLOCK_2) - set(BROKEN_OFF))
    assert pairs["3"] == RUN_2_WITH_BLOCK_3


def test_both_copies_hold_the_same_trials_and_what_stays_is_the_own_block(
    sidecars: Path, copies: dict[str, list[Copy]]
) -> None:
    compared = 0
    for subject, found in copies.items():
        events = {timed.name: timed.events for timed in recordings_of(sidecars / f"sub-NDAR{subject}")}
        for copy in found:
            own, kept = (contrast_change_trials(events[name]) for name in (copy.recording, copy.kept_in))
            if own.empty or kept.empty:
                continue
            twice = own[own["trial_start_onset"].between(copy.start - 0.001, copy.stop)]
            once = kept[kept["trial_start_onset"] <= copy.stop - copy.start]
            # The last trial of a file has no end: it may be one in the other file only.
            both = min(len(twice), len(once))
            assert both >= max(len(twice), len(once)) - 1 > 10
            twice, once = twice[:both], once[:both]
            np.testing.assert_allclose(
                twice["trial_start_onset"] - copy.start, once["trial_start_onset"], atol=1e-3
            )
            np.testing.assert_allclose(twice["rt_from_stimulus"], once["rt_from_stimulus"], atol=1e-9)
            compared += 1
            remaining = runs_within(events[copy.recording].query("onset < @copy.start"))
            own_run = copy.recording[-1]
            # Before the common stretch some files hold an attempt at its block that was broken off.
            assert remaining == [own_run] or (subject, remaining) in [
                ("GX001CB1", ["1", "2"]),
                ("ZC499NVX", ["2", "3"]),
            ]
    assert compared == 58


def test_movies_at_the_end_of_another_tasks_file_are_the_same_eeg_as_their_own_file(
    copies: dict[str, list[Copy]], sidecars: Path
) -> None:
    movies = Counter(
        (copy.recording, copy.kept_in)
        for found in copies.values()
        for copy in found
        if not copy.kept_in.startswith("contrastChange")
    )
    assert movies == {
        ("surroundSupp 2", "ThePresent"): 10,
        ("surroundSupp 1", "DespicableMe"): 1,
        ("contrastChangeDetection 1", "FunwithFractals"): 5,
        ("contrastChangeDetection 2", "DespicableMe"): 6,
        ("contrastChangeDetection 2", "DiaryOfAWimpyKid"): 1,
    }
    for subject, found in copies.items():
        duration = {timed.name: timed.duration for timed in recordings_of(sidecars / f"sub-NDAR{subject}")}
        for copy in found:
            if copy.kept_in in ("ThePresent", "FunwithFractals"):
                # The movie's file is the end of the other one, to the sample.
                assert copy.stop == pytest.approx(duration[copy.recording], abs=1e-3)
                assert copy.stop - copy.start == pytest.approx(duration[copy.kept_in], abs=1e-3)


def test_a_restarted_task_is_not_the_same_eeg(sidecars: Path) -> None:
    # The resting state's file holds the first block of sequence learning, which then began anew.
    recordings = [
        timed
        for timed in recordings_of(sidecars / "sub-NDARAC904DMU")
        if timed.name in ("RestingState", "seqLearning8target")
    ]
    assert len(recordings) == 2
    assert "seqLearning_start" in set(recordings[0].events["value"])
    assert find_copies(recordings) == []


def session(*bounds: tuple[str, float, float]) -> list[Timed]:
    """Files cut out of one session of 600 s, with a movie, three blocks and 20 presses each."""
    rng = np.random.default_rng(0)
    rows = [(10.0, "video_start", "81"), (127.396, "video_stop", "101")]
    for block, start in ((1, 150.0), (2, 300.0), (3, 450.0)):
        rows.append((start, f"contrastChangeB{block}_start", str(93 + block)))
        rows += [(start + t, "left_buttonPress", "12") for t in np.round(rng.uniform(2, 130, 20) * 500) / 500]
    whole = pd.DataFrame(sorted(rows), columns=["onset", "value", "code"])
    files = []
    for name, start, stop in bounds:
        part = whole[whole["onset"].between(start, stop)].copy()
        part["onset"] = (part["onset"] - start).round(3)
        files.append(Timed(name=name, events=complete_events(part, source=name), duration=stop - start))
    return files


def kept_seconds(files: list[Timed], starts: dict[str, float], found: list[Copy]) -> np.ndarray:
    """How many files keep each second of the session."""
    kept = np.zeros(600, dtype=int)
    for timed in files:
        seconds = np.arange(600) + 0.5 - starts[timed.name]
        holds = (seconds > 0) & (seconds < timed.duration)
        for copy in found:
            if copy.recording == timed.name:
                holds &= ~((seconds > copy.start) & (seconds < copy.stop))
        kept += holds
    return kept


def test_every_moment_is_kept_exactly_once_however_many_files_hold_it() -> None:
    bounds = [("a", 0, 600), ("b", 140, 600), ("c", 140, 430), ("d", 295, 600), ("e", 440, 590)]
    for order in (bounds, bounds[::-1], bounds[2:] + bounds[:2]):
        files = session(*order)
        found = find_copies(files)
        assert len(found) == 9  # c and e share nothing
        np.testing.assert_array_equal(kept_seconds(files, {n: s for n, s, _ in bounds}, found), 1)


def test_one_event_that_lies_elsewhere_disproves_the_common_stretch() -> None:
    a, b = session(("a", 0, 300), ("b", 140, 500))
    assert find_copies([a, b]) == [Copy(recording="a", start=140.0, stop=300.0, kept_in="b")]
    moved = b.events.copy()
    moved.loc[5, "onset"] += 0.004
    assert find_copies([a, Timed(name="b", events=moved, duration=b.duration)]) == []


def test_one_equal_opening_alone_is_no_proof() -> None:
    start = pd.DataFrame({"onset": [2.0], "value": ["resting_start"], "code": ["90"]})
    files = [
        Timed(name=name, duration=60.0, events=complete_events(start, source=name)) for name in ("a", "b")
    ]
    assert find_copies(files) == []
