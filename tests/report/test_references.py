"""A phase's metrics in the summary, beside what needs no training."""

from pathlib import Path

from cerebro.files import write_json
from cerebro.report.references import reference_table

METRICS = {
    "pretrain": {
        "val/masked_accuracy": 0.12,
        "val/masked_accuracy_no_knowledge": 0.01,
        "val/masked_accuracy_linear_space": 0.18,
        "val/masked_accuracy_linear_time": 0.02,
        "val/masked_accuracy_linear_both": 0.22,
        "val/loss": 4.0,
        "leak/hbn": 0.004,
        "reference_share/hbn": 0.005,
    },
    "contrast": {"val/movie/retrieval_top1": 0.4, "val/movie/retrieval_chance": 0.05, "train/loss": 1.0},
    "reaction_time": {"val/loss": 1.0},
}


def folders(path: Path, *names: str) -> list[Path]:
    for name in names:
        (path / name).mkdir()
        write_json(path / name / "metrics.json", METRICS[name])
    return [path / name for name in names]


def test_every_metric_that_has_a_reference_stands_beside_it(tmp_path):
    table = reference_table(folders(tmp_path, *METRICS))
    assert table.rows == [
        ["pretrain", "masked accuracy", "0.120", "0.010", "0.180", "0.020", "0.220"],
        ["contrast", "movie/retrieval top1", "0.400", "0.050", "-", "-", "-"],
    ]
    assert "pretrain, hbn: 0.004, of which the common reference 0.005" in table.notes[1]


def test_phases_without_references_have_no_table(tmp_path):
    assert reference_table(folders(tmp_path, "reaction_time")) is None
