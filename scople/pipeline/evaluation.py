"""A trained variant on the test subjects of a split: ZSL, S, U and H, per class, controls, and data for pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from scople.base.arithmetic import machine
from scople.base.artefacts import content_digest, load_sealed_json, load_weights, save_json, save_sealed_json
from scople.base.files import whole
from scople.base.params import Params
from scople.base.seeding import numpy_generator
from scople.data.class_names import ClassEntry, names_of
from scople.data.joint_features import TestFeatures, TrainingFeatures, load_features
from scople.data.splits import Split, targets, task_targets
from scople.judging.attention import attention_by_class, attention_table
from scople.judging.certainty import over_seeds
from scople.judging.gates import Gate, Predictions, apply_gate, log_shares
from scople.judging.judge import judge
from scople.judging.provenance import provenance, untrained_loss
from scople.methods.fitting import score_seen_and_unseen
from scople.methods.method import ClassTexts, Method, Samples
from scople.pipeline.assembly import Assembly, Inputs, build_tower
from scople.pipeline.layout import Layout, identity, load_featured_problem
from scople.pipeline.running import device
from scople.pipeline.training import samples_for
from scople.text.tower import TextTower

CALLS = {
    "": "python -m stages.train {split} {seed}",
    "ablations": "python -m stages.train {split} {seed} {variant}",
    "baselines": "python -m stages.train_splits {variant}",
}
"""Room of a pipeline → how its training is called."""


class Opened(NamedTuple):
    """A repeat of a variant on the test subjects of a split.

    Attributes:
        seed: number of the repeat.
        test: the test subjects' joint features.
        inputs: what the method reads of these samples.
        method: as it stands before training, until `Evaluation.load_learned`.
    """

    seed: str | int
    test: TestFeatures
    inputs: Inputs
    method: Method


class Scored(NamedTuple):
    """What a repeat says of the test samples; no label was read for it.

    Attributes:
        seen: scores of the seen candidates: the method's own, or `log_shares` of the backbone's classifier.
        unseen: the method's scores of the unseen candidates; `log_shares` beside the backbone's.
        calibration: gate → what its calibration chose.
        predictions: gate → its predictions.
        untrained: loss of the method before training, in nats, see `scople.judging.provenance.untrained_loss`.
    """

    seen: Float[np.ndarray, "N S"]
    unseen: Float[np.ndarray, "N U"]
    calibration: dict[Gate, dict[str, Any]]
    predictions: dict[Gate, Predictions]
    untrained: float


@dataclass(frozen=True)
class Evaluation:
    """One variant on one split, and where its files lie."""

    params: Params
    layout: Layout
    split: Split
    classes: Sequence[ClassEntry]
    assembly: Assembly

    @classmethod
    def of(cls, params: Params, layout: Layout, split_name: str, tower: TextTower) -> "Evaluation":
        """The variant that `layout` names, or the one that params.yaml runs.

        Raises:
            ScopleError: no such split or variant, or its features are missing or of other classes.
        """
        split, classes = load_featured_problem(params, split_name)
        dataset = params.dataset_of(split_name)
        return cls(params, layout, split, classes, Assembly.of(params, layout.variant, dataset, tower))

    @property
    def problem(self) -> dict[str, str]:
        """See `scople.pipeline.layout.identity`."""
        return identity(self.split, self.classes)

    @property
    def running(self) -> dict[str, Any]:
        """How to compute."""
        return {"batch_size": self.params.scale.evaluate.batch_size, "device": device(self.params)}

    def open(self, seed: str | int) -> Opened:
        """Read the test samples of a repeat and build its method for them.

        Raises:
            ScopleError: the features are missing, damaged or belong to something else.
        """
        number = self.params.backbone_of(seed)
        test = load_features(TestFeatures, self.layout.features(self.split.name, "test", number), **self.problem)
        inputs = self.assembly.inputs(test, self.layout, number, self.problem)
        width, classes = inputs.features.shape[-1], len(self.split.seen)
        method = self.assembly.build(width, inputs.lengths, classes, self.params.repeat_seed(seed))
        return Opened(seed, test, inputs, method)

    def texts(self, found: Opened, labels: Sequence[int]) -> ClassTexts:
        """What the method of a repeat reads of some classes."""
        return self.assembly.texts(found.method, names_of(self.classes, labels))

    def load_learned(self, found: Opened) -> dict[Gate, dict[str, Any]]:
        """Give the method of a repeat what it learned.

        Returns:
            Gate → what its calibration chose.

        Raises:
            ScopleError: a file is missing, damaged or belongs to something else.
        """
        layout, name, seed = self.layout, self.split.name, found.seed
        again = f"run `{CALLS[layout.room].format(split=name, seed=seed, variant=layout.variant)}`"
        root_seed = self.params.repeat_seed(seed)
        belongs = self.assembly.identity(self.params, root_seed, self.problem, found.test.backbone)
        load_weights(found.method.learned(), "model", layout.model(name, seed), again=again, **belongs)
        return load_sealed_json("gates", layout.gates(name, seed), again=again, **belongs)

    def score(self, found: Opened, texts: ClassTexts) -> Scored:
        """Let a repeat learn, then score every test sample against every candidate.

        Args:
            found: the repeat.
            texts: of the seen classes and then the unseen ones.

        Raises:
            ScopleError: as for `load_learned`.
        """
        method, features = found.method, found.inputs.features
        how = self.running | {"seed": self.params.repeat_seed(found.seed)}
        untrained = untrained_loss(method, texts, features.shape[1:], **how)
        calibration = self.load_learned(found)
        samples = self._learned_samples(found) if method.fits_candidates else None
        seen, unseen = score_seen_and_unseen(method, features, texts, len(self.split.seen), samples=samples, **how)
        if self.assembly.settings.seen_source == "head":  # as in the calibration, `calibrate_gates_of_head`
            seen, unseen = log_shares(found.test.backbone_scores), log_shares(unseen)
        predictions = {gate: apply_gate(gate, seen, unseen, entry["threshold"]) for gate, entry in calibration.items()}
        return Scored(seen, unseen, calibration, predictions, untrained)

    def _learned_samples(self, found: Opened) -> Samples:
        number = self.params.backbone_of(found.seed)
        path = self.layout.features(self.split.name, "training", number)
        training = load_features(TrainingFeatures, path, **self.problem)
        inputs = self.assembly.inputs(training, self.layout, number, self.problem)
        rows = targets(training.labels, self.split.seen)
        return samples_for(found.method, inputs, np.arange(len(rows)), rows)


def evaluate_split(params: Params, layout: Layout, split_name: str) -> str:
    """Score every test sample against every candidate class, then let the gate choose between seen and unseen.

    Args:
        params: the whole of params.yaml.
        layout: where; names the variant.
        split_name: name of the split.

    Returns:
        The outcome in one line.

    Raises:
        ScopleError: no such split or variant; or an input is missing, damaged or belongs to something else.
    """
    variant = layout.variant or params.variant
    evaluation = Evaluation.of(params, layout, split_name, build_tower(params.scale))
    split, classes = evaluation.split, evaluation.classes
    labels = [*split.seen, *split.unseen]
    opened = [evaluation.open(seed) for seed in params.seeds]
    texts = [evaluation.texts(found, labels) for found in opened]
    scored = [evaluation.score(found, read) for found, read in zip(opened, texts, strict=True)]

    # All scores are computed; only from here on are labels read.
    is_unseen, rows = task_targets(split, opened[0].test.labels)
    repeats = [
        judge(
            split,
            classes,
            found.test,
            seen_scores=scores.seen,
            unseen_scores=scores.unseen,
            predictions=scores.predictions,
            calibration=scores.calibration,
            gate=evaluation.assembly.settings.gate,
            heading={"split": split_name, "variant": variant, "seed": found.seed},
            generator=numpy_generator(params.repeat_seed(found.seed), "shuffled skeletons", split_name),
        )
        for found, scores in zip(opened, scored, strict=True)
    ]
    own = rows + is_unseen * len(split.seen)
    attention = [
        attention_by_class(
            found.method,
            found.inputs.features,
            own,
            read,
            seed=params.repeat_seed(found.seed),
            **evaluation.running,
        )
        for found, read in zip(opened, texts, strict=True)
    ]
    candidates = names_of(classes, labels)
    words = {"key": split_name, "item": variant, "item.split": split_name, "item.variant": variant}
    known = provenance(
        params,
        layout.room,
        words,
        split,
        candidates,
        content_digest(evaluation.assembly.tower.state_dict()),
        is_unseen.tolist(),
        float(np.mean([scores.untrained for scores in scored])),
        machine(params.machine.arithmetic, params.machine.threads, device(params)),
        {found.seed: repeat.metrics for found, repeat in zip(opened, repeats, strict=True)},
    )
    metrics = over_seeds([repeat.metrics for repeat in repeats])
    details = {
        "repeats": [repeat.metrics for repeat in repeats],
        "gates": [repeat.under_gates for repeat in repeats],
        "controls": [repeat.controls for repeat in repeats],
        "per_class": [row for repeat in repeats for row in repeat.per_class],
    }
    save_json(metrics, layout.metrics(split_name))
    save_json(known, layout.provenance(split_name))
    save_sealed_json("evaluation", details, layout.evaluation(split_name), variant=variant, **evaluation.problem)
    _write_csv(pd.concat(repeat.pairs for repeat in repeats), layout.predictions(split_name))
    looked = attention_table(np.mean(attention, axis=0), candidates, np.arange(len(candidates)) >= len(split.seen))
    _write_csv(looked, layout.attention(split_name))
    shown = ", ".join(f"{name} {value:.2f}" for name, value in metrics.items())
    shuffled = np.mean([repeat.controls["zsl_shuffled"] for repeat in repeats])
    return f"{shown} % (chance {100 / len(split.unseen):.1f}, skeletons shuffled {shuffled:.1f})"


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    with whole(path) as beside:
        table.to_csv(beside, index=False, lineterminator="\n", float_format="%.6f")
