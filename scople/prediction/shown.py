"""A few recordings of a split's test part with what its model says of them: what the page of a profile shows moving."""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from scople.base.artefacts import load_sealed_json, load_weights
from scople.base.errors import ScopleError
from scople.base.params import Params
from scople.base.seeding import numpy_generator
from scople.data.class_names import names_of
from scople.data.corpus import Corpus
from scople.data.joint_features import TestFeatures, load_features
from scople.data.splits import Split, partition
from scople.judging.gates import apply_gate
from scople.methods.fitting import score
from scople.model.scople import SCoPLe
from scople.pipeline.assembly import Assembly, Inputs, build_tower
from scople.pipeline.layout import Layout, identity, load_featured_problem
from scople.pipeline.running import device
from scople.prediction.split_parts import when
from scople.reports.page.known import Absent
from scople.reports.page.moving import Ranked, Recording
from scople.text.tower import TextTower

MOST_RANKED = 5
"""Labels that are shown of a ranking."""

UNSEEN_SHARE = 0.75
"""Of the recordings, how many are of unseen classes: they are what the method is for."""


MOST_RECORDINGS, MOST_OF_A_SPLIT = 60, 12
"""Recordings that a page has room for, and how many of them may be of one split."""


class Ranking(NamedTuple):
    """Candidates by their probability, best first."""

    rows: Int[np.ndarray, " R"]
    probabilities: Float[np.ndarray, " R"]


def all_recordings(params: Params, *, licensed: bool) -> dict[str, list[Recording] | Absent]:
    """A few recordings of every split whose files are there.

    Args:
        params: the whole of params.yaml.
        licensed: whether recordings that are not synthetic may be shown.

    Raises:
        ScopleError: an artefact is damaged or belongs to other settings.
    """
    layout, repeat = Layout.of(params), params.seeds[0]
    count = min(MOST_OF_A_SPLIT, max(2, MOST_RECORDINGS // len(params.splits)))
    tower = cache(lambda: build_tower(params.scale))  # loaded once, and only if something is shown
    found = {}
    for split in params.splits:
        dataset = params.dataset_of(split)
        needed = [
            layout.corpus(dataset) / "digests.json",
            layout.classes(split),
            layout.features(split, "test", params.backbone_of(repeat)),
            layout.model(split, repeat),
            layout.gates(split, repeat),
        ]
        if licensed or layout.is_synthetic(params.raw_folder_of(dataset)):
            found[split] = when(
                "recordings",
                needed,
                f"dvc repro evaluate@{split}",
                lambda split=split: recordings_of(params, split, tower(), count),
            )
        else:
            found[split] = Absent("recordings of real people", "nobody asked for them", "scople page --recordings")
    return found


def recordings_of(params: Params, split_name: str, tower: TextTower, count: int) -> list[Recording]:
    """Recordings of test subjects, drawn by chance and not by success, as the first repeat's model sees them.

    Raises:
        ScopleError: an artefact is missing, damaged or belongs to other settings.
    """
    layout, repeat = Layout.of(params), params.seeds[0]
    assembly = Assembly.of(params, "", params.dataset_of(split_name), tower)
    split, classes = load_featured_problem(params, split_name)
    problem = identity(split, classes)
    test = load_features(TestFeatures, layout.features(split_name, "test", params.backbone_of(repeat)), **problem)
    corpus = Corpus.open(layout.corpus(params.dataset_of(split_name)))
    labels, is_training = (corpus.index[name].to_numpy() for name in ("label", "is_training"))
    rows = partition(split, labels, is_training).test
    if not np.array_equal(labels[rows], test.labels):
        raise ScopleError(f"the corpus of {split_name} has other test samples than its features: run `dvc repro`.")
    drawn = draw(split, test.labels, count, numpy_generator(params.seed, "page", split_name))

    seed = params.repeat_seed(repeat)
    belongs = assembly.identity(params, seed, problem, test.backbone)
    again = f"run `dvc repro evaluate@{split_name}`"
    features = Inputs.of_joints(test).features
    method = assembly.build(features.shape[-1], (1,), len(split.seen), seed)
    load_weights(method.learned(), "model", layout.model(split_name, repeat), again=again, **belongs)
    gates = load_sealed_json("gates", layout.gates(split_name, repeat), again=again, **belongs)

    names = names_of(classes, [*split.seen, *split.unseen])
    running = {"batch_size": params.scale.evaluate.batch_size, "device": device(params), "seed": seed}
    scores = score(method, features[drawn], assembly.texts(method, names), **running)
    seen_scores, unseen_scores = np.split(scores, [len(split.seen)], axis=1)
    gate = assembly.settings.gate
    verdicts = apply_gate(gate, seen_scores, unseen_scores, gates[gate]["threshold"])
    found = []
    for number, row in enumerate(drawn.tolist()):
        is_unseen = int(test.labels[row]) in split.unseen
        own, among = (unseen_scores, split.unseen) if is_unseen else (seen_scores, split.seen)
        ranking = rank(own[number])
        candidates = names_of(classes, [among[k] for k in ranking.rows])
        attention = _attention(method.learned(), test.features[row : row + 1], candidates, running["device"])
        verdict_is_unseen = bool(verdicts.is_unseen[number])
        verdict = (split.unseen if verdict_is_unseen else split.seen)[int(verdicts.targets[number])]
        found.append(
            Recording(
                name=str(corpus.index["name"].iloc[rows[row]]),
                label=classes[int(test.labels[row])].name,
                is_unseen=is_unseen,
                sequence=corpus.sequence(int(rows[row])),
                ranked=[
                    Ranked(label, float(probability), looked)
                    for label, probability, looked in zip(candidates, ranking.probabilities, attention, strict=True)
                ],
                verdict=classes[verdict].name,
                verdict_is_unseen=verdict_is_unseen,
                candidates=len(among),
            )
        )
    return found


def draw(
    split: Split, labels: Int[np.ndarray, " N"], count: int, generator: np.random.Generator
) -> Int[np.ndarray, " R"]:
    """Test samples of different classes, those of unseen classes first.

    Args:
        split: the classes.
        labels: of the test samples.
        count: at most so many, at least one of a seen and one of an unseen class.
        generator: decides which.
    """
    wanted = max(1, round(UNSEEN_SHARE * count))
    chosen: list[int] = []
    for kind, most in ((split.unseen, wanted), (split.seen, max(1, count - wanted))):
        present = np.intersect1d(labels, kind)
        for label in sorted(generator.permutation(present)[:most].tolist()):
            chosen.append(int(generator.choice(np.flatnonzero(labels == label))))
    return np.array(chosen)


def rank(scores: Float[np.ndarray, " K"]) -> Ranking:
    """The best candidates of one sample, with their probabilities among all K: softmax of the logits."""
    exact = scores.astype(np.float64)
    weights = np.exp(exact - exact.max())
    rows = np.argsort(-exact, kind="stable")[:MOST_RANKED]
    return Ranking(rows, (weights / weights.sum())[rows])


def _attention(
    model: SCoPLe, features: Float[np.ndarray, "1 V D"], names: list[str], where: torch.device
) -> Float[np.ndarray, "R J"]:
    """Where each name looks in one sample, eq. 13."""
    with torch.no_grad():
        text = model.embed_text(model.text.tokenize(names))
        return model.attention(torch.tensor(features, device=where), text)[0].cpu().numpy()
