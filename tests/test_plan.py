"""What each step is asked for: only what it reads."""

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cerebro import provenance
from cerebro.check.configuration import layered
from cerebro.config import load_config
from cerebro.errors import UserError
from cerebro.plan import Plan
from cerebro.recordings.exclusions import bare
from cerebro.recordings.groups import group_index
from cerebro.recordings.inventory import SCHEMA

ROOT = Path(__file__).parents[1]


def plan(overlay: dict[str, Any] | None = None) -> Plan:
    return Plan(load_config(layered({"extends": "demo"}, overlay or {})))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    for subject in ("sub-A", "sub-B", "sub-C"):
        folder = tmp_path / "R1" / subject / "eeg"
        folder.mkdir(parents=True)
        (folder / f"{subject}_task-RestingState_eeg.bdf").write_bytes(b"signals")
    (tmp_path / "R1" / "participants.tsv").write_text("participant_id\n")
    return tmp_path


def digests(archive: Path, excluded: tuple[str, ...] = (), **columns: Any) -> dict[str, str]:
    """Digests of what lies there, and of an inventory of it whose rows are alike but for what is given."""
    overlay = {
        "datasets": {"hbn": {"roots": [str(archive)], "groups": 3}},
        "splits": {"excluded_subjects": list(excluded)},
    }
    rows = [
        {
            "subject": path.name,
            "group": group_of(path.name),
            "status": "excluded" if bare(path.name) in map(bare, excluded) else "ok",
            **columns,
        }
        for path in sorted((archive / "R1").glob("sub-*"))
    ]
    inventory = archive.with_name(f"{archive.name}.parquet")
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), inventory)
    asked = plan(overlay)
    hbn = [group for group in asked.groups if group.startswith("hbn")]
    groups = {group: asked.members(group, str(inventory)) for group in hbn}
    return {"all": asked.found(), "recordings": asked.recordings(str(inventory)), **groups}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {key for key in before if before[key] != after[key]}


def group_of(subject: str) -> str:
    return f"hbn-{group_index(subject, 3)}"


def test_settings_of_a_phase_hold_that_phase_alone() -> None:
    before, after = plan(), plan({"phases": {"reaction_time": {"learning_rate": 1.1e-3}}})
    different = {name for name in before.phases if before.phase_settings(name) != after.phase_settings(name)}
    assert different == {"reaction_time"}


def test_another_precision_trains_anew_and_other_devices_do_not() -> None:
    before = plan()
    devices = plan({"compute": {"devices": 2, "workers": 3, "threads": 4, "accelerator": "gpu"}})
    precision = plan({"compute": {"precision": "bf16-mixed"}})
    for name in before.phases:
        assert before.phase_settings(name) == devices.phase_settings(name)
        assert before.phase_settings(name) != precision.phase_settings(name)
    assert before.compute_settings() != devices.compute_settings()
    assert before.compute_settings() == precision.compute_settings()


def test_the_architecture_goes_to_phases_and_probes_that_start_from_random_weights() -> None:
    asked = plan()
    with_encoder = {name for name in asked.phases if "encoder" in json.loads(asked.phase_settings(name))}
    assert with_encoder == {"tokenizer", "pretrain"}
    probed = {name for name in asked.encoders if "encoder" in json.loads(asked.feature_settings(name))}
    assert probed == {"random"}
    compared = {name for name in asked.encoders if "encoder" in json.loads(asked.isc_settings(name))}
    assert compared == {"random", "signal"}


def test_a_new_target_runs_an_encoder_again_only_for_windows_that_no_other_needed() -> None:
    before = plan({"probes": {"targets": ["age", "eyes"]}})
    same_windows = plan({"probes": {"targets": ["age", "eyes", "task", "identity"]}})
    further_windows = plan({"probes": {"targets": ["age", "eyes", "movie"]}})
    assert before.feature_settings("random") == same_windows.feature_settings("random")
    assert before.feature_settings("random") != further_windows.feature_settings("random")
    assert len({part.probe_settings() for part in (before, same_windows, further_windows)}) == 3


