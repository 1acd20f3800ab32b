"""The reference of all settings, written from the models: docs/settings.md."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cerebro.config import analyses, archives, encoders, labels, nodes
from cerebro.config.settings import Settings
from cerebro.config.study import Config

Section = tuple[str, type[Settings], str]

SECTIONS: tuple[Section, ...] = (
    ("Top level", Config, "extends: challenge\nname: first_try"),
    ("`simulation`", archives.Simulation, "simulation: {seed: 1, tuh_subjects: 20}"),
    (
        "`simulation.releases.*`",
        archives.SimulatedRelease,
        "simulation: {releases: {R1: {subjects: 6, format: set}}}",
    ),
    (
        "`datasets.*`",
        archives.Dataset,
        "datasets:\n  rest: {reader: bids, roots: [data/rest], mains_hz: 50, groups: 4}",
    ),
    ("`download`", archives.Download, "download: {releases: [R1, R5], format: bdf_mini, folder: data/hbn}"),
    ("`preprocessing`", archives.Preprocessing, "preprocessing: {band: [0.5, 45]}"),
    ("`quality`", archives.Quality, "quality: {mains_hz: 50, noisy_deviations: 6}"),
    (
        "`labels.*` of persons",
        labels.PersonLabel,
        "labels:\n  age: {of: person, column: age, range: [0, 120]}\n"
        "  epilepsy: {of: person, column: group, classes: [control, epilepsy]}",
    ),
    (
        "`labels.*` of recordings",
        labels.RecordingLabel,
        "labels:\n  abnormal: {of: recording, entity: folder, classes: [normal, abnormal]}",
    ),
    (
        "`labels.*` of intervals",
        labels.IntervalLabel,
        "labels:\n  eyes: {of: interval, column: trial_type, classes: [open, closed], settle_seconds: 1}",
    ),
    (
        "`labels.*` of events",
        labels.EventLabel,
        "labels:\n  speed: {of: event, at: target, column: response_time, window: [0, 2], range: [0.2, 2]}",
    ),
    (
        "`labels.*` of moments",
        labels.MomentLabel,
        "labels:\n  movie: {of: moment, column: stimulus, classes: all, grid_seconds: 2}",
    ),
    ("`windows`", archives.Windows, "windows: {max_peak_to_peak: 500}"),
    ("`splits`", archives.Splits, "splits:\n  test: {share: 0.3, seed: 1}\n  together: family"),
    ("`splits.test`, `splits.validation`", archives.People, "splits: {test: {folders: [eval]}}"),
    (
        "`encoder`, this package's own",
        encoders.EncoderSettings,
        "encoder: {dim: 128, depth: 4, adapter: zero_pad}",
    ),
    (
        "`encoder`, a network of braindecode",
        encoders.BraindecodeSettings,
        "encoder: {braindecode: CBraMod, weights: weights/cbramod.safetensors}",
    ),
    ("`phases.*`, every node", nodes.Node, "phases: {tokenizer: {kind: tokenizer, seed: 3}}"),
    (
        "`phases.*`, every training",
        nodes.Phase,
        "phases:\n  tokenizer: {kind: tokenizer, epochs: 40, steps_per_epoch: 100, keep: last}",
    ),
    (
        "`phases.*` of kind `tokenizer`",
        nodes.TokenizerPhase,
        "phases: {tokenizer: {kind: tokenizer, codes: 512}}",
    ),
    (
        "`phases.*` of kind `pretrain`",
        nodes.PretrainPhase,
        "phases:\n  pretrain: {kind: pretrain, target: spectrum, mix: {rest: 1.0}, auxiliary: {age: 1}}",
    ),
    (
        "`phases.*` of kind `contrast`",
        nodes.ContrastPhase,
        "phases:\n  contrast: {kind: contrast, init: pretrain, sources: {eyes: 0.7, movie: 0.3}}",
    ),
    (
        "`phases.*` of kind `finetune`",
        nodes.FinetunePhase,
        "phases:\n  diagnosis: {kind: finetune, init: contrast, target: epilepsy, layer_decay: 0.65}",
    ),
    (
        "`phases.*` of kind `baseline`",
        nodes.BaselinePhase,
        "phases:\n  linear: {kind: baseline, target: age, features: covariance}",
    ),
    ("`probes`", analyses.Probes, "probes: {targets: [eyes, age, identity]}"),
    ("`adapters`", analyses.AdapterComparison, "adapters: {seeds: [0, 1], steps: 200}"),
    ("`isc`", analyses.InterSubject, "isc: {label: movie, max_subjects: 20}"),
    (
        "`submission`",
        analyses.Submission,
        "submission: {challenge_1: [a, b], challenge_2: c, weights: validation}",
    ),
    (
        "`ablations`",
        analyses.Ablations,
        "ablations:\n  seeds: [0, 1]\n  variants:\n    no_contrast: {reaction_time: {init: pretrain}}",
    ),
    ("`statistics`", analyses.Statistics, "statistics: {resamples: 5000}"),
    ("`compute`", analyses.Compute, "compute: {accelerator: gpu, precision: bf16-mixed, workers: 8}"),
)
"""Headings, models, and an example of each."""

_HEAD = """# Settings

Every key of a configuration, with its default. `make settings` writes this page from the models in
[src/cerebro/config/](../src/cerebro/config). [configuration.md](configuration.md) says how files are merged,
[labels.md](labels.md) explains declarations of labels.
"""


def reference() -> str:
    """Write the page as Markdown."""
    parts = [_HEAD]
    shown: dict[type[Settings], set[str]] = {}
    for heading, model, example in SECTIONS:
        inherited = {name for base in model.__mro__[1:] if base in shown for name in shown[base]}
        shown[model] = set(model.model_fields)
        rows = [row for name, row in _rows(model) if name not in inherited or model is Config]
        text = " ".join((model.__doc__ or "").split("\n\n")[0].split())
        parts.append(f"\n## {heading}\n\n{text}\n\n```yaml\n{example}\n```\n")
        parts.append("\n| key | default | |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "".join(parts)


def _rows(model: type[Settings]) -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        text = " ".join((field.description or "").split()).replace("|", "\\|")
        default = "" if field.is_required() else _default(field.get_default(call_default_factory=True))
        yield name, f"| `{name}` | {default} | {text} |"


def _default(value: Any) -> str:
    if isinstance(value, Settings):
        value = value.model_dump(mode="json", exclude_defaults=True)
        return f"`{json.dumps(value)}`" if value else "its own defaults"
    plain = json.dumps(value, default=lambda other: list(other) if isinstance(other, tuple) else str(other))
    return f"`{plain}`"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
