"""Sidecars of two children that are nobody's, with the oddities of the real ones: written here, no signals.

Where a real archive is at hand, tests beside this folder read its own tables as well.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

SFREQ = 500
N_TRIALS = 6

Rows = list[tuple[float, str, object, str]]
"""Onset in s, value, code, and what stands in the column of the task (`n/a` where nothing)."""


def block(run: int, start: float) -> Rows:
    """One block of contrast change: six trials, of which four are answered and one of these wrongly."""
    rows: Rows = [(start, f"contrastChangeB{run}_start", 93 + run, "n/a")]
    first = start + 4.25
    for trial in range(N_TRIALS):
        onset = first + 5.5 * trial
        side, other = ("left", "right") if (trial + run) % 2 else ("right", "left")
        code = {"left": 12, "right": 13}
        rows.append((onset, "contrastTrial_start", 5, "n/a"))
        if trial == 1:  # nothing was shown
            continue
        rows.append((onset + 2.8, f"{side}_target", code[side] - 4, "n/a"))
        if trial == 2:  # too early, and again too late
            rows.append((onset + 1.1, f"{side}_buttonPress", code[side], "non_target"))
            rows.append((onset + 4.31, f"{side}_buttonPress", code[side], "smiley_face"))
            rows.append((onset + 4.75, f"{other}_buttonPress", code[other], "sad_face"))
        elif trial == 3:  # the press falls on the start of the next trial: it belongs to that one
            rows.append((onset + 5.5, f"{side}_buttonPress", code[side], "n/a"))
        elif trial == 4:
            rows.append((onset + 4.016, f"{other}_buttonPress", code[other], "sad_face"))
        else:
            rows.append(
                (onset + (2.93 if trial == 0 else 4.4), f"{side}_buttonPress", code[side], "smiley_face")
            )
    return sorted(rows, key=lambda row: row[0])


def movie(code: int, start: float, seconds: float) -> Rows:
    return [(start, "video_start", code, "n/a"), (start + seconds, "video_stop", code + 20, "n/a")]


def eyes(start: float, cycles: int, left_after: float) -> Rows:
    """Intervals of 20 and 40 s; the last open one has no end but a mark of the recorder."""
    rows: Rows = [(start, "resting_start", 90, "n/a")]
    onset = start + 31.5
    for _ in range(cycles):
        rows += [
            (onset, "instructed_toOpenEyes", 20, "n/a"),
            (onset + 20, "instructed_toCloseEyes", 30, "n/a"),
        ]
        onset += 60
    rows.append((onset, "instructed_toOpenEyes", 20, "n/a"))
    return [*rows, (onset + left_after, "break cnt", "break cnt", "n/a")]


def cut(session: Rows, start: float, stop: float) -> Rows:
    """The part of a session that a file holds, in the file's own time."""
    return [(round(onset - start, 3), *rest) for onset, *rest in session if start <= onset < stop]  # type: ignore[misc]


def write_events(
    folder: Path, name: str, rows: Rows, *, columns: Sequence[str] = (), seconds: float | None = None
) -> None:
    """Write `*_events.tsv`, and the header of a recording whose length is known."""
    path = folder / name.split("_")[0] / "eeg" / f"{name}_events.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(["onset", "duration", "sample", "value", "event_code", *columns])]
    for onset, value, code, special in sorted(rows, key=lambda row: row[0]):
        length = "2.4" if value == "stim_ON" else "n/a"
        sample = onset * SFREQ  # half of one where samples were cut out, between two
        # A file has the columns of its own task alone, whatever foreign events it holds.
        known = str(special).split("|") if special != "n/a" else ["n/a"] * len(columns)
        further = known if len(known) == len(columns) else ["n/a"] * len(columns)
        lines.append("\t".join([f"{onset:.12g}", length, f"{sample:.12g}", value, str(code), *further]))
    path.write_text("\n".join(lines) + "\n")
    if seconds is not None:
        header = path.with_name(f"{name}_eeg.json")
        header.write_text(json.dumps({"RecordingDuration": seconds, "SamplingFrequency": SFREQ}))


def surround(start: float, count: int) -> Rows:
    rows: Rows = [(start, "surroundSuppB1_start", 93, "n/a")]
    for number in range(count):
        onset = start + 2 + 3.7 * number
        condition = f"{number % 2}|{(0, 0.3, 0.6, 1)[number % 4]}|{1 + number % 3}"
        special = "n/a|n/a|n/a" if number == 5 else condition
        rows += [(onset, "stim_ON", 8, special), (onset + 2.6, "fixpoint_ON", 4, "n/a")]
    return rows