def test_checkpoints_within_a_phase_are_probed_from_its_file_and_no_other_step_knows_them() -> None:
    asked = plan({"phases": {"contrast": {"checkpoints": 2}}})
    assert asked.checkpoints == ["contrast@1", "contrast@2"]
    assert asked.encoder_files("contrast@2") == [
        "results/demo/phases/contrast/checkpoints.safetensors",
        "results/demo/phases/contrast/card.json",
    ]
    assert asked.encoder_option("contrast@2") == "results/demo/phases/contrast@2"
    assert asked.encoder_option("random-1") == "random-1"
    assert not set(asked.checkpoints) & set(asked.encoders)
    assert asked.feature_settings("contrast@2") == asked.feature_settings("contrast")


def test_regression_of_hidden_patches_waits_for_no_tokenizer() -> None:
    overlay = {"phases": {"pretrain": {"target": "spectrum", "tokenizer": None}}}
    asked = plan(overlay)
    assert asked.phase_parents("pretrain") == {}
    assert json.loads(asked.needed_windows("pretrain"))["phases"]["pretrain"]["target"] == "spectrum"


def test_an_encoder_of_a_phases_own_goes_to_that_phase_alone() -> None:
    overlay = {"phases": {"scratch": {"kind": "finetune", "target": "externalizing"}}}
    before = plan(overlay)
    overlay["phases"]["scratch"]["encoder"] = {"dim": 32}
    after = plan(overlay)
    different = {name for name in after.phases if after.phase_settings(name) != before.phase_settings(name)}
    assert different == {"scratch"}
    settings = json.loads(after.phase_settings("scratch"))
    assert settings["encoder"]["dim"] == 32
    assert "encoder" not in settings["phase"]


SCRATCH = {"kind": "finetune", "target": "externalizing"}


def test_a_network_of_braindecode_is_built_before_anything_runs() -> None:
    wrong = {"phases": {"scratch": {**SCRATCH, "encoder": {"braindecode": "EEGNex", "options": {}}}}}
    with pytest.raises(
        UserError, match=r"phases\.scratch\.encoder: braindecode has no model 'EEGNex'.*EEGNeX"
    ):
        plan(wrong)
    wrong["phases"]["scratch"]["encoder"] = {"braindecode": "EEGNeX", "weights": "nowhere.pt"}
    with pytest.raises(UserError, match=r"phases\.scratch\.encoder\.weights: there is no file nowhere\.pt"):
        plan(wrong)


def test_a_submission_of_a_network_that_the_scorer_lacks_is_refused_and_a_variant_of_it_is_not() -> None:
    network = {"init": None, "encoder": {"braindecode": "CBraMod", "options": {"n_layer": 1}}}
    with pytest.raises(
        UserError, match=r"submission\.challenge_1: phase 'reaction_time' has braindecode's CBraMod"
    ):
        plan({"phases": {"reaction_time": network}})
    asked = plan({"ablations": {"seeds": [0], "variants": {"cbramod": {"reaction_time": network}}}})
    settings = json.loads(asked.phase_settings("reaction_time-cbramod-0"))
    assert settings["encoder"]["braindecode"] == "CBraMod"


def test_networks_of_variants_are_built_only_when_variants_are_compared() -> None:
    network = {"init": None, "encoder": {"braindecode": "EEGNex"}}
    asked = plan({"ablations": {"seeds": [0], "variants": {"wrong": {"reaction_time": network}}}})
    with pytest.raises(UserError, match="braindecode has no model 'EEGNex'"):
        asked.compared_answers()


def test_published_weights_are_an_input_of_the_phase_that_starts_from_them(tmp_path: Path) -> None:
    file = tmp_path / "weights.pt"
    file.write_bytes(b"")
    asked = plan(
        {"phases": {"scratch": {**SCRATCH, "encoder": {"braindecode": "EEGNeX", "weights": str(file)}}}}
    )
    assert {name: asked.phase_weights(name) for name in asked.phases if asked.phase_weights(name)} == {
        "scratch": [str(file)]
    }


