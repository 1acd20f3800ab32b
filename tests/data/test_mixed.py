"""The mix of archives: exact, reproducible, and the same whoever reads it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cerebro.config import Devices, PretrainPhase
from cerebro.data.loading import BatchLoader
from cerebro.data.modules import MixedDataModule, MixedDataset
from cerebro.data.samplers import MixedSampler
from cerebro.errors import UserError
from cerebro.phases.auxiliary import HeldOutSubjects, label_means, label_scales

PHASE = {
    "kind": "pretrain",
    "target": "signal",
    "mix": {"hbn": 0.7, "tuh": 0.3},
    "batch_size": 9,
    "steps_per_epoch": 6,
    "seed": 3,
}


def sampler(sizes: dict[str, int], mix: dict[str, float], **options: int) -> tuple[MixedSampler, np.ndarray]:
    dataset = pd.Series([name for name, size in sizes.items() for _ in range(size)])
    options = {"batch_size": 10, "steps": 500, "seed": 0, **options}
    return MixedSampler(dataset, mix, **options), dataset.to_numpy()


@pytest.mark.parametrize(
    "mix", [{"hbn": 0.7, "tuh": 0.3}, {"hbn": 1 / 3, "tuh": 0.55, "own": 1 - 0.55 - 1 / 3}, {"tuh": 1.0}]
)
def test_every_batch_holds_the_shares_to_within_one_window_and_their_expectation_is_exact(mix):
    drawn, dataset = sampler({"hbn": 400, "tuh": 37, "own": 90}, mix, batch_size=7)
    counts = pd.DataFrame([pd.Series(dataset[batch]).value_counts() for batch in drawn]).fillna(0)
    assert (counts.sum(axis=1) == 7).all()
    for name, share in mix.items():
        assert (counts[name] - 7 * share).abs().max() < 1
        # The mean of 500 roundings of one number: four standard errors.
        fraction = 7 * share % 1
        assert abs(counts[name].mean() - 7 * share) < 4 * np.sqrt(fraction * (1 - fraction) / 500) + 1e-9


def test_every_window_of_an_archive_comes_once_before_any_comes_again():
    drawn, dataset = sampler({"hbn": 50, "tuh": 8}, {"hbn": 0.7, "tuh": 0.3}, steps=60)
    rows = np.concatenate([np.array(batch) for batch in drawn])
    for name, size in (("hbn", 50), ("tuh", 8)):
        batches = [np.array(batch)[dataset[np.array(batch)] == name] for batch in drawn]
        seen, passes = np.zeros(len(dataset), int), 0
        for batch in batches:
            np.add.at(seen, batch, 1)
            passes = seen[dataset == name].max()
            assert seen[dataset == name].min() >= passes - 2  # a batch may lie across two passes
        assert passes == -(-(dataset[rows] == name).sum() // size)


def test_archives_are_shuffled_together_within_a_batch():
    drawn, dataset = sampler({"hbn": 400, "tuh": 40}, {"hbn": 0.7, "tuh": 0.3})
    first = np.mean([dataset[batch[0]] == "tuh" for batch in drawn])
    assert abs(first - 0.3) < 4 * np.sqrt(0.21 / 500)


def test_a_mix_of_an_archive_without_windows_is_refused():
    with pytest.raises(UserError, match="tuh"):
        sampler({"hbn": 5}, {"hbn": 0.7, "tuh": 0.3})


def loaded(dataset: MixedDataset, epoch: int, workers: int) -> list[torch.Tensor]:
    batches = dataset.sampler(PretrainPhase.model_validate(PHASE))
    batches.set_epoch(epoch)
    loader = BatchLoader(dataset, batches, threads=workers, pin=False)
    return [batch["row"] for batch in loader]


RANK = """
import sys
from pathlib import Path
import pandas as pd
import torch
import torch.distributed as dist
sys.path.insert(0, sys.argv[4])
from test_mixed import loaded
from cerebro.data.modules import MixedDataset
from cerebro.models.quantizer import VectorQuantizer
from cerebro.phases.auxiliary import HeldOutSubjects, label_means, label_scales

