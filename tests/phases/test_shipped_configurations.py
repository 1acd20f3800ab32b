"""Shipped configurations train: two steps of each phase, at their width, layout, settings and precision.

Larger and other demos differ from the demo by people and epochs alone.
"""

from pathlib import Path

import pandas as pd
import pytest

from cerebro.check.configuration import read_configuration
from cerebro.config import Compute, lineage, parents, trainings
from cerebro.data.card import read_card
from cerebro.phases.run import run_phase

CONFIG = Path(__file__).parents[2] / "config"
STUDIES = ("demo", "smoke", "hbn_mini", "hbn_tuh")
MOST_BLOCKS = 2
"""One block is like another, and eight take minutes in half precision on a CPU."""
SHORT = {"steps_per_epoch": 2, "batch_size": 8, "max_validation_windows": 8, "min_used_share": 0}


def test_further_demos_differ_from_the_demo_by_people_and_epochs_alone() -> None:
    demo = read_configuration([CONFIG / "demo.yaml"])
    others = [path.stem for path in CONFIG.glob("demo_*.yaml")]
    assert others
    for name in others:
        config = read_configuration([CONFIG / f"{name}.yaml"])
        for node, phase in config.phases.items():
            free = {"epochs": 100, "start_epoch": 1} if phase.kind == "tokenizer" else {"epochs": 100}
            assert phase.model_copy(update=free) == demo.phases[node].model_copy(update=free), (
                f"{name}.{node}"
            )
        assert (config.encoder, config.compute) == (demo.encoder, demo.compute), name


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_a_shipped_configuration_trains_for_some_steps(name: str, study, store, tmp_path: Path) -> None:
    config = read_configuration([CONFIG / f"{name}.yaml"])
    encoder = config.encoder.model_dump(mode="json")
    encoder["depth"] = min(encoder["depth"], MOST_BLOCKS)
    nodes = trainings(config.phases)
    for node in sorted(nodes, key=lambda name: len(lineage(nodes, name))):
        phase = nodes[node].model_dump(mode="json", exclude={"encoder"})
        epochs = 1 + phase.get("start_epoch", 0)
        changes = {key: value for key, value in SHORT.items() if key in phase}
        if phase["kind"] == "pretrain":  # the synthetic study has both archives
            changes["mix"] = {"hbn": 0.7, "tuh": 0.3}
        if phase["kind"] == "contrast":  # and four training subjects, without trials of a kind in common
            changes["sources"] = {"movie": 0.5, "eyes": 0.5}
        settings = {
            "phase": {**phase, "epochs": epochs, **changes},
            "labels": {label: declared.model_dump(mode="json") for label, declared in config.labels.items()},
            "lineage": lineage(nodes, node),
            "precision": config.compute.precision,
            "encoder": encoder if nodes[node].init is None else None,
        }
        run_phase(
            node,
            settings,
            index=study.index,
            store=store,
            parents={key: str(tmp_path / parent) for key, parent in parents(nodes[node]).items()},
            state=tmp_path / "state" / node,
            output=tmp_path / node,
            compute=Compute(accelerator="cpu", threads=1),
        )
        history = pd.read_csv(tmp_path / node / "history.csv")
        assert history["epoch"].tolist() == list(range(epochs + 1))
        assert history["val/loss"].notna().all()
        assert read_card(tmp_path / node)["encoder"]["dim"] == config.encoder.dim
