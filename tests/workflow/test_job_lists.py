"""What an edit re-runs, by the dry runs of the real workflow."""

import re
from pathlib import Path
from typing import Any

from cerebro.recordings.groups import group_index

INVENTORY = "Finding every recording"
LINEAGE = "Drawing the probes along the lineages"
REACTION_TIME_ONWARDS = {
    "Training reaction_time",
    "Features of reaction_time",
    "Probing reaction_time",
    "Comparing subjects by reaction_time",
    "Packaging the submission",
    "Trying the submission without this package on its path",
    "Scoring by the challenge's rules on the held-out releases",
    "Scores and probes beside their floors",
    LINEAGE,
}
COMPARING = "Comparing subjects by"
PHASES = ("tokenizer", "pretrain", "contrast", "reaction_time", "externalizing")
VERBS = ("Training", "Features of", "Probing", COMPARING)
TRAININGS = {f"{verb} {phase}" for verb in VERBS for phase in PHASES}
ALL_TRAININGS_ONWARDS = TRAININGS | REACTION_TIME_ONWARDS
INDEX_ONWARDS = ALL_TRAININGS_ONWARDS | {
    *(f"{verb} {other}" for verb in VERBS[1:] for other in ("random", "signal")),
    "Indexing windows, labels and splits",
    "Auditing the splits",
    *(f"Checking the windows of {phase}" for phase in PHASES),
}


def test_a_second_run_does_nothing(finished: Any) -> None:
    assert finished.jobs() == set()
    assert "Nothing to be done" in finished.snakemake("submission").stderr


def test_the_learning_rate_of_phase_3_reruns_it_its_probe_packaging_and_score_and_nothing_else(
    finished: Any,
) -> None:
    assert finished.jobs({"phases": {"reaction_time": {"learning_rate": 1.1e-3}}}) == REACTION_TIME_ONWARDS


def test_the_learning_rate_of_an_early_phase_reruns_what_descends_from_it_and_no_data_step(
    finished: Any,
) -> None:
    tokenizer = {f"{verb} tokenizer" for verb in VERBS}
    jobs = finished.jobs({"phases": {"pretrain": {"learning_rate": 1.1e-3}}})
    assert jobs == ALL_TRAININGS_ONWARDS - tokenizer


def test_the_architecture_reruns_trainings_and_the_random_probe_and_no_data_step(finished: Any) -> None:
    untrained = {"Features of random", "Probing random", f"{COMPARING} random", f"{COMPARING} signal"}
    assert finished.jobs({"encoder": {"dim": 32}}) == ALL_TRAININGS_ONWARDS | untrained


def test_a_new_node_of_the_graph_trains_alone(finished: Any) -> None:
    node = {"kind": "finetune", "init": "contrast", "target": "reaction_time", "seed": 1, "epochs": 1}
    assert finished.jobs({"phases": {"second_seed": node}}) == {
        "Checking the windows of second_seed",
        "Training second_seed",
        "Features of second_seed",
        "Probing second_seed",
        f"{COMPARING} second_seed",
        "Scores and probes beside their floors",
        LINEAGE,
    }


def test_probe_settings_rerun_the_probes_and_the_summary_and_no_encoder(finished: Any) -> None:
    jobs = finished.jobs({"probes": {"targets": ["age", "reaction_time", "eyes", "movie"]}})
    probes = {job for job in INDEX_ONWARDS if job.startswith("Probing")}
    assert jobs == probes | {"Scores and probes beside their floors", LINEAGE}


def test_the_comparison_of_adapters_is_made_when_asked_for_and_is_part_of_nothing_else(finished: Any) -> None:
    assert finished.jobs({"adapters": {"steps": 5}}) == set()
    asked = finished.snakemake("--dry-run", "adapters")
    assert asked.returncode == 0, asked.stderr
    text = asked.stdout + asked.stderr
    assert "Comparing the channel adapters" in text
    assert "Training" not in text


def test_settings_of_the_comparison_of_subjects_rerun_it_and_the_summary(finished: Any) -> None:
    jobs = finished.jobs({"isc": {"components": 2}})
    compared = {job for job in INDEX_ONWARDS if job.startswith(COMPARING)}
    assert jobs == compared | {"Scores and probes beside their floors"}


def test_devices_and_workers_rerun_nothing(finished: Any) -> None:
    assert finished.jobs({"compute": {"accelerator": "cpu", "workers": 2, "threads": 3}}) == set()