def learning(start: float, blocks: int, dots: int) -> Rows:
    rows: Rows = [(start, "seqLearning_start", 91, "n/a")]
    onset = start + 5
    for number in range(1, blocks + 1):
        rows.append((onset, f"learningBlock_{number}", 30 + number, "n/a"))
        for dot in range(1, dots + 1):
            onset += 1.9
            rows.append((onset, f"dot_no{dot}_ON", 10 + dot, "n/a"))
            right = "-".join(map(str, range(1, dots + 1)))
            given = right if number > 1 else "-".join(["9"] * 2 + [str(dot) for dot in range(3, dots + 1)])
            answer = f"{given}|{right}" if dot == dots else "n/a"
            rows.append((onset + 0.6, f"dot_no{dot}_OFF", 20 + dot, answer))
        onset += 6
    return [*rows, (onset, "seqLearning_stop", 50, "n/a")]


PARTICIPANTS = (
    "participant_id\trelease_number\tsex\tage\tehq_total\tp_factor\tattention\tinternalizing\texternalizing"
    "\tRestingState\tThePresent\n"
    "sub-ODD1\tR1\tF\t7.25\t80\t0.4\t-0.2\t0.9\t-0.6\tavailable\tcaution\n"
    "sub-ODD2\tR1\tM\t16.5\tn/a\tn/a\tn/a\tn/a\tn/a\tunavailable\tavailable\n"
)


@pytest.fixture(scope="session")
def small_sidecars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a release with two children."""
    root = tmp_path_factory.mktemp("small") / "R1"
    root.mkdir()
    (root / "participants.tsv").write_text(PARTICIPANTS)
    mark: Rows = [(0, "break cnt", "break cnt", "n/a")]

    # One session, out of which files were cut: that of run 2 goes on into block 3, which run 3 holds again.
    session = [*block(1, 10.0), *block(2, 100.0), *block(3, 200.0), *movie(83, 300.0, 170.55)]
    for run, start, stop in ((1, 3.0, 80.0), (2, 92.0, 260.0), (3, 195.0, 480.0)):
        name = f"sub-ODD1_task-contrastChangeDetection_run-{run}"
        write_events(root, name, cut(session, start, stop), columns=["feedback"], seconds=stop - start)
    write_events(root, "sub-ODD1_task-DespicableMe", cut(session, 297.0, 480.0), seconds=183.0)
    rest = eyes(2.0, 2, 4.4)
    foreign = learning(190.0, 1, 3)
    write_events(root, "sub-ODD1_task-RestingState", [*mark, *rest, *foreign], seconds=215.0)
    write_events(
        root,
        "sub-ODD1_task-surroundSupp_run-2",
        [*mark, *surround(5.0, 64), *movie(84, 260.0, 203.05)],
        columns=["background", "foreground_contrast", "stimulus_cond"],
        seconds=470.0,
    )
    write_events(
        root,
        "sub-ODD1_task-seqLearning6target",
        [(0, "n/a", 27, "n/a"), *learning(8.0, 5, 6), (140.301, "boundary", "boundary", "n/a")],
        columns=["user_answer", "correct_answer"],
        seconds=140.301,
    )
    answers = [("1", "1"), ("0", "0"), ("0", "1"), ("1", "1")]
    search: Rows = [(4.0, "symbolSearch_start", 92, "n/a"), (7.0, "newPage", 20, "n/a")]
    search += [
        (12.5 + 4.5 * n, "trialResponse", 14, f"{given}|{right}") for n, (given, right) in enumerate(answers)
    ]
    search += [(14.0, "dot_no3_ON", 13, "n/a"), (27.5, "trialResponse", 14, "n/a|n/a")]
    write_events(
        root, "sub-ODD1_task-symbolSearch", search, columns=["user_answer", "correct_answer"], seconds=60
    )

    # The other child: two movies, a movie without a stop, one paused, one with samples dropped, no answers.
    write_events(
        root,
        "sub-ODD2_task-DiaryOfAWimpyKid",
        [*movie(82, 2.0, 163.0), *movie(81, 180.0, 117.4)],
        seconds=310,
    )
    write_events(root, "sub-ODD2_task-FunwithFractals", [(1.5, "video_start", 82, "n/a")], seconds=140.0)
    write_events(root, "sub-ODD2_task-ThePresent", movie(84, 3.0, 261.0), seconds=300.0)
    gap: Rows = [(0, "9999", "9999", "n/a"), (50.001, "boundary", "boundary", "n/a")]
    foreign = [(60.0, "contrastTrial_start", 5, "n/a"), (62.0, "dot_no2_ON", 12, "n/a")]
    write_events(root, "sub-ODD2_task-DespicableMe", [*gap, *foreign, *movie(83, 1.25, 160.0)], seconds=170.0)
    # A block that was broken off and begun again is other EEG.
    again = [*cut(block(1, 0.0), 0.0, 20.0), *[(o + 60, *r) for o, *r in block(1, 0.0)]]
    write_events(root, "sub-ODD2_task-contrastChangeDetection_run-1", again, columns=["feedback"])  # type: ignore[arg-type]
    write_events(root, "sub-ODD2_task-seqLearning8target", learning(6.0, 5, 8), seconds=140.0)
    return root