def test_braindecode_counts_only_where_a_network_of_it_is_the_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = plan({"phases": {"scratch": {**SCRATCH, "encoder": {"braindecode": "EEGNeX"}}}})
    before = {name: (asked.phase_code(name), asked.encoder_code("features", name)) for name in asked.phases}
    text = provenance.LOCK.read_text()
    pinned = provenance.read_pins(text)["braindecode"]
    (tmp_path / "lock").write_text(text.replace(f"braindecode=={pinned}", "braindecode==99.0"))
    monkeypatch.setattr(provenance, "LOCK", tmp_path / "lock")
    provenance.code_digest.cache_clear()
    after = {name: (asked.phase_code(name), asked.encoder_code("features", name)) for name in asked.phases}
    provenance.code_digest.cache_clear()
    assert {name for name in before if before[name] != after[name]} == {"scratch"}


def test_a_damaged_inventory_ends_the_planning_with_the_command_that_makes_it_again(tmp_path: Path) -> None:
    path = tmp_path / "recordings.parquet"
    path.write_bytes(b"PAR1" + bytes(200) + b"PAR1")
    with pytest.raises(SystemExit, match=f"cerebro: {path} is damaged .*snakemake --cores 8 --force {path}"):
        plan().recordings(str(path))


def test_parents_are_handed_over_by_key_and_folder() -> None:
    assert plan().phase_parents("pretrain") == {"tokenizer": "results/demo/phases/tokenizer"}
    assert plan().phase_parents("reaction_time") == {"init": "results/demo/phases/contrast"}


def test_the_comparison_of_adapters_knows_of_no_phase() -> None:
    asked = json.loads(plan().adapter_settings())
    assert set(asked) == {"adapters", "encoder", "labels", "probes", "statistics"}
    overlay = {"phases": {"reaction_time": {"epochs": 1}}, "adapters": {"seeds": [7]}}
    assert plan(overlay).phase_settings("contrast") == plan().phase_settings("contrast")
    assert json.loads(plan(overlay).adapter_settings())["adapters"]["seeds"] == [7]


def test_the_check_of_windows_ignores_how_a_phase_trains() -> None:
    overlay = {"phases": {"reaction_time": {"learning_rate": 1.1e-3, "epochs": 1, "batch_size": 4}}}
    assert plan(overlay).needed_windows() == plan().needed_windows()
    sources = {"phases": {"contrast": {"sources": {"eyes": 1.0}}}}
    assert plan(sources).needed_windows() != plan().needed_windows()
    assert set(json.loads(plan().needed_windows("contrast"))["phases"]) == {"contrast"}


def test_a_group_digest_changes_only_with_files_of_its_own_subjects(archive: Path) -> None:
    before = digests(archive)
    file = archive / "R1" / "sub-B" / "eeg" / "sub-B_task-RestingState_eeg.bdf"
    file.write_bytes(b"other signals")
    assert changed(before, digests(archive)) == {"all", group_of("sub-B")}


def test_a_touched_or_removed_file_changes_its_group(archive: Path) -> None:
    before = digests(archive)
    file = archive / "R1" / "sub-A" / "eeg" / "sub-A_task-RestingState_eeg.bdf"
    os.utime(file, ns=(0, 0))
    touched = digests(archive)
    assert changed(before, touched) == {"all", group_of("sub-A")}
    file.unlink()
    assert changed(touched, digests(archive)) == {"all", group_of("sub-A")}


def test_labels_change_the_inventory_and_no_group(archive: Path) -> None:
    before = digests(archive)
    (archive / "R1" / "participants.tsv").write_text("participant_id\tage\n")
    assert changed(before, digests(archive)) == {"all"}