def test_a_lost_tracking_store_is_rebuilt_without_training_again(finished: Any) -> None:
    (finished.folder / "results/smoke/tracking.json").unlink()
    assert finished.jobs() <= {"Creating the MLflow store"}


def test_preprocessing_reruns_shards_and_all_that_follows_and_no_scan(finished: Any) -> None:
    shards = {f"Preprocessing {group}" for group in ("hbn-0", "hbn-1", "tuh-0")}
    assert finished.jobs({"preprocessing": {"band": [1.0, 40.0]}}) == INDEX_ONWARDS | shards


def test_code_reruns_the_steps_that_import_it_and_a_comment_reruns_nothing(editable: Any) -> None:
    package = editable.repository / "src" / "cerebro"
    edit(package / "models" / "encoder.py", "\n# A comment.\n")
    edit(package / "shards" / "build.py", "\n# A comment.\n")
    assert editable.jobs() == set()
    edit(package / "phases" / "finetune.py", "\nANYTHING = 1\n")
    externalizing = {f"{verb} externalizing" for verb in VERBS}
    assert editable.jobs() == REACTION_TIME_ONWARDS | externalizing


SCORED = {
    "Scoring by the challenge's rules on the held-out releases",
    "Scores and probes beside their floors",
}


def test_a_value_that_the_configuration_code_holds_reruns_what_computes_with_it(editable: Any) -> None:
    """The penalties of the floors, which no configuration file names."""
    settings = editable.repository / "src" / "cerebro" / "config" / "analyses.py"
    replace(settings, "for power in range(-1, 5)", "for power in range(-1, 4)")
    assert editable.jobs() == SCORED


def test_what_a_command_hands_to_its_step_reruns_that_step(editable: Any) -> None:
    glue = editable.repository / "src" / "cerebro" / "commands" / "answers.py"
    replace(glue, "    score(\n", "    score.__doc__\n    score(\n")
    assert editable.jobs() == SCORED


def test_a_new_subject_reruns_the_shard_of_its_group_alone(archived: Any) -> None:
    archived.add_subject("sub-E")
    assert archived.jobs(archived.from_archive) == {INVENTORY}
    after_the_inventory(archived)
    group = f"hbn-{group_index('sub-E', 2)}"
    assert archived.jobs(archived.from_archive) == INDEX_ONWARDS | {f"Preprocessing {group}"}


def test_a_touched_or_added_file_of_no_subject_reruns_the_inventory_and_nothing_that_follows(
    archived: Any,
) -> None:
    (archived.folder / "archive" / "R1" / "participants.tsv").touch()
    (archived.folder / "archive" / "R1" / "NOTES.txt").write_text("Copied on Monday.")
    assert archived.jobs(archived.from_archive) == {INVENTORY}
    after_the_inventory(archived, mtime_ns=1)
    assert archived.jobs(archived.from_archive) == set()


def test_new_labels_rerun_the_index_and_no_shard(archived: Any) -> None:
    (archived.folder / "archive" / "R1" / "participants.tsv").write_text("participant_id\tage\n")
    assert archived.jobs(archived.from_archive) == {INVENTORY}
    after_the_inventory(archived, person='{"age": "8"}')
    assert archived.jobs(archived.from_archive) == INDEX_ONWARDS


def test_excluding_a_subject_reruns_the_shard_of_its_group_alone(archived: Any) -> None:
    overlay = {**archived.from_archive, "splits": {"excluded_subjects": ["sub-A"]}}
    after_the_inventory(archived, overlay, excluded="sub-A")
    group = f"hbn-{group_index('sub-A', 2)}"
    assert archived.jobs(overlay) == INDEX_ONWARDS | {f"Preprocessing {group}"}


def test_ablations_train_what_their_variants_change_and_share_the_rest(finished: Any) -> None:
    """The smoke study compares the full lineage with one that skips the contrast, with two seeds."""
    jobs = finished.jobs({"ablations": {"seeds": [0, 1]}}, target="ablations")
    assert {job for job in jobs if job.startswith("Training")} == {
        *(f"Training {phase}-full-1" for phase in PHASES),
        *(f"Training {phase}-no_contrast-{seed}" for phase in PHASES[3:] for seed in (0, 1)),
    }
    further = ["random-1", *(f"{phase}-full-1" for phase in PHASES)]  # the encoders of the second seed
    assert {job for job in jobs if job.startswith("Probing")} == {f"Probing {node}" for node in further}
    assert {job for job in jobs if job.startswith(COMPARING)} == {f"{COMPARING} {node}" for node in further}
    assert not any(job.startswith("Preprocessing") for job in jobs)
    fitted = {f"Fitting {phase}-age_sex-0 for test windows" for phase in PHASES[3:]}  # once for both seeds
    assert {job for job in jobs if job.startswith("Fitting")} == fitted
    assert {"Comparing the variants", "Comparing the encoders"} <= jobs


