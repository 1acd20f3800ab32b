"""What every metric of masked modelling stands beside: no knowledge, and linear interpolations.

They are measured on the same windows, under the same masks and by the same losses as the model.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from cerebro.data.modules import WindowDataModule
from cerebro.losses.masked import random_masks
from cerebro.phases.interpolation import Covariances, Interpolation, fit_covariances, interpolate, level
from cerebro.phases.masked_targets import MaskedTarget

COVARIANCE_WINDOWS = 512
"""Training windows, at most, that constants and covariances are estimated from."""
CALIBRATION_WINDOWS = 64
"""Of these, those of which covariances know nothing: places are hidden in them to see how far off an
interpolation is, and to scale it."""
LINEAR: tuple[Interpolation, ...] = ("space", "time", "both")
NO_KNOWLEDGE = "no_knowledge"

Batch = Mapping[str, Tensor]


@dataclass(frozen=True)
class Interpolator:
    """One linear interpolation of one target, fitted on training windows.

    Parameters
    ----------
    space, time : Tensor
        Factors of the covariance.
    error : Tensor, shape (n_channels, n_bins)
        Mean squared error of the interpolated spectrum, of windows of power 1.
    scale : callable
        From features to predictions, see :meth:`MaskedTarget.calibrated`.
    """

    space: Tensor
    time: Tensor
    error: Tensor
    scale: Callable[[Tensor], Tensor]


class References:
    """No knowledge and linear interpolations of a target, fitted on training windows.

    Parameters
    ----------
    target : MaskedTarget
    windows : iterable of mapping
        Training batches on the target's device.
    mask_share : float
        Share of tokens that is hidden; 0 where nothing is, and nothing interpolated.
    """

    def __init__(self, target: MaskedTarget, windows: Iterable[Batch], *, mask_share: float) -> None:
        self.target = target
        self.linear: dict[str, Interpolator] = {}
        measured, fields = [], []
        for batch in windows:
            measured.append(target.measure(batch["signal"], batch["positions"]))
            if mask_share:
                fields.append(target.field(batch["signal"], batch["positions"]))
        self.constant = target.constant(torch.cat([targets[scored] for targets, scored in measured]))
        if not mask_share:
            return
        n_calibrated = min(-(-CALIBRATION_WINDOWS // len(fields[0][0])), max(1, len(fields) // 2))
        rest = fields[n_calibrated:] or fields
        covariances = fit_covariances((field.flatten(2), present) for field, present in rest)
        generator = torch.Generator().manual_seed(0)
        calibration = []
        for (field, present), (targets, scored) in zip(fields[:n_calibrated], measured, strict=False):
            masks = random_masks(len(field), scored.shape[1], mask_share, generator).to(field.device)
            calibration.append((field, present, targets, scored, masks))
        self.linear |= {name: self._fitted(covariances, name, calibration) for name in LINEAR}

    def _fitted(
        self, covariances: Covariances, kind: Interpolation, calibration: Sequence[tuple[Tensor, ...]]
    ) -> Interpolator:
        space, time = covariances.factors(kind)
        expected = [
            _expected(field, present, masks, space, time) for field, present, *_, masks in calibration
        ]
        squared = counted = torch.zeros(())
        for (field, present, *_, masks), (found, scale) in zip(calibration, expected, strict=True):
            missed = torch.fft.rfft((field - found) / scale.unsqueeze(-1), norm="ortho").abs().square()
            counts = (masks.view((*present.shape, -1)) & present.unsqueeze(2)).float()
            squared = squared + torch.einsum("bcp,bcpf->cf", counts, missed)
            counted = counted + counts.sum(dim=(0, 2))
        error = squared / counted.clamp(min=1).unsqueeze(1)
        features, targets = [], []
        for (field, present, wanted, scored, masks), (found, scale) in zip(
            calibration, expected, strict=True
        ):
            asked = scored & masks
            features.append(self._read(field, present, masks, found, scale, error)[asked])
            targets.append(wanted[asked])
        return Interpolator(
            space, time, error, self.target.calibrated(torch.cat(features), torch.cat(targets))
        )

    def _read(
        self, field: Tensor, present: Tensor, hidden: Tensor, found: Tensor, scale: Tensor, error: Tensor
    ) -> Tensor:
        unknown = hidden.view((*present.shape, -1)).unsqueeze(-1)
        spread = (error.unsqueeze(1) * scale.unsqueeze(-1).square()).expand(*field.shape[:3], -1)
        return self.target.read(torch.where(unknown, found, field), spread * unknown, present)

    def predictions(self, batch: Batch, hidden: Tensor) -> dict[str, Tensor]:
        """Predictions (batch, n_tokens, n_outputs) of each reference for one view of a batch of windows."""
        values = {NO_KNOWLEDGE: self.constant.expand(*hidden.shape, -1)}
        if self.linear:
            field, present = self.target.field(batch["signal"], batch["positions"])
        for name, fitted in self.linear.items():
            found, scale = _expected(field, present, hidden, fitted.space, fitted.time)
            features = self._read(field, present, hidden, found, scale, fitted.error)
            values[f"linear_{name}"] = fitted.scale(features)
        return values


def training_batches(data: WindowDataModule, device: torch.device) -> Iterator[dict[str, Tensor]]:
    """The first batches of a training, whole on every rank, of at most :data:`COVARIANCE_WINDOWS` windows."""
    sampler = data.train_sampler()
    for step in range(-(-COVARIANCE_WINDOWS // data.phase.batch_size)):
        yield _moved(data.train[sampler.draw(step)], device)


def validation_batches(data: WindowDataModule, device: torch.device) -> Iterator[dict[str, Tensor]]:
    """The validation batches of every epoch, this rank's share of them."""
    for rows in data.validation_sampler():
        yield _moved(data.validation[rows], device)