def test_shards_follow_what_the_inventory_says_but_for_labels_and_nothing_follows_its_times(
    archive: Path,
) -> None:
    before = digests(archive)
    assert changed(before, digests(archive, mtime_ns=1)) == set()
    assert changed(before, digests(archive, person='{"age": "9"}')) == {"recordings"}
    everyone = {group_of("sub-A"), group_of("sub-B"), group_of("sub-C")}
    assert changed(before, digests(archive, release="R2")) == {"recordings"} | everyone


def test_a_recording_that_becomes_usable_changes_its_group(archive: Path) -> None:
    """As when a table said that it is of another release than its folder, and was corrected."""
    before = digests(archive, status="quarantined")
    everyone = {group_of("sub-A"), group_of("sub-B"), group_of("sub-C")}
    assert changed(before, digests(archive)) == {"recordings"} | everyone


@pytest.mark.parametrize("spelling", ["sub-C", "C"])
def test_an_excluded_subject_leaves_its_group(archive: Path, spelling: str) -> None:
    before = digests(archive)
    assert changed(before, digests(archive, excluded=("sub-elsewhere",))) <= {"all"}
    excluded = digests(archive, excluded=(spelling,))
    assert changed(before, excluded) == {"all", "recordings", group_of("sub-C")}
    (archive / "R1" / "sub-C" / "eeg" / "sub-C_notes.json").write_text("{}")
    assert changed(excluded, digests(archive, excluded=(spelling,))) == {"all"}


def test_a_link_to_a_file_that_was_not_downloaded_is_listed(archive: Path) -> None:
    before = digests(archive)
    link = archive / "R1" / "sub-A" / "eeg" / "sub-A_task-DespicableMe_eeg.bdf"
    link.symlink_to("../../annex/missing")
    assert changed(before, digests(archive)) == {"all", group_of("sub-A")}


def test_a_root_that_is_no_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"datasets\.hbn\.roots: there is no folder .*nowhere"):
        plan({"datasets": {"hbn": {"roots": [str(tmp_path / "nowhere")]}}})


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"exclude": ["nolist.txt"]}, r"datasets\.hbn\.exclude: the list nolist\.txt can't be read"),
        ({"keep": ["./nolist"]}, r"datasets\.hbn\.keep: the list \./nolist can't be read"),
        (
            {"exclude_evaluation_of": ["tuab"]},
            r"datasets\.hbn\.exclude_evaluation_of: there is no folder tuab",
        ),
        ({"exclude_evaluation_of": ["empty"]}, r"no evaluation patient is found in empty"),
        ({"exclude_evaluation_of": ["list.txt"]}, r"there is no folder list\.txt"),
        ({"reader": "os"}, r"datasets\.hbn\.reader: reader 'os' .* is no module that is written in Python"),
        ({"reader": "wrong_plan_reader"}, r"'wrong_plan_reader' \(.*\.py\) can't be read: SyntaxError"),
    ],
)
def test_lists_and_readers_are_looked_at_when_the_plan_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.txt").touch()
    (tmp_path / "wrong_plan_reader.py").write_text("def scan(:")
    with pytest.raises(UserError, match=rf"^configuration: .*{sentence}") as caught:
        plan({"datasets": {"hbn": {"roots": ["."], **settings}}})
    assert "\n" not in str(caught.value)


def test_a_reader_may_say_how_it_is_encoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    source = "# coding: latin1\nPLACE = 'Universit\xe4t'\ndef scan(roots): yield from ()\n"
    (tmp_path / "latin_plan_reader.py").write_text(source, encoding="latin1")
    datasets = {"hbn": {"roots": [str(tmp_path)], "reader": "latin_plan_reader"}}
    assert plan({"datasets": datasets}).inventory_code() != plan().inventory_code()


