"""The metrics of masked modelling beside no knowledge and linear interpolations."""

import lightning as L
import pandas as pd
import pytest
import torch

from cerebro.files import read_json
from cerebro.losses.masked import random_masks
from cerebro.losses.spectrum import spectral_targets
from cerebro.models.measured import MeasuredPatches
from cerebro.phases.masked_references import References, reference_metrics, training_batches
from cerebro.phases.masked_targets import SignalTarget, SpectrumTarget
from cerebro.phases.pretrain import build
from cerebro.recordings.montages import layout_positions

pytestmark = pytest.mark.slow

METRICS = {
    "codes": ("loss", "accuracy"),
    "spectrum": ("loss", "amplitude", "phase"),
    "signal": ("loss", "waveform", "level"),
}
REFERENCES = ("no_knowledge", "linear_space", "linear_time", "linear_both")
SEED = 4
LAYOUT = torch.from_numpy(layout_positions("ten_twenty"))


def settings(target: str) -> dict:
    return {"target": target} if target == "codes" else {"target": target, "tokenizer": None}


@pytest.mark.parametrize("target", METRICS)
def test_a_model_that_predicts_the_constant_scores_exactly_as_no_knowledge_does(job, trained, target):
    """Through the phase itself: the same windows, masks, losses and averages."""
    module, data = build(job("pretrain", auxiliary={}, **settings(target)))
    references = References(module.target, training_batches(data, torch.device("cpu")), mask_share=0.5)
    torch.nn.init.zeros_(module.model.decoder.output.weight)
    with torch.no_grad():
        module.model.decoder.output.bias.copy_(references.constant)
    trainer = L.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    (found,) = trainer.validate(module, datamodule=data, verbose=False)
    for metric in METRICS[target]:
        assert found[f"val/masked_{metric}"] == pytest.approx(
            found[f"val/masked_{metric}_no_knowledge"], rel=1e-5
        )
    if target != "codes":
        share = {"signal": "waveform", "spectrum": "phase"}[target]
        assert found[f"val/masked_{share}_no_knowledge"] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("target", METRICS)
def test_references_stand_in_metrics_and_in_every_row_of_the_history(train, trained, target):
    folder = trained["pretrain"]
    if target != "codes":
        folder = train("pretrain", f"referenced_{target}", auxiliary={}, **settings(target))
    metrics, history = read_json(folder / "metrics.json"), pd.read_csv(folder / "history.csv")
    for metric in METRICS[target]:
        for reference in REFERENCES:
            name = f"val/masked_{metric}_{reference}"
            assert (history[name] == history[name].iloc[0]).all()
            assert history[name].iloc[0] == pytest.approx(metrics[name])


def test_after_training_no_archive_leaks_more_than_its_reference(trained):
    metrics = read_json(trained["pretrain"] / "metrics.json")
    history = pd.read_csv(trained["pretrain"] / "history.csv")
    for dataset in ("hbn", "tuh"):
        assert metrics[f"leak/{dataset}"] - metrics[f"reference_share/{dataset}"] < 0.02
        assert 0 < metrics[f"reference_share/{dataset}"] < 0.2
        assert len(history[f"leak/{dataset}"].dropna()) == len(history)


def test_the_spectrum_s_no_knowledge_is_the_error_of_the_training_mean(job):
    module, data = build(job("pretrain", target="spectrum", tokenizer=None, auxiliary={}))
    batches = list(training_batches(data, torch.device("cpu")))
    references = References(module.target, batches, mask_share=0.5)
    hidden = torch.ones(2 * len(batches[0]["signal"]), 84, dtype=torch.bool)
    patches = torch.cat(
        [p[s] for p, s in (module.target.measure(b["signal"], b["positions"]) for b in batches)]
    )
    mean = spectral_targets(patches)[0][:, 0].mean(dim=0)
    patches, scored = module.target.measure(batches[0]["signal"], batches[0]["positions"])
    expected = (spectral_targets(patches[scored])[0][:, 0] - mean).square().mean()
    found = reference_metrics(references, [(batches[0], hidden)])
    assert found["amplitude_no_knowledge"] == pytest.approx(expected.item(), rel=1e-4)


def windows(n: int, mixing: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """White noise of sources, mixed into the 21 electrodes of the layout."""
    sources = torch.randn(n, mixing.shape[1], 200, generator=generator)
    signal = 20 * mixing @ sources + 2 * torch.randn(n, 21, 200, generator=generator)
    return {"signal": signal, "positions": LAYOUT.expand(n, -1, -1)}


def test_sources_that_reach_many_electrodes_are_interpolated_in_space_and_noise_is_not():
    print(f"seed {SEED}")
    generator = torch.Generator().manual_seed(SEED)
    masks = random_masks(16, 84, 0.5, generator)
    hidden = torch.cat((masks, ~masks))
    target = SignalTarget(MeasuredPatches(LAYOUT, 50, "recorded"))
    few = torch.randn(21, 3, generator=generator)
    for mixing, least, most in ((few, 0.0, 0.1), (torch.eye(21), 0.97, 1.03)):
        training = [windows(16, mixing, generator) for _ in range(12)]
        references = References(target, training, mask_share=0.5)
        found = reference_metrics(references, [(windows(16, mixing, generator), hidden)])
        assert least < found["waveform_linear_space"] < most
        assert 0.97 < found["waveform_linear_time"] < 1.03  # white in time
        assert found["waveform_no_knowledge"] == pytest.approx(1, abs=1e-6)
    spectrum = SpectrumTarget(MeasuredPatches(LAYOUT, 50, "recorded"))
    training = [windows(16, few, generator) for _ in range(12)]
    references = References(spectrum, training, mask_share=0.5)
    found = reference_metrics(references, [(windows(16, few, generator), hidden)])
    assert found["phase_linear_space"] < 0.15 < 0.9 < found["phase_linear_time"]
    assert found["amplitude_linear_space"] < 0.4 * found["amplitude_no_knowledge"]
