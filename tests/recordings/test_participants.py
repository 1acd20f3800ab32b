from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cerebro.recordings.participants import read_participants


@pytest.mark.filterwarnings("error::UserWarning")
def test_the_real_table_of_release_1_reads_without_a_warning(sidecars: Path) -> None:
    people = read_participants(sidecars / "participants.tsv")
    reference = pd.read_csv(sidecars / "participants.tsv", sep="\t", na_values="n/a")
    assert list(people) == list(reference["participant_id"])
    assert {release for release, _ in people.values()} == {"R1"}
    for name in ("age", "p_factor", "attention", "internalizing", "externalizing"):
        np.testing.assert_array_equal(
            [getattr(person, name) for _, person in people.values()], reference[name]
        )
    np.testing.assert_array_equal([person.sex for _, person in people.values()], reference["sex"] == "F")


def test_missing_columns_and_odd_values_are_missing_labels_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "participants.tsv"
    path.write_text("participant_id\tsex\tage\nsub-A\tX\ttwelve\nsub-B\tn/a\t9.5\nsub-B\tM\t9.6\n")
    with pytest.warns(UserWarning, match="1 repeated subjects ignored, 2 values unreadable"):
        people = read_participants(path)
    assert list(people) == ["sub-A", "sub-B"]
    release, person = people["sub-B"]
    assert release == ""
    assert person.age == 9.5
    assert np.isnan([person.sex, person.externalizing, people["sub-A"][1].age]).all()