def test_a_baseline_is_fitted_and_compared_and_neither_trained_nor_probed_nor_checked() -> None:
    mean = {"kind": "baseline", "target": "reaction_time", "features": "mean"}
    variants = {"age": {"reaction_time": {**mean, "features": "age_sex", "penalties": [1.0]}}}
    asked = plan({"phases": {"floor": mean}, "ablations": {"seeds": [0], "variants": variants}})
    assert {"floor", "reaction_time-age-0"} <= set(asked.baselines)
    assert not set(asked.baselines) & {*asked.nodes, *asked.phases, *asked.encoders}
    assert "floor" not in json.loads(asked.needed_windows())["phases"]
    assert json.loads(asked.baseline_settings("floor"))["phase"]["features"] == "mean"
    assert "results/demo/predictions/test/reaction_time-age-0.parquet" in asked.compared_answers()


def test_seeds_of_the_submission_train_their_lineages_and_are_packaged_and_not_probed() -> None:
    before, after = plan(), plan({"submission": {"seeds": [0, 1]}})
    assert after.phases == before.phases
    assert after.encoders == before.encoders
    members = [f"results/demo/phases/{name}" for name in ("reaction_time", "reaction_time-full-1")]
    assert after.package_options()[:3] == ["--challenge-1", *members]
    files = ("encoder.safetensors", "head.safetensors", "card.json")
    assert {f"{folder}/{file}" for folder in members for file in files} <= set(after.submitted_files())
    assert after.phase_parents("pretrain-full-1") == {"tokenizer": "results/demo/phases/tokenizer-full-1"}
    without = plan({"submission": {"seeds": [0, 1]}, "ablations": {"compare": [], "seeds": [0]}})
    assert set(without.nodes) >= {"reaction_time-full-1", "externalizing-full-1", "contrast-full-1"}


def test_answers_to_validation_windows_are_asked_for_only_where_weights_are_fitted() -> None:
    members = {"challenge_1": "reaction_time", "challenge_2": ["externalizing", "second"]}
    second = {"second": {**SCRATCH, "windows": "crop", "seed": 1}}
    variants = {"fitted": {"submission": {"weights": "validation"}}}
    overlay = {"phases": second, "submission": members, "ablations": {"seeds": [0], "variants": variants}}
    asked = plan(overlay)
    wanted = [f"results/demo/predictions/validation/{name}.parquet" for name in members["challenge_2"]]
    assert asked.submitted_answers() == []
    assert asked.weighing_answers() == wanted  # a single member counts fully
    asked = plan({**overlay, "submission": {**members, "weights": "validation"}})
    assert asked.submitted_answers() == wanted
    assert asked.package_options()[-3:] == ["--validation", *wanted]


def test_a_share_of_the_subjects_is_part_of_what_the_check_of_windows_looks_at() -> None:
    asked = plan({"phases": {"contrast": {"subject_share": 0.25}}})
    assert json.loads(asked.needed_windows("contrast"))["phases"]["contrast"]["subject_share"] == 0.25


def test_variants_that_do_not_fit_a_graph_stop_their_comparison_and_nothing_else() -> None:
    """The shipped variants stand in every configuration, also where a phase that they change was removed."""
    starts = {"init": "pretrain"}
    asked = plan({"phases": {"contrast": None, "reaction_time": starts, "externalizing": starts}})
    assert list(asked.nodes) == ["tokenizer", "pretrain", "reaction_time", "externalizing"]
    with pytest.raises(UserError, match=r"^ablations\.variants\.pairs_movie: "):
        asked.compared_answers()


OWN = {
    "name": "own",
    "datasets": {"tuh": {"reader": "tuh", "roots": ["."]}},
    "labels": {
        "age": {"of": "person", "column": "age"},
        "eyes": {"of": "interval", "column": "eyes", "classes": ["closed", "open"]},
        "abnormal": {"of": "recording", "entity": "folder", "classes": ["normal", "abnormal"]},
    },
    "phases": {
        "tokenizer": {"kind": "tokenizer"},
        "eyes": {"kind": "finetune", "init": "tokenizer", "target": "eyes"},
        "mean": {"kind": "baseline", "target": "age", "features": "age_sex"},
    },
}


def own(**further: Any) -> Plan:
    """The plan of a study of one's own people."""
    return Plan(load_config(layered({**OWN, **further})))


