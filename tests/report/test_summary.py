import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from cerebro.report.probes import probe_tables
from cerebro.report.scores import phase_score_table
from cerebro.report.summary import isc_table, phase_table, score_table, summarise
from cerebro.report.tables import as_markdown, print_tables


def _interval(value, low=None, high=None, **more):
    return {"value": value, "low": low, "high": high, **more}


NOTHING = _interval(None, p=None)
SCORE = {
    "challenge_1": {
        "unshrunk": {
            "nrmse": _interval(0.9123, 0.88, 0.94),
            "r": _interval(0.41, 0.3, 0.5),
            "r_within": _interval(0.21, 0.1, 0.3),
        },
        "nrmse": _interval(0.9312, 0.9011, 0.9634),
        "constant": False,
        "floors": {
            "training_mean": _interval(
                1.0021, 1.0003, 1.0102, difference=_interval(-0.0709, -0.1, -0.03, p=0.002)
            ),
            "age_sex": _interval(0.98, 0.95, 1.01, difference=_interval(-0.0488, -0.09, -0.001, p=0.06)),
        },
        "by_subject": {"nrmse": _interval(0.8431, 0.7, 0.95)},
        "n_windows": 240,
        "n_subjects": 10,
    },
    "challenge_2": {
        "nrmse": _interval(None),
        "constant": False,
        "floors": {"training_mean": _interval(None, difference=NOTHING)},
        "n_windows": 61,
        "n_subjects": 1,
        "reason": "the truth has no spread",
    },
    "overall": {
        "nrmse": _interval(None),
        "constant": False,
        "floors": {"training_mean": _interval(None, difference=NOTHING)},
        "reason": "a challenge has no score",
    },
    "submission": "0123456789abcdef",
}


def _probes(node, mae, accuracy):
    return {
        "node": node,
        "lineage": [],
        "targets": {
            "age": {
                "metrics": {
                    "mae": _interval(mae, mae - 0.5, mae + 0.5, floor=3.4, p=0.5 if mae > 2.9 else 0.001),
                    "r": _interval(0.4, 0.1, 0.6, floor=None, p=0.002),
                },
                "unit": "subject",
                "n_subjects": 12,
            },
            "eyes": {
                "metrics": {"balanced_accuracy": _interval(accuracy, 0.48, 0.9, floor=0.5, p=0.03)},
                "unit": "window",
                "n_subjects": 12,
            },
            "sex": {"not_measurable": "3 and 0 training subjects in the two classes"},
        },
    }


def _synchrony(top, p):
    return {
        "isc": {**_interval(0.12, 0.08, 0.15), "p": p},
        "retrieval_top1": _interval(top, top - 0.02, top + 0.02, chance=0.009, p=p),
        "median_rank": {"value": 13.0, "chance": 56.5},
    }


def _compared(node, **embeddings):
    """The file of an encoder whose validation split has too few subjects."""
    alone = {"not_measurable": "0 movie moments that two subjects saw; 2 are needed"}
    splits = {name: {"validation": alone, "test": test} for name, test in embeddings.items()}
    return {"node": node, "lineage": [], "embeddings": splits}


@pytest.fixture
def phases(tmp_path) -> list[Path]:
    """Two phases, the second of which never improved on its start."""
    folders = []
    for name, best, lineage in (
        ("pretrain", 2, ["pretrain"]),
        ("reaction_time", 0, ["pretrain", "reaction_time"]),
    ):
        folder = tmp_path / "phases" / name
        folder.mkdir(parents=True)
        (folder / "card.json").write_text(json.dumps({"kind": "finetune", "lineage": lineage}))
        (folder / "metrics.json").write_text(json.dumps({"kept_epoch": best, "val/loss": 0.5}))
        (folder / "history.csv").write_text("epoch,step,val/loss\n0,0,0.9\n1,5,0.7\n2,10,0.5\n")
        folders.append(folder)
    return folders


def _cells(table, first):
    return dict(zip(table.header, next(row for row in table.rows if row[0] == first), strict=True))


def test_scores_stand_beside_floors_and_differences():
    table = score_table(SCORE)
    assert _cells(table, "submission")["Challenge 1\nreaction time"] == "0.931\n[0.901, 0.963]"
    assert _cells(table, "age and sex")["Challenge 1\nreaction time"] == "0.980\n[0.950, 1.010]"
    assert _cells(table, "minus training mean")["Challenge 1\nreaction time"].startswith("-0.071*")
    assert "*" not in _cells(table, "minus age and sex")["Challenge 1\nreaction time"]
    by_subject = _cells(table, "submission, by subject")
    assert by_subject["Challenge 1\nreaction time"] == "0.843\n[0.700, 0.950]"
    assert by_subject["Overall\n0.3 and 0.7"] == "-"
    assert _cells(table, "subjects")["Challenge 2\nexternalizing"] == "1"