rank, meeting, study = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
table = pd.read_parquet(study / "windows" / "index.parquet").query("kind == 'fixed' and split == 'train'")
dataset = MixedDataset(table.reset_index(drop=True), study / "shards")
rows = loaded(dataset, epoch=2, workers=2)

torch.manual_seed(rank)  # ranks that drew for themselves would disagree
quantizer = VectorQuantizer(24, 6, decay=0.5)
quantizer.start(torch.randn(200, 6))
for step in range(8):
    quantizer(torch.randn(40, 6) + 3 * rank)

tasks = ["age"]
held_out = HeldOutSubjects(dataset.table, tasks, label_scales(table, tasks), label_means(table, tasks))
codes = torch.from_numpy(pd.factorize(dataset.table["subject"], sort=True)[0])
mine = torch.arange(len(codes))[rank::2]
held_out.add(codes[mine], {"age": torch.sin(mine.float())})
torch.save({"rows": rows, "codes": quantizer.codes, "usage": quantizer.usage, "metrics": held_out.metrics()},
           f"{meeting}.{rank}")
"""


@pytest.fixture(scope="module")
def ranks(study, in_two_processes, tmp_path_factory) -> list[dict]:
    """What two processes make of one study, over gloo."""
    meeting = tmp_path_factory.mktemp("ranks") / "meeting"
    in_two_processes(RANK, meeting, study.root, Path(__file__).parent)
    return [torch.load(f"{meeting}.{rank}", weights_only=True) for rank in range(2)]


def test_two_processes_share_the_batches_of_one_and_workers_change_nothing(study, ranks):
    table = study.table.query("kind == 'fixed' and split == 'train'").reset_index(drop=True)
    alone = loaded(MixedDataset(table, study.shards), epoch=2, workers=0)
    assert len(alone) == len(ranks[0]["rows"]) == len(ranks[1]["rows"])
    for whole, first, second in zip(alone, ranks[0]["rows"], ranks[1]["rows"], strict=True):
        assert sorted(torch.cat((first, second)).tolist()) == sorted(whole.tolist())
        assert abs(len(first) - len(second)) <= 1


def test_all_ranks_learn_one_codebook_from_the_vectors_of_all(ranks):
    assert torch.equal(ranks[0]["codes"], ranks[1]["codes"])
    assert torch.equal(ranks[0]["usage"], ranks[1]["usage"])
    assert (ranks[0]["codes"].sum(dim=1) > 2).any()  # towards the second rank's vectors


def test_errors_by_subject_are_over_the_windows_of_all_ranks(study, ranks):
    table = study.table.query("kind == 'fixed' and split == 'train'").reset_index(drop=True)
    held_out = HeldOutSubjects(table, ["age"], label_scales(table, ["age"]), label_means(table, ["age"]))
    codes = torch.from_numpy(pd.factorize(table["subject"], sort=True)[0])
    held_out.add(codes, {"age": torch.sin(torch.arange(len(codes)).float())})
    expected = held_out.metrics()
    assert expected
    for rank in ranks:
        assert rank["metrics"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("at_most", "expected"), [(10, {"hbn": 7, "tuh": 3}), (1000, {"hbn": 24, "tuh": 12})]
)
def test_each_archive_has_its_share_of_the_validation_windows_as_far_as_it_has_as_many(
    study, at_most, expected
):
    table = study.table.query("kind == 'fixed'")
    parts = [table[table["split"] == split].reset_index(drop=True) for split in ("train", "validation")]
    phase = PretrainPhase(**PHASE, max_validation_windows=at_most)
    data = MixedDataModule(*parts, shards=study.shards, phase=phase, compute=Devices(accelerator="cpu"))
    rows = [row for batch in data.validation_sampler() for row in batch]
    assert parts[1].loc[rows, "dataset"].value_counts().to_dict() == expected