def test_a_study_plans_nothing_that_it_lacks() -> None:
    asked = own()
    assert not {"isc", "submission"} & set(asked.parts)
    assert asked.submitted is None
    assert asked.oracle_targets == []
    assert asked.isc_files(asked.encoders) == []
    assert asked.summed_scores() == ["results/own/scores/eyes.json", "results/own/scores/mean.json"]
    with pytest.raises(
        UserError, match="no section 'submission', so nothing can be packaged; `snakemake study`"
    ):
        asked.submission()
    with pytest.raises(UserError, match="no section 'ablations'"):
        asked.compared_answers()


def test_ablations_of_a_study_without_a_submission_compare_the_encoders_at_the_ends_of_its_graph() -> None:
    """Over seeds, beside band power, covariance and untrained encoders; of a finetune phase, its start."""
    asked = own(ablations={"seeds": [0, 1], "variants": {"few": {"tokenizer": {"codes": 16}}}})
    found = json.loads(asked.encoder_comparison_settings())
    assert found["phases"]["rows"] == {
        "signal": ["signal", "signal"],
        "covariance": ["covariance", "covariance"],
        "random": ["random", "random-1"],
        "tokenizer": ["tokenizer", "tokenizer-full-1"],
    }
    assert found["phases"]["references"] == {"tokenizer": "random"}
    assert found["variants"]["rows"] == {
        "full": ["tokenizer", "tokenizer-full-1"],
        "few": ["tokenizer-few-0", "tokenizer-few-1"],
    }
    assert found["variants"]["references"] == {"few": "full"}
    assert set(asked.compared_encoders()) >= {"covariance", "tokenizer-few-1"}


def test_a_variant_of_a_study_without_a_submission_can_have_none() -> None:
    variants = {"both": {"submission": {"seeds": [0, 1]}}}
    with pytest.raises(UserError, match=r"variants\.both: submission: the study has none"):
        own(ablations={"seeds": [0], "variants": variants}).compared_encoders()


@pytest.mark.parametrize(("test", "split"), [(None, "validation"), ({"share": 0.2}, "test")])
def test_phases_are_scored_on_whom_the_study_tests_and_else_on_who_selects(test: Any, split: str) -> None:
    assert own(splits={"test": test}).scored_split == split


def test_a_moment_that_people_share_is_compared_by_its_label() -> None:
    song = {"of": "moment", "column": "song", "classes": "all"}
    asked = own(labels={**OWN["labels"], "song": song})
    assert "isc" in asked.parts
    assert list(json.loads(asked.isc_settings("signal"))["labels"]) == ["song"]


def test_another_label_changes_no_step_that_does_not_read_it() -> None:
    before = own(probes={"targets": ["eyes"]})
    labels = {**OWN["labels"], "abnormal": {**OWN["labels"]["abnormal"], "classes": ["abnormal", "normal"]}}
    after = own(probes={"targets": ["eyes"]}, labels=labels)
    for asked in ("tokenizer", "eyes"):
        assert before.phase_settings(asked) == after.phase_settings(asked)
        assert before.needed_windows(asked) == after.needed_windows(asked)
        assert before.feature_settings(asked) == after.feature_settings(asked)
    assert before.probe_settings() == after.probe_settings()
    assert before.baseline_settings("mean") == after.baseline_settings("mean")
    assert before.phase_score_settings("eyes") == after.phase_score_settings("eyes")
    assert before.windows_settings() != after.windows_settings()


def test_each_step_is_handed_the_labels_that_it_reads() -> None:
    asked = own()
    assert json.loads(asked.phase_settings("tokenizer"))["labels"] == {}
    assert list(json.loads(asked.phase_settings("eyes"))["labels"]) == ["eyes"]
    assert list(json.loads(asked.baseline_settings("mean"))["labels"]) == ["age"]
    assert list(json.loads(asked.probe_settings())["labels"]) == ["age", "eyes", "abnormal"]
    assert list(json.loads(asked.phase_score_settings("eyes"))["labels"]) == ["eyes", "age"]
