"""What was left out of a study stands in its report: recordings and windows apart, each under its reason."""

import pandas as pd

from cerebro.report.recordings import recording_tables
from cerebro.shards.counts import Counts


def content() -> dict:
    counts = Counts()
    counts.recordings["hbn", "train", "indexed"] = 1200
    counts.recordings["hbn", "train", "quarantined"] = 2
    counts.recordings["hbn", "test", "indexed"] = 7
    counts.unused["hbn", "quarantined", "truncated"] = 3
    counts.unused["hbn", "missing", "not downloaded"] = 40
    counts.unused["tuh", "excluded", "subject excluded by datasets.tuh.exclude"] = 5
    counts.failures["hbn"] = ["samples that are not finite in Cz", "truncated: a.fdt holds fewer samples"]
    counts.notes["trials without a target"] = 4
    counts.notes["movies without a stop"] = 0
    reasons = ["", "", "", "max_peak_to_peak", "same EEG as run 3"]
    counts.add(
        pd.DataFrame(
            {"dataset": "hbn", "kind": "fixed", "split": ["train", "train", "test", "train", "train"]}
        ).assign(reason=reasons)
    )
    return counts.as_json()


def test_recordings_and_windows_are_counted_by_dataset_and_split() -> None:
    table, _ = recording_tables(content())
    assert table.header == ["dataset", "split", "recordings", "windows", "kept"]
    assert table.rows == [["hbn", "train", "1,200", "4", "2"], ["hbn", "test", "7", "1", "1"]]


def test_each_reason_is_named_and_counted_once() -> None:
    _, table = recording_tables(content())
    assert table.rows == [
        ["hbn recordings", "missing: not downloaded", "40"],
        ["hbn recordings", "quarantined: truncated", "3"],
        ["hbn recordings", "quarantined: samples that are not finite in Cz", "1"],
        ["hbn recordings", "quarantined: truncated: a file holds fewer samples", "1"],
        ["hbn windows", "max_peak_to_peak", "1"],
        ["hbn windows", "same EEG as run 3", "1"],
        ["noted", "trials without a target", "4"],
        ["tuh recordings", "excluded: subject excluded by datasets.tuh.exclude", "5"],
    ]


def test_many_reasons_are_cut_short_with_a_note() -> None:
    counted = content()
    counted["left_out"] = {f"reason {number:02d}": number for number in range(1, 21)}
    _, table = recording_tables(counted)
    own = [row for row in table.rows if row[0] == "noted"]
    assert [row[2] for row in own] == [str(number) for number in range(20, 8, -1)]
    assert table.notes == ["noted: 8 rarer reasons stand in windows/summary.json."]