def test_what_heads_gave_stands_above_what_shrinkage_made_of_it():
    table = score_table(SCORE)
    shown = [(row[0], row[1].partition("\n")[0]) for row in table.rows[:4]]
    assert shown == [
        ("unshrunk", "0.912"),
        ("unshrunk, r", "0.410"),
        ("unshrunk, r within subject", "0.210"),
        ("submission", "0.931"),
    ]


def test_a_constant_is_called_so_and_not_compared_with_another_constant():
    first = SCORE["challenge_1"]
    mean, people = first["floors"]["training_mean"], first["floors"]["age_sex"]
    same = {**mean, "difference": _interval(0.0, 0.0, 0.0, p=1.0)}
    floors = {"training_mean": same, "age_sex": people}
    table = score_table({**SCORE, "challenge_1": {**first, "constant": True, "floors": floors}})
    column = "Challenge 1\nreaction time"
    assert _cells(table, "submission")[column] == "0.931\n[0.901, 0.963]\nconstant"
    assert _cells(table, "minus training mean")[column] == "constant"
    assert _cells(table, "minus age and sex")[column] == "-0.049\n[-0.090, -0.001]"


def test_no_difference_has_no_sign():
    first = SCORE["challenge_1"]
    nothing = {**first["floors"]["age_sex"], "difference": _interval(0.0, 0.0, 0.004, p=1.0)}
    floors = {**first["floors"], "age_sex": nothing}
    table = score_table({**SCORE, "challenge_1": {**first, "floors": floors}})
    assert _cells(table, "minus age and sex")["Challenge 1\nreaction time"] == "0.000\n[0.000, +0.004]"


def test_a_challenge_without_a_score_says_why():
    table = score_table(SCORE)
    assert _cells(table, "submission")["Challenge 2\nexternalizing"] == "-"
    assert "Challenge 2 has no score: the truth has no spread." in table.notes
    assert "Overall has no score: a challenge has no score." in table.notes


def test_probes_are_starred_where_they_beat_no_eeg_whichever_way_is_better():
    table, moments = probe_tables([_probes("random", 3.2, 0.6), _probes("contrast", 2.5, 0.8)])
    assert _cells(table, "random")["age\nMAE"] == "3.200\n[2.70, 3.70]"
    assert _cells(table, "contrast")["age\nMAE"] == "2.500*\n[2.00, 3.00]"
    assert "*" not in _cells(moments, "contrast")["eyes\nbal. acc."]
    assert _cells(table, "no EEG")["age\nMAE"] == "3.400"
    assert [name.partition("\n")[0] for name in table.header] == ["encoder", "age"]
    assert any("sex is not measurable: 3 and 0 training subjects" in note for note in table.notes)


def test_an_encoder_that_knows_people_and_not_what_they_do_is_warned_of():
    def content(node, identity, task):
        return {
            "node": node,
            "targets": {
                "identity": {
                    "unit": "window",
                    "metrics": {"accuracy": _interval(identity, 0.5, 1.0, floor=0.1, p=0.1)},
                },
                "load": {
                    "unit": "window",
                    "metrics": {"balanced_accuracy": _interval(task, 0.2, 0.9, floor=0.25, p=0.1)},
                },
            },
        }

    caps, brain, neither = content("caps", 0.9, 0.3), content("brain", 0.9, 0.8), content("none", 0.3, 0.3)
    (table,) = probe_tables([caps, brain, neither])
    (warning,) = [note for note in table.notes if note.startswith("Warning")]
    assert "caps (89%, and load 7%)" in warning
    assert "brain" not in warning
    assert "none" not in warning


def test_a_value_without_an_interval_is_explained():
    probes = _probes("random", 3.2, 0.6)
    probes["targets"]["age"]["metrics"]["mae"] |= {"low": None, "high": None, "p": None}
    table = probe_tables([probes])[0]
    assert _cells(table, "random")["age\nMAE"] == "3.200"
    assert any("too few subjects" in note for note in table.notes)
    assert not any(
        "too few subjects" in note for note in probe_tables([_probes("random", 3.2, 0.6)])[0].notes
    )


def test_comparisons_of_subjects_stand_beside_chance_and_are_starred_above_it():
    contrast = _compared("contrast", tokens=_synchrony(0.01, 0.2), projection=_synchrony(0.15, 0.0005))
    table = isc_table([_compared("signal", components=_synchrony(0.1, 0.0005)), contrast])
    assert [row[:2] for row in table.rows] == [
        ["signal", "components"],
        ["contrast", "tokens"],
        ["contrast", "projection"],
        ["chance", ""],
    ]
    tokens, projection, chance = table.rows[1:]
    assert projection[2:] == ["-", "0.150*\n[0.130, 0.170]", "13.0", "0.120*\n[0.080, 0.150]"]
    assert not any("*" in cell for cell in tokens)
    assert chance[2:] == ["-", "0.009", "56.5", "0.000"]
    assert sum("0 movie moments" in note for note in table.notes) == 1