def test_no_command_of_the_comparisons_grows_with_the_number_of_seeds(finished: Any) -> None:
    """Linux takes 131,072 bytes as one argument, and the shell gets a command as one."""
    one, many = (comparisons(finished, seeds) for seeds in (1, 12))
    assert len(one) == 2
    assert many == one


def comparisons(study: Any, seeds: int) -> list[str]:
    overlay = {"ablations": {"seeds": list(range(seeds))}}
    done = study.snakemake("ablations", "--dry-run", "--printshellcmds", overlay=overlay)
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(re.findall(r"cerebro\.cli (?:ablations|encoders) .*", done.stdout + done.stderr))


def test_seeds_and_weights_of_the_submission_train_lineages_and_ask_for_answers_to_weigh_them_by(
    finished: Any,
) -> None:
    jobs = finished.jobs({"submission": {"seeds": [0, 1]}})
    packaging = {job for job in REACTION_TIME_ONWARDS if not job.endswith("reaction_time")} - {LINEAGE}
    trained = {
        f"{verb} {phase}-full-1" for verb in ("Checking the windows of", "Training") for phase in PHASES
    }
    assert jobs == trained | packaging
    fitted = finished.jobs({"submission": {"seeds": [0, 1], "weights": "validation"}})
    members = [name for phase in PHASES[3:] for name in (phase, f"{phase}-full-1")]
    assert fitted - jobs == {f"Answers of {member} on validation windows" for member in members}


def edit(file: Path, addition: str) -> None:
    file.write_text(file.read_text() + addition)


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def after_the_inventory(study: Any, overlay: Any = None, **columns: Any) -> None:
    """Finish the inventory: a dry run does not see past this checkpoint, a real run looks again after it."""
    study.write_inventory(**columns)
    inventory = "results/smoke/inventory/recordings.parquet"
    done = study.snakemake("--touch", "--force", inventory, overlay=overlay or study.from_archive)
    assert done.returncode == 0, done.stderr


def test_targets_ask_for_their_part_of_the_study_and_no_more(finished: Any) -> None:
    phases = finished.jobs({"encoder": {"dim": 32}}, target="phases")
    assert phases == {f"Training {phase}" for phase in PHASES}
    table = {"Features of covariance", "Probing covariance", "Probes beside their floors"}
    assert finished.jobs(target="probes") == table
    scored = {f"{job} {phase}" for phase in PHASES[3:] for job in ("Scoring",)}
    answers = {f"Answers of {phase} on test windows" for phase in PHASES[3:]}
    assert finished.jobs(target="study") == table | scored | answers


OWN = {
    "name": "own",
    "datasets": {"mine": {"reader": "files", "roots": ["data"]}},
    "labels": {"group": {"of": "recording", "entity": "folder", "classes": ["a", "b"]}},
    "phases": {"tokenizer": {"kind": "tokenizer"}},
}


def test_a_study_of_one_phase_lists_nothing_that_it_lacks(empty: Any) -> None:
    (empty.folder / "data").mkdir()
    done = empty.snakemake("--dry-run", overlay=OWN, over=None)
    assert done.returncode == 0, done.stderr
    listed = done.stdout + done.stderr
    assert "Training tokenizer" in listed
    assert "Probes beside their floors" in listed
    for absent in ("submission", "Comparing subjects", "Answers", "Scoring", "simulated"):
        assert absent not in listed


def test_a_study_without_a_submission_says_so_where_one_is_asked_for(empty: Any) -> None:
    (empty.folder / "data").mkdir()
    for target, words in (("submission", "no section 'submission'"), ("ablations", "no section 'ablations'")):
        done = empty.snakemake(target, "--dry-run", overlay=OWN, over=None)
        assert done.returncode != 0
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_a_layer_that_is_not_there_gets_a_sentence(empty: Any) -> None:
    done = empty.snakemake("--dry-run", overlay={**OWN, "extends": "chalenge"}, over=None)
    assert done.returncode != 0
    assert "cerebro: extends: 'chalenge' is no file and no shipped layer" in done.stderr
    assert "Traceback" not in done.stderr