def _moved(batch: Batch, device: torch.device) -> dict[str, Tensor]:
    return {name: values.to(device) for name, values in batch.items()}


def _expected(
    field: Tensor, present: Tensor, hidden: Tensor, space: Tensor, time: Tensor
) -> tuple[Tensor, Tensor]:
    """Interpolated patches (batch, n_channels, n_patches, patch_samples), and the visible windows' level."""
    visible = present.unsqueeze(2) & ~hidden.view((*present.shape, -1))
    shown = visible.unsqueeze(-1).expand_as(field).flatten(2)
    scale = level(field.flatten(2), shown)
    found = interpolate(field.flatten(2) / scale, shown, space, time) * scale
    return found.view_as(field), scale


def reference_metrics(references: References, windows: Iterable[tuple[Batch, Tensor]]) -> dict[str, float]:
    """Metrics of every reference, means over windows as those of the model.

    Parameters
    ----------
    references : References
    windows : iterable of (mapping, Tensor)
        Validation batches of this rank, and what is hidden in each of two views, (2 * batch, n_tokens).

    Returns
    -------
    dict
        ``<metric>_<reference>``, over the windows of all ranks.
    """
    target, sums, count = references.target, dict[str, Tensor](), torch.zeros(())
    for batch, hidden in windows:
        targets, has_target = target.measure(batch["signal"], batch["positions"])
        views = [references.predictions(batch, view) for view in hidden.chunk(2)]
        twice = torch.cat((targets, targets))
        scored = has_target.repeat(2, 1) & hidden
        for name in views[0]:
            both = torch.cat([view[name] for view in views])
            for metric, value in target.compare(both, twice, scored).items():
                key = f"{metric}_{name}"
                sums[key] = sums.get(key, torch.zeros((), device=value.device)) + value.float() * len(targets)
        count = count + len(targets)
    totals = torch.stack([*sums.values(), count.to(next(iter(sums.values())))])
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(totals)
    return dict(zip(sums, (totals[:-1] / totals[-1]).tolist(), strict=True))
