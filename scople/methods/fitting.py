"""One loop that trains every method, and one that scores with it.

Backbone and text encoder are frozen, so all of training sees the same features; they lie on the device whole. What a
training is told of texts are those of the seen classes: there is no way to hand it others.
"""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int

from scople.base.artefacts import not_finite
from scople.base.checkpoints import Checkpoint, History
from scople.base.errors import ScopleError
from scople.base.progress import progress
from scople.base.seeding import torch_generator
from scople.methods.method import ClassTexts, Method, Progress, Samples
from scople.methods.recipe import Recipe


def fit(
    method: Method,
    recipe: Recipe,
    features: Float32[np.ndarray, "N I V D"],
    targets: Int[np.ndarray, " N"],
    texts: ClassTexts,
    *,
    seed: int,
    device: torch.device,
    checkpoint: Checkpoint | None = None,
) -> History:
    """Train in place. The last step is the result.

    Args:
        method: moved to the device.
        recipe: how.
        features: of the seen classes' training samples.
        targets: row in `texts` of each sample.
        texts: of the seen classes.
        seed: root seed; decides the order of the samples and what a method draws.
        device: where to train.
        checkpoint: of a training that was killed, to go on from; kept up to date.

    Returns:
        For each epoch its number, from 1, and the means over its samples of the loss of "model" and its terms; those
        of another group begin with its name and stand only in epochs in which it was stepped.

    Raises:
        ScopleError: the features have other intervals than the method reads, the samples make no batch, or a loss or a
            weight is no longer finite.
    """
    if features.shape[1] != method.intervals:
        raise ScopleError(
            f"The features have {features.shape[1]} intervals of time, but {type(method).__name__} reads "
            f"{method.intervals}: give it features with as many."
        )
    method.to(device).train()
    texts = texts.to(device)
    samples = Samples(torch.tensor(features, device=device), torch.tensor(targets, device=device))
    method.begin(samples, texts)
    optimisers = recipe.optimisers(method.groups())
    order, noise = torch_generator(seed, "training", "order"), torch_generator(seed, "training", "noise")
    parts = {f"optimiser of {name}": optimiser for name, optimiser in optimisers.items()}
    state = {"method": method, **parts, "order": order, "noise": noise}
    history = checkpoint.restore(state) if checkpoint else []
    lengths = recipe.lengths(len(targets), method.smallest_batch)
    rate = 0.0
    for epoch in progress(range(len(lengths)), "training", unit="epoch", done=len(history)):
        sums, counts = {}, {}  # on the device, read once an epoch: it never waits for the host
        batches = recipe.batches(len(targets), lengths[epoch], order, device)
        for step, rows in enumerate(batches, sum(lengths[:epoch])):
            at = Progress(step=step, steps=sum(lengths), epoch=epoch, epochs=len(lengths))
            rate = recipe.rate(at)
            batch = Samples(samples.features[rows], samples.targets[rows])
            for update in method.updates(batch, texts, at, noise):
                optimiser = optimisers[update.group]
                for group in optimiser.param_groups:
                    group["lr"] = rate
                optimiser.zero_grad()
                update.loss.backward()
                optimiser.step()
                numbers = len(rows) * torch.stack([update.loss, *update.terms.values()]).detach()
                names = tuple(_column(update.group, name) for name in ("loss", *update.terms))
                sums[names] = sums[names] + numbers if names in sums else numbers
                counts[names] = counts.get(names, 0) + len(rows)
        means = {}
        for names, numbers in sums.items():
            means |= dict(zip(names, (numbers / counts[names]).tolist(), strict=True))
        for name, mean in means.items():
            if not math.isfinite(mean):
                raise ScopleError(
                    f"The training's {name} is {mean} in epoch {epoch + 1} at learning rate {rate}: lower the rate."
                )
        if name := not_finite(method.state_dict()):  # the last update comes after the last loss
            raise ScopleError(
                f"{name} of the method is not finite after epoch {epoch + 1} at learning rate {rate}: lower it."
            )
        history.append({"epoch": epoch + 1, **means})
        if checkpoint:
            checkpoint.save(state, history, is_last=epoch + 1 == len(lengths))
    return history


def _column(group: str, name: str) -> str:
    return name if group == "model" else f"{group}_{name}"


def score(
    method: Method,
    features: Float32[np.ndarray, "N I V D"],
    texts: ClassTexts,
    *,
    batch_size: int,
    device: torch.device,
    seed: int,
    samples: Samples | None = None,
) -> Float32[np.ndarray, "N K"]:
    """Scores of every sample for every candidate class.

    Args:
        method: moved to the device.
        features: of the samples.
        texts: of the candidate classes.
        batch_size: samples at a time; it changes nothing but memory and rounding.
        device: where to compute.
        seed: root seed; decides what a method draws to prepare for the candidates.
        samples: training samples of those candidates that are seen classes, see `Method.prepare`.

    Returns:
        Columns in the order of `texts`; the largest is the predicted class.

    Raises:
        ScopleError: a score is not finite.
    """
    method.to(device).eval()
    generator = torch_generator(seed, "scoring")
    candidates = method.prepare(texts.to(device), generator, None if samples is None else samples.to(device))
    with torch.no_grad():
        parts = [
            method.scores(torch.tensor(part, device=device), candidates).float().cpu()
            for part in np.split(features, range(batch_size, len(features), batch_size))
        ]
    scores = torch.cat(parts)
    if bad := int((~scores.isfinite()).any(dim=1).sum()):
        raise ScopleError(
            f"The scores of {bad} of {len(scores)} samples are not finite: lower the learning rates of the training, "
            "or extract the features again."
        )
    return scores.numpy()


def score_seen_and_unseen(
    method: Method,
    features: Float32[np.ndarray, "N I V D"],
    texts: ClassTexts,
    seen: int,
    *,
    samples: Samples | None,
    **running: Any,
) -> tuple[Float32[np.ndarray, "N S"], Float32[np.ndarray, "N U"]]:
    """Scores of every sample for the seen classes, and for the unseen ones.

    Args:
        method: trained.
        features: of the samples.
        texts: of the seen classes, then of the unseen ones.
        seen: how many are seen.
        samples: training samples of the seen classes; read by a method that fits a classifier of its candidates.
        **running: as `score` takes it.

    Raises:
        ScopleError: a score is not finite.
    """
    if not method.fits_candidates:
        scores = score(method, features, texts, **running)
        return scores[:, :seen], scores[:, seen:]
    rows = list(range(len(texts)))
    return (
        score(method, features, texts.rows(rows[:seen]), samples=samples, **running),
        score(method, features, texts.rows(rows[seen:]), **running),
    )