def test_phases_show_their_course_and_what_never_improved(phases):
    table = phase_table(phases)
    assert table.rows[0] == ["pretrain", "finetune", "-", "2 of 2", "0.900", "0.500"]
    assert table.rows[1][2] == "pretrain"
    assert any(note.endswith("were kept: reaction_time.") for note in table.notes)


def test_the_summary_is_printed_and_written_with_encoders_in_the_order_of_phases(phases, tmp_path, capsys):
    (tmp_path / "score.json").write_text(json.dumps(SCORE))
    files = []
    for node in ("reaction_time", "pretrain", "random"):
        files.append(tmp_path / f"{node}.json")
        files[-1].write_text(json.dumps(_probes(node, 3.0, 0.6)))
    output = tmp_path / "summary.md"
    summarise(
        score=tmp_path / "score.json",
        scores=[],
        probes=files,
        isc=[],
        phases=phases,
        windows=None,
        output=output,
    )
    text = output.read_text()
    nodes = ("random", "pretrain", "reaction_time")
    rows = [line for line in text.splitlines() if line.startswith(tuple(f"| {node} " for node in nodes))]
    assert [row.split()[1] for row in rows] == [
        *nodes,  # the person
        *nodes,  # the moment
        *("pretrain", "reaction_time"),
    ]
    assert "| submission | 0.931 [0.901, 0.963] | - | - |" in text
    printed = capsys.readouterr().out
    assert "0.931" in printed
    assert "[0.901, 0.963]" in printed


@pytest.mark.parametrize("width", [80, 100])
def test_every_number_fits_a_terminal(width):
    stream = io.StringIO()
    compared = _compared("reaction_time", projection=_synchrony(0.15, 0.0005))
    tables = [score_table(SCORE), *probe_tables([_probes("reaction_time", 3.0, 0.6)]), isc_table([compared])]
    print_tables(tables, console=Console(file=stream, width=width))
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "[0.901, 0.963]" in stream.getvalue()
    assert "\N{HORIZONTAL ELLIPSIS}" not in stream.getvalue()


def test_an_ascii_terminal_gets_ascii():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_tables([score_table(SCORE)], console=Console(file=stream, width=100))
    stream.flush()
    assert b"submission" in stream.buffer.getvalue()


def test_markdown_escapes_what_it_would_take_for_markup():
    text = as_markdown([score_table(SCORE)])
    assert r"-0.071\*" in text
    lengths = {line.count(" | ") for line in text.splitlines() if line.startswith("|")}
    assert len(lengths) == 1


def _score_of(node, target, split="test", **metrics):
    return {
        "node": node,
        "target": target,
        "split": split,
        "metrics": metrics,
        "n_windows": 40,
        "n_subjects": 8,
    }


def test_a_study_without_a_submission_sums_up_what_each_phase_scores(phases, tmp_path):
    def metric(value, floor, difference, p):
        beside = _interval(floor, floor - 0.1, floor + 0.1, difference=_interval(difference, p=p))
        return _interval(value, value - 0.1, value + 0.1, floors={"training_mean": beside})

    files = []
    for number, content in enumerate(
        (
            _score_of("eyes", "eyes", balanced_accuracy=metric(0.8, 0.5, 0.3, 0.001)),
            _score_of("age", "age", nrmse=metric(0.9, 1.0, -0.1, 0.001), r=metric(0.4, 0.0, 0.4, 0.4)),
            _score_of("worse", "age", nrmse=metric(1.2, 1.0, 0.2, 0.001)),
        )
    ):
        files.append(tmp_path / f"{number}.json")
        files[-1].write_text(json.dumps(content))
    output = tmp_path / "summary.md"
    summarise(score=None, scores=files, probes=[], isc=[], phases=phases, windows=None, output=output)
    text = output.read_text()
    assert "Challenge" not in text
    assert "stimulus" not in text
    assert r"| eyes | eyes, bal. acc. | 0.800\* [0.700, 0.900] | 0.500 [0.400, 0.600] | 40 | 8 |" in text
    assert r"| age | age, NRMSE | 0.900\* [0.800, 1.000] |" in text
    assert "| age | age, r | 0.400 [0.300, 0.500] |" in text
    assert "| worse | age, NRMSE | 1.200 [1.100, 1.300] |" in text
    assert "| phase | label | score | training mean | windows | subjects |" in text


def test_scores_on_people_who_also_selected_say_so():
    table = phase_score_table([_score_of("eyes", "eyes", "validation", r=_interval(0.1))])
    assert "validation people, who also selected" in table.notes[0]
