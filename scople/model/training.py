"""Train SCoPLe's prompts, sampler and projection on cached joint features; score samples against class names.

Both backbones are frozen, so the features do not change during training; all of them are kept on the device.
"""

import math
from contextlib import nullcontext
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32, Int

from scople.base.artefacts import not_finite
from scople.base.checkpoints import Checkpoint, History
from scople.base.errors import ScopleError
from scople.base.progress import progress
from scople.base.seeding import torch_generator
from scople.model.losses import TrainingQuery, skeleton_to_text, text_to_skeleton, training_logits, weighted
from scople.model.scople import SCoPLe


def fit(
    model: SCoPLe,
    features: Float32[np.ndarray, "N V D"],
    targets: Int[np.ndarray, " N"],
    class_names: list[str],
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    autocast: Literal["none", "bfloat16"],
    training_query: TrainingQuery,
    text_weight: float,
    seed: int,
    device: torch.device,
    checkpoint: Checkpoint | None = None,
) -> History:
    """Train in place with Adam (0.9, 0.999), no schedule, no decay. Unstated: the last epoch is the result.

    Samples are shuffled anew for every epoch; the last batch of an epoch may be smaller.

    Args:
        model: moved to the device; only parameters that require gradients change.
        features: joint features of the seen classes' training samples.
        targets: row in `class_names` of each sample.
        class_names: the seen classes.
        epochs: passes over the samples.
        batch_size: samples a step.
        learning_rate: of Adam.
        autocast: "bfloat16" lets torch compute embeddings and logits in bfloat16 where it considers that safe;
            parameters, losses and Adam stay in float32. With "none" everything is float32.
        training_query: see `scople.model.losses.training_logits`.
        text_weight: see `scople.model.losses.weighted`.
        seed: root seed; it determines the order of the samples.
        device: where to train.
        checkpoint: an interrupted training is resumed from it, and it is kept up to date.

    Returns:
        For each epoch: its number, from 1, and the loss and its two terms, in nats, as means over the samples.

    Raises:
        ScopleError: the loss or a weight is no longer finite.
    """
    model.to(device).train()
    samples, rows = torch.tensor(features, device=device), torch.tensor(targets, device=device)
    tokens = model.text.tokenize(class_names)
    precision = torch.autocast(device.type, torch.bfloat16) if autocast == "bfloat16" else nullcontext()
    optimiser = torch.optim.Adam(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        lr=learning_rate,
        betas=(0.9, 0.999),
        fused=True,  # the square roots of the plain step differ between CPUs, see `scople.base.arithmetic`
    )
    learns_text = any(parameter.requires_grad and parameter.numel() for parameter in model.text.parameters())
    with torch.no_grad():
        text = model.embed_text(tokens)
    generator = torch_generator(seed, "training", "order")
    state = {"model": model, "optimiser": optimiser, "order": generator}
    history = checkpoint.restore(state) if checkpoint else []
    for epoch in progress(range(1, epochs + 1), "training", unit="epoch", done=len(history)):
        sums = torch.zeros(3, device=device)  # read once an epoch, so that the device is not kept waiting
        for batch in torch.randperm(len(samples), generator=generator).to(device).split(batch_size):
            with precision:
                if learns_text:
                    text = model.embed_text(tokens)
                logits, columns = training_logits(model, samples[batch], text, rows[batch], training_query)
            logits = logits.float()
            terms = skeleton_to_text(logits, columns), text_to_skeleton(logits, columns)
            loss = weighted(*terms, text_weight)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            model.bound_temperature()
            sums += len(batch) * torch.stack([loss, *terms]).detach()
        means = dict(zip(("loss", "skeleton_to_text", "text_to_skeleton"), (sums / len(samples)).tolist(), strict=True))
        if not math.isfinite(means["loss"]):
            raise ScopleError(
                f"The training loss is {means['loss']} in epoch {epoch} at learning rate {learning_rate}: "
                "lower the rate."
            )
        if name := not_finite(dict(model.named_parameters())):  # the last update comes after the last loss
            raise ScopleError(
                f"{name} of the model is not finite after epoch {epoch} at learning rate {learning_rate}: lower it."
            )
        history.append({"epoch": epoch, **means})
        if checkpoint:
            checkpoint.save(state, history, is_last=epoch == epochs)
    return history


def score(
    model: SCoPLe,
    features: Float32[np.ndarray, "N V D"],
    class_names: list[str],
    *,
    batch_size: int,
    device: torch.device,
) -> Float32[np.ndarray, "N K"]:
    """Logits of every sample for every candidate class, eq. 17-18.

    Args:
        model: moved to the device.
        features: joint features.
        class_names: the candidate classes.
        batch_size: samples at a time; it changes only memory and rounding.
        device: where to compute.

    Returns:
        Similarity divided by temperature, columns in the order of `class_names`; the largest is the predicted class.

    Raises:
        ScopleError: a score is not finite.
    """
    model.to(device).eval()
    with torch.no_grad():
        text = model.embed_text(model.text.tokenize(class_names))
        parts = [
            model.class_scores(torch.tensor(part, device=device), text).cpu()
            for part in np.split(features, range(batch_size, len(features), batch_size))
        ]
    scores = torch.cat(parts)
    if bad := int((~scores.isfinite()).any(dim=1).sum()):
        raise ScopleError(
            f"The scores of {bad} of {len(scores)} samples are not finite: lower the learning rates of the training, "
            "or extract the features again."
        )
    return scores.numpy()
