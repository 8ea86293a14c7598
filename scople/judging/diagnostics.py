"""Diagnostics that check the results: how good a score is without its skeleton, and whether a label leaks into it.

Nothing here is a result. `QUANTITIES` is the legend: what each number is, its reference, and what it should be.
`diagnose` measures all of them for one split and one training query.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, get_args

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from scople.base.seeding import numpy_generator
from scople.data.joint_features import TestFeatures, TrainingFeatures
from scople.data.splits import Split, targets, task_targets
from scople.judging.calibration import calibrate_gates
from scople.judging.gates import Gate, apply_gate
from scople.judging.metrics import accuracy, controls, gzsl_metrics, zsl_accuracy
from scople.methods.fitting import fit, score
from scople.methods.method import ClassTexts
from scople.methods.scople import Scople
from scople.model.losses import TrainingQuery, skeleton_to_text, training_logits
from scople.model.scople import SCoPLe

Names = Callable[[tuple[int, ...]], list[str]]
"""Function from labels to their class names."""

Logits = Callable[[Float[Tensor, "M 1 E"], Float[Tensor, "K E"]], Float[Tensor, "M K"]]
"""How a model compares skeletons with texts."""


class Meaning(NamedTuple):
    """The meaning of a quantity.

    Attributes:
        unit: of the value and of its reference.
        reference: the number that the value is compared with.
        reading: what the value must be, or what it shows.
    """

    unit: str
    reference: str
    reading: str


class Measured(NamedTuple):
    """A value and its reference, in the unit of its `Meaning`."""

    value: float
    reference: float


QUANTITIES = {
    "zsl": Meaning("%", "chance", "the headline, which the others are compared with"),
    "zsl_skeletons_shuffled": Meaning("%", "chance", "must be chance: test skeletons shuffled among the samples"),
    "zsl_texts_shuffled": Meaning("%", "chance", "must be chance: each unseen class given each unseen text in turn"),
    "oracle_query_leak": Meaning("%", "zsl", "A LEAK and no result: the text of the true label is the query"),
    "oracle_query_leak_skeletons_shuffled": Meaning(
        "%",
        "chance",
        "A LEAK and no result: the same on skeletons of other samples; above chance the query alone tells",
    ),
    "spread_over_candidates": Meaning(
        "1 - cosine",
        "spread over the samples for one candidate",
        "of V for one sample: 0 if the query changes nothing; above the reference V tells more of query than of sample",
    ),
    "seen_candidates": Meaning(
        "%", "the backbone's own classifier", "seen samples among seen candidates, no gate: must not be far below"
    ),
    "loss": Meaning("nats", "ln of the columns, knowing nothing", "skeleton-to-text term of the last epoch"),
    "loss_trained_on_shuffled": Meaning(
        "nats",
        "ln of the columns, knowing nothing",
        "must not be clearly below: then the loss learns labels without skeletons",
    ),
    "held_out_loss_trained_on_shuffled": Meaning(
        "nats",
        "ln of the columns, knowing nothing",
        "must not be below, however long the training: seen classes of test subjects, shuffled as well, cannot have "
        "been memorised; below, the query tells the label",
    ),
    "seen_candidates_trained_on_shuffled": Meaning(
        "%", "chance", "must be near chance: whole classes are taken for one, so the noise is large"
    ),
    "zsl_trained_on_shuffled": Meaning(
        "%", "chance", "must be near chance: whole classes are taken for one, so the noise is large"
    ),
    **{
        f"{metric}_{gate}": meaning
        for gate in get_args(Gate)
        for metric, meaning in {
            "seen": Meaning("%", "seen_candidates", "S under this gate: cannot be above"),
            "unseen": Meaning("%", "zsl", "U under this gate: cannot be above"),
            "harmonic": Meaning(
                "%", "H on pseudo-unseen classes", "H under this gate: near, if its threshold carries over"
            ),
        }.items()
    },
    "zsl_plain_label": Meaning(
        "%", "zsl", "label text alone, mean of the joints, only the projection learned: prompts should be above it"
    ),
}
"""Every quantity, in the order of the table."""


def diagnose(
    build: Callable[[], Scople],
    plain: Scople,
    training: TrainingFeatures,
    test: TestFeatures,
    split: Split,
    names: Names,
    *,
    gate_holdout: float,
    score_batch_size: int,
    seed: int,
    device: torch.device,
) -> dict[str, Measured]:
    """Measure every quantity of one split under one training query, with four trainings.

    Args:
        build: gives the untrained model, the same each time: it is trained on the true pairs, on shuffled skeletons,
            and without the pseudo-unseen classes.
        plain: an untrained model without prompts or sampler: plain class names and the mean of the joints.
        training: the split's training part.
        test: the split's test part.
        split: the classes.
        names: class names of labels.
        gate_holdout: see `scople.judging.calibration.calibrate_gates`.
        score_batch_size: samples scored at a time.
        seed: root seed.
        device: where to compute.

    Returns:
        Quantity → value and reference, in the order of `QUANTITIES`.
    """
    running = {"seed": seed, "device": device}
    scoring = {"batch_size": score_batch_size, "device": device}

    def texts(labels: tuple[int, ...]) -> ClassTexts:
        return ClassTexts(tuple(names(labels)), {})

    def trained(method: Scople, features: Float[np.ndarray, "N1 V D"]) -> tuple[float, Float[np.ndarray, "N2 K"]]:
        rows = targets(training.labels, split.seen)
        history = fit(method, method.settings.recipe(), features[:, None], rows, texts(split.seen), **running)
        scores = score(method, test.features[:, None], texts(split.seen + split.unseen), **scoring, seed=seed)
        return history[-1]["skeleton_to_text"], scores

    def trial(inner: Split, learned: Int[np.ndarray, " N1"], judged: Int[np.ndarray, " N2"]) -> tuple:
        method, rows = build(), targets(training.labels[learned], inner.seen)
        fit(method, method.settings.recipe(), training.features[learned, None], rows, texts(inner.seen), **running)
        candidates = texts(inner.seen + inner.unseen)
        scores = score(method, training.features[judged, None], candidates, **scoring, seed=seed)
        return tuple(np.split(scores, [len(inner.seen)], axis=1))

    order = numpy_generator(seed, "shuffled training", split.name).permutation(len(training.labels))
    method = build()
    loss, scores = trained(method, training.features)
    misled = build()
    shuffled_loss, shuffled_scores = trained(misled, training.features[order])
    _, plain_scores = trained(plain, training.features)
    gates = calibrate_gates(trial, training, split, gate_holdout=gate_holdout, seed=seed)

    # All models are trained and have scored; only now are test labels used.
    is_unseen, rows = task_targets(split, test.labels)

    def checked(scores: Float[np.ndarray, "N K"]) -> dict[str, float]:
        return controls(
            seen_scores=scores[:, : len(split.seen)],
            unseen_scores=scores[:, len(split.seen) :],
            backbone_scores=test.backbone_scores,
            is_unseen=is_unseen,
            targets=rows,
            generator=numpy_generator(seed, "shuffled skeletons", split.name),
        )

    honest, shuffled, plain_text = checked(scores), checked(shuffled_scores), checked(plain_scores)
    columns = {name: getattr(method.settings, name) for name in ("training_query", "batch_size")}
    nothing = knowing_nothing(samples=len(training.labels), classes=len(split.seen), **columns)
    held_out = held_out_loss(
        misled.model,
        test.features[~is_unseen],
        rows[~is_unseen],
        names(split.seen),
        generator=numpy_generator(seed, "shuffled held-out", split.name),
        device=device,
        **columns,
    )
    measured = {
        "zsl": Measured(honest["zsl"], honest["chance"]),
        "zsl_skeletons_shuffled": Measured(honest["zsl_shuffled"], honest["chance"]),
        "seen_candidates": Measured(honest["seen_candidates"], honest["backbone"]),
        "loss": Measured(loss, nothing),
        "loss_trained_on_shuffled": Measured(shuffled_loss, nothing),
        "held_out_loss_trained_on_shuffled": Measured(
            held_out, knowing_nothing(samples=int((~is_unseen).sum()), classes=len(split.seen), **columns)
        ),
        "seen_candidates_trained_on_shuffled": Measured(shuffled["seen_candidates"], 100 / len(split.seen)),
        "zsl_trained_on_shuffled": Measured(shuffled["zsl"], honest["chance"]),
        "zsl_plain_label": Measured(plain_text["zsl"], honest["zsl"]),
    }
    measured |= _of_queries(
        method, test.features[is_unseen], rows[is_unseen], names(split.unseen), honest["zsl"], **scoring
    )
    for gate, chosen in gates.items():
        seen_scores, unseen_scores = np.split(scores, [len(split.seen)], axis=1)
        predicted = apply_gate(gate, seen_scores, unseen_scores, chosen["threshold"])
        metrics = gzsl_metrics(
            unseen_scores=unseen_scores,
            predicted_unseen=predicted.is_unseen,
            predicted_targets=predicted.targets,
            is_unseen=is_unseen,
            targets=rows,
        )
        measured[f"seen_{gate}"] = Measured(metrics["seen"], honest["seen_candidates"])
        measured[f"unseen_{gate}"] = Measured(metrics["unseen"], metrics["zsl"])
        measured[f"harmonic_{gate}"] = Measured(metrics["harmonic"], chosen["harmonic"])
    return {name: measured[name] for name in QUANTITIES}


def _of_queries(
    method: Scople,
    features: Float[np.ndarray, "N V D"],
    targets: Int[np.ndarray, " N"],
    candidates: list[str],
    zsl: float,
    **scoring: Any,
) -> dict[str, Measured]:
    """The quantities that depend on the texts and queries of the unseen classes."""
    chance, model = 100 / len(candidates), method.model
    skeletons, text = embed_for_every_query(model, features, candidates, **scoring)
    leak, shuffled_leak = oracle_query_leak(model.logits, skeletons, text, targets)
    return {
        "zsl_texts_shuffled": Measured(zsl_texts_shuffled(method, features, targets, candidates, **scoring), chance),
        "oracle_query_leak": Measured(leak, zsl),
        "oracle_query_leak_skeletons_shuffled": Measured(shuffled_leak, chance),
        "spread_over_candidates": Measured(*spreads(skeletons)),
    }


def diagnostics_table(measured: Mapping[str, Measured], **about: str) -> pd.DataFrame:
    """The quantities with their meaning, one row for each.

    Args:
        measured: quantity → value and reference.
        **about: column → what every row says of the measured model, such as its split.

    Returns:
        Columns of `about`, quantity, value, unit, reference (the number), reference_is (its meaning) and reading.
    """
    rows = [
        {
            **about,
            "quantity": name,
            "value": value,
            "unit": QUANTITIES[name].unit,
            "reference": reference,
            "reference_is": QUANTITIES[name].reference,
            "reading": QUANTITIES[name].reading,
        }
        for name, (value, reference) in measured.items()
    ]
    return pd.DataFrame(rows).round(4)


@torch.no_grad()
def held_out_loss(
    model: SCoPLe,
    features: Float[np.ndarray, "N V D"],
    targets: Int[np.ndarray, " N"],
    class_names: list[str],
    *,
    training_query: TrainingQuery,
    batch_size: int,
    generator: np.random.Generator,
    device: torch.device,
) -> float:
    """Skeleton-to-text loss in nats on held-out samples whose skeletons are shuffled among them.

    With `training_query` "candidate" and equally many samples of each of K classes, no model has an expected loss below
    ln K: shuffled skeletons carry no information, and nothing else distinguishes two samples.

    Args:
        model: moved to the device.
        features: joint features of held-out samples of seen classes.
        targets: row of each sample's class in `class_names`.
        class_names: the seen classes.
        training_query: see `scople.model.losses.training_logits`.
        batch_size: samples a step, as in training: with "own" it is the number of columns.
        generator: draws the order of the samples and, independently, the order of their skeletons.
        device: where to compute.

    Returns:
        The mean over the samples.
    """
    model.to(device).eval()
    text = model.embed_text(model.text.tokenize(class_names))
    skeletons = torch.tensor(features[generator.permutation(len(features))], device=device).split(batch_size)
    rows = torch.tensor(targets[generator.permutation(len(targets))], device=device).split(batch_size)
    total = 0.0
    for part, of_part in zip(skeletons, rows, strict=True):
        total += len(part) * skeleton_to_text(*training_logits(model, part, text, of_part, training_query)).item()
    return total / len(features)


def knowing_nothing(training_query: TrainingQuery, *, samples: int, classes: int, batch_size: int) -> float:
    """Skeleton-to-text loss in nats of constant logits: ln of the number of columns.

    Args:
        training_query: "candidate" has a column for each class, "own" one for each sample of the batch.
        samples: training samples; the last batch of an epoch may be smaller than the others.
        classes: seen classes.
        batch_size: samples a step.

    Returns:
        The mean over the samples of an epoch.
    """
    if training_query == "candidate":
        return math.log(classes)
    full, rest = divmod(samples, batch_size)
    return sum(size * math.log(size) for size in [batch_size] * full + [rest] * (rest > 0)) / samples


def zsl_texts_shuffled(
    method: Scople,
    features: Float[np.ndarray, "N V D"],
    targets: Int[np.ndarray, " N"],
    class_names: list[str],
    *,
    batch_size: int,
    device: torch.device,
) -> float:
    """ZSL in per cent with the class texts shuffled, mean over the K rotations of the names.

    In the K rotations, every class gets every text once. So the mean is 100 / K for any score that knows a class only
    by its text.

    Args:
        method: trained.
        features: joint features of samples of unseen classes.
        targets: row of each sample's class in `class_names`.
        class_names: the K unseen classes.
        batch_size: samples at a time.
        device: where to compute.
    """
    rotations = (ClassTexts((*class_names[k:], *class_names[:k]), {}) for k in range(len(class_names)))
    running = {"batch_size": batch_size, "device": device, "seed": 0}  # of which SCoPLe draws nothing
    accuracies = [zsl_accuracy(score(method, features[:, None], each, **running), targets) for each in rotations]
    return float(np.mean(accuracies))


@torch.no_grad()
def embed_for_every_query(
    model: SCoPLe,
    features: Float[np.ndarray, "N V D"],
    class_names: list[str],
    *,
    batch_size: int,
    device: torch.device,
) -> tuple[Float[Tensor, "N K E"], Float[Tensor, "K E"]]:
    """V of every sample for every candidate's text as the query, and the texts F.

    Args:
        model: moved to the device.
        features: joint features.
        class_names: the candidates.
        batch_size: samples at a time.
        device: where to compute.

    Returns:
        V and F, any norm; without a sampler, a sample has the same V for all candidates.
    """
    model.to(device).eval()
    text = model.embed_text(model.text.tokenize(class_names))
    parts = torch.tensor(features, device=device).split(batch_size)
    skeletons = torch.cat([model.embed_skeletons(part, text) for part in parts])
    return skeletons.expand(-1, len(class_names), -1), text


@torch.no_grad()
def oracle_query_leak(
    logits_of: Logits, skeletons: Float[Tensor, "N K E"], text: Float[Tensor, "K E"], targets: Int[np.ndarray, " N"]
) -> tuple[float, float]:
    """A LEAK, NOT A RESULT: accuracy with the text of each sample's true label as the sampler's query.

    The query tells the model the answer. Such numbers have been published (azzh1/PURLS). This one is only for
    comparison with the correct one; nothing else may call this function.

    Args:
        logits_of: gives the logits, V "M 1 E" and F "K E" → "M K".
        skeletons: V of sample n for query k, from `embed_for_every_query`.
        text: F of the candidates.
        targets: row of each sample's true class in `text`: the leak.

    Returns:
        In per cent: the accuracy, and its mean over all shuffles of the skeletons among the samples, in which only the
        query can tell the label.
    """
    logits = logits_of(skeletons.flatten(0, 1).unsqueeze(1), text)  # each V against all texts, not only its query
    named = logits.argmax(dim=1).view(skeletons.shape[:2]).cpu().numpy()  # prediction for sample n with query k
    is_query = named == np.arange(len(text))
    # Over all shuffles, every sample's query meets every skeleton equally often.
    return accuracy(named[np.arange(len(targets)), targets], targets), 100 * float(
        is_query.mean(axis=0)[targets].mean()
    )


def spreads(skeletons: Float[Tensor, "N K E"]) -> tuple[float, float]:
    """How much V varies with the query, and how much with the sample.

    Args:
        skeletons: V of sample n for query k, any norm.

    Returns:
        Two means of 1 - cosine: over all pairs of queries for the same sample, and over all pairs of samples for the
        same query. 0 if all V are parallel, NaN if there is no pair.
    """
    unit = F.normalize(skeletons, dim=-1)

    def spread(dim: int) -> float:
        count = skeletons.shape[dim]
        if count < 2:
            return float("nan")
        # |sum u|^2 is the sum of all cosines, including those of each vector with itself.
        cosines = unit.sum(dim=dim, dtype=torch.float64).square().sum(dim=-1) - count
        return 1 - cosines.mean().item() / (count * (count - 1))

    return spread(1), spread(0)
