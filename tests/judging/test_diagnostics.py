"""Every diagnostic against plain loops or a model made for it: one that parrots its query, one that ignores it."""

import math
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from bare_scople import fit, score, wrapped
from constant_text import FEATURE_WIDTH, JOINTS, TEXT_WIDTH, ConstantText, build
from torch import Tensor

from scople.base.seeding import numpy_generator
from scople.data.joint_features import TestFeatures, TrainingFeatures
from scople.data.splits import Split, targets
from scople.judging.diagnostics import (
    QUANTITIES,
    diagnose,
    diagnostics_table,
    embed_for_every_query,
    held_out_loss,
    knowing_nothing,
    oracle_query_leak,
    spreads,
    zsl_texts_shuffled,
)

CPU = torch.device("cpu")
SCORING = {"batch_size": 7, "device": CPU}
UNSEEN = (2, 6, 11)
SPLIT = Split(name="small", seen=tuple(k for k in range(34) if k not in UNSEEN), unseen=UNSEEN, pseudo_unseen=(3, 7))
SETTINGS = {
    "gate_holdout": 0.3,
    "score_batch_size": 31,
    "seed": 1,
    "device": CPU,
}
TRAINING = {"epochs": 7, "batch_size": 53, "learning_rate": 5e-3}
TRAINING_SAMPLES, TEST_SAMPLES = 37, 19


@pytest.fixture(autouse=True)
def _one_thread(_two_threads):
    """On tensors this small a second thread only waits, for long where the machine is busy."""
    torch.set_num_threads(1)


def names(labels) -> list[str]:
    return [f"class {label}" for label in labels]


def noise(samples: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(samples, JOINTS, FEATURE_WIDTH)).astype(np.float32)


def few(samples: int = 5, classes: int = 3):
    """A model that looks at both, a few samples and their targets."""
    model = build(ConstantText.random(names(range(classes))))
    return model, noise(samples), np.random.default_rng(2).integers(classes, size=samples), names(range(classes))


def parroting(classes: int):
    """A model whose V is its query, whatever the skeleton."""
    model = build(ConstantText.random(names(range(classes))))
    model.embed_skeletons = lambda features, text: text.expand(len(features), *text.shape)
    return model


def problem():
    """Seen and unseen classes that are mixtures of a few attributes, told alike by names and by skeletons."""
    generator = numpy_generator(1, "attributes")
    classes, words = len(SPLIT.seen) + len(SPLIT.unseen), 5
    mixtures = generator.normal(size=(classes, words))
    text = torch.tensor(mixtures @ generator.normal(size=(words, TEXT_WIDTH)), dtype=torch.float32)
    skeletons = mixtures @ generator.normal(size=(words, JOINTS * FEATURE_WIDTH))

    def part(kind, labels, samples):
        labels = np.repeat(np.array(labels), samples)
        features = skeletons[labels] + 0.5 * generator.normal(size=(len(labels), JOINTS * FEATURE_WIDTH))
        return kind(
            features=features.reshape(-1, JOINTS, FEATURE_WIDTH).astype(np.float32),
            labels=labels,
            backbone_scores=generator.normal(size=(len(labels), len(SPLIT.seen))).astype(np.float32),
        )

    training = part(TrainingFeatures, SPLIT.seen, TRAINING_SAMPLES)
    test = part(TestFeatures, sorted(SPLIT.seen + SPLIT.unseen), TEST_SAMPLES)
    return dict(zip(names(range(classes)), text, strict=True)), training, test


def diagnosed(query: str, test: TestFeatures | None = None):
    table, training, honest_test = problem()
    return diagnose(
        lambda: wrapped(build(ConstantText(table)), training_query=query, **TRAINING),
        wrapped(build(ConstantText(table), sampler=False, joint_prompts=0), training_query=query, **TRAINING),
        training,
        test or honest_test,
        SPLIT,
        names,
        **SETTINGS,
    )


@pytest.fixture(scope="module")
def both():
    torch.set_num_threads(1)
    return {query: diagnosed(query) for query in ("candidate", "own")}


def test_every_quantity_is_measured_and_explained(both):
    for query, measured in both.items():
        assert list(measured) == list(QUANTITIES)
        assert np.isfinite(list(measured.values())).all()
        table = diagnostics_table(measured, split="small", training_query=query)
        assert table["quantity"].tolist() == list(QUANTITIES)
        assert table[["split", "training_query"]].drop_duplicates().to_numpy().tolist() == [["small", query]]
        np.testing.assert_allclose(table[["value", "reference"]].to_numpy(), list(measured.values()), atol=5e-5)
        leaks = table[table["quantity"].str.contains("oracle")]
        assert leaks["quantity"].str.contains("leak").all()
        assert leaks["reading"].str.startswith("A LEAK and no result").all()


@pytest.mark.parametrize("query", ["candidate", "own"])
def test_headline_and_losses_are_those_of_the_training_itself(both, query):
    table, training, test = problem()
    rows = targets(training.labels, SPLIT.seen)
    fitting = TRAINING | {"training_query": query, "seed": 1, "device": CPU}
    order = numpy_generator(1, "shuffled training", "small").permutation(len(rows))
    is_unseen = np.isin(test.labels, SPLIT.unseen)
    for features, loss, suffix in (
        (training.features, "loss", ""),
        (training.features[order], "loss_trained_on_shuffled", "_trained_on_shuffled"),
    ):
        model = build(ConstantText(table))
        history = fit(model, features, rows, names(SPLIT.seen), **fitting)
        assert both[query][loss].value == history[-1]["skeleton_to_text"]
        for which, labels, quantity in ((is_unseen, SPLIT.unseen, "zsl"), (~is_unseen, SPLIT.seen, "seen_candidates")):
            scores = score(model, test.features[which], names(labels), batch_size=31, device=CPU)
            right = [labels[row] == label for row, label in zip(scores.argmax(1), test.labels[which], strict=True)]
            assert both[query][quantity + suffix].value == pytest.approx(100 * np.mean(right))
    backbone = [SPLIT.seen[row] for row in test.backbone_scores[~is_unseen].argmax(1)]
    expected = 100 * np.mean(backbone == test.labels[~is_unseen])
    assert both[query]["seen_candidates"].reference == pytest.approx(expected)


def test_a_problem_that_can_be_learned_is_and_shuffles_are_at_chance(both):
    for measured in both.values():
        assert measured["zsl"].value > 60
        assert measured["zsl_plain_label"].value > 60
        assert measured["zsl_texts_shuffled"].value == pytest.approx(100 / 3)
        assert measured["zsl_skeletons_shuffled"].value == pytest.approx(100 / 3, abs=2)
        assert measured["loss"].value < measured["loss"].reference - 1
        assert measured["seen_candidates_trained_on_shuffled"].value < 3 * 100 / 31


def test_only_own_queries_learn_from_shuffled_skeletons(both):
    below = {query: loss.reference - loss.value for query, loss in _each(both, "loss_trained_on_shuffled")}
    assert abs(below["candidate"]) < 0.1
    assert below["own"] > 1
    told = {query: leak.value - leak.reference for query, leak in _each(both, "oracle_query_leak_skeletons_shuffled")}
    assert told["candidate"] < 15
    assert told["own"] > 25
    # Trained with its own label as query, V tells more of the query than of the sample.
    query_over_sample = {
        query: spread.value / spread.reference for query, spread in _each(both, "spread_over_candidates")
    }
    assert query_over_sample["candidate"] < 1 < query_over_sample["own"]


def _each(both, quantity):
    return [(query, measured[quantity]) for query, measured in both.items()]


def test_no_gate_lifts_a_side_above_its_own_accuracy(both):
    for measured in both.values():
        for gate in ("entropy", "stacking", "none"):
            seen, unseen = measured[f"seen_{gate}"], measured[f"unseen_{gate}"]
            assert seen.value <= seen.reference == measured["seen_candidates"].value
            assert unseen.value <= unseen.reference == measured["zsl"].value
            harmonic = 2 * seen.value * unseen.value / max(seen.value + unseen.value, 1e-9)
            assert measured[f"harmonic_{gate}"].value == pytest.approx(harmonic)
        assert measured["harmonic_stacking"].reference >= measured["harmonic_none"].reference


def test_test_labels_decide_no_training_and_no_threshold(both):
    _, _, test = problem()
    relabelled = TestFeatures(test.features, np.random.default_rng(3).permutation(test.labels), test.backbone_scores)
    measured = diagnosed("own", relabelled)
    for quantity in ("loss", "loss_trained_on_shuffled"):
        assert measured[quantity] == both["own"][quantity]
    for gate in ("entropy", "stacking", "none"):
        assert measured[f"harmonic_{gate}"].reference == both["own"][f"harmonic_{gate}"].reference
    assert measured["zsl"].value < both["own"]["zsl"].value - 10


def test_the_oracle_query_against_loops_over_samples_and_permutations():
    model, features, rows, candidates = few()
    skeletons, text = embed_for_every_query(model, features, candidates, **SCORING)

    def accuracy(features: np.ndarray) -> float:
        right = 0
        for sample, row in zip(torch.tensor(features), rows.tolist(), strict=True):
            v = model.embed_skeletons(sample[None], text[[row]])[0, 0]
            similarities = [torch.cosine_similarity(v, f, dim=0).item() for f in text]
            right += similarities.index(max(similarities)) == row
        return 100 * right / len(rows)

    with torch.no_grad():
        shuffled = np.mean([accuracy(features[list(order)]) for order in permutations(range(len(rows)))])
        expected = accuracy(features), shuffled
    assert oracle_query_leak(model.logits, skeletons, text, rows) == pytest.approx(expected)
    assert expected[0] != expected[1]


def test_a_model_that_parrots_its_query_is_caught():
    model, features = parroting(3), noise(23)
    rows = np.random.default_rng(2).integers(3, size=23)
    skeletons, text = embed_for_every_query(model, features, names(range(3)), **SCORING)
    assert oracle_query_leak(model.logits, skeletons, text, rows) == (100, 100)
    over_candidates, over_samples = spreads(skeletons)
    assert over_candidates > 0.1
    assert over_samples == pytest.approx(0, abs=1e-6)


def test_a_model_that_ignores_its_query_has_no_leak_and_no_spread():
    model, features = build(ConstantText.random(names(range(3))), sampler=False), noise(23)
    rows = np.random.default_rng(2).integers(3, size=23)
    skeletons, text = embed_for_every_query(model, features, names(range(3)), **SCORING)
    predicted = score(model, features, names(range(3)), **SCORING).argmax(axis=1)
    leak, shuffled = oracle_query_leak(model.logits, skeletons, text, rows)
    assert leak == pytest.approx(100 * np.mean(predicted == rows))
    assert shuffled == pytest.approx(100 * np.mean([[p == row for p in predicted] for row in rows]))
    over_candidates, over_samples = spreads(skeletons)
    assert over_candidates == pytest.approx(0, abs=1e-6)
    assert over_samples > 1e-3


def test_nothing_else_asks_the_oracle(root: Path):
    asking = [
        path.name
        for folder in ("scople", "stages")
        for path in (root / folder).rglob("*.py")
        if "oracle_query_leak(" in path.read_text()
    ]
    assert sorted(asking) == ["diagnostics.py", "query_leak.py"]
    assert "oracle" not in (root / "stages" / "diagnostics.py").read_text()


def test_shuffled_texts_against_scores_with_other_names():
    model, features, rows, candidates = few(samples=13)
    scores = score(model, features, candidates, **SCORING)
    rotated = [scores[:, [(column + shift) % 3 for column in range(3)]] for shift in range(3)]
    expected = np.mean([100 * np.mean(turned.argmax(axis=1) == rows) for turned in rotated])
    assert expected == pytest.approx(100 / 3)
    assert zsl_texts_shuffled(wrapped(model), features, rows, candidates, **SCORING) == pytest.approx(expected)


def test_a_model_that_knows_classes_by_their_place_is_caught():
    model, features, rows, candidates = few(samples=13)
    features[:, 0, 0] = rows

    def by_place(features: Tensor, text: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(features[:, 0, 0].long(), len(text)).float()

    model.class_scores = by_place
    assert zsl_texts_shuffled(wrapped(model), features, rows, candidates, **SCORING) == 100


def test_shuffled_skeletons_are_shuffled_predictions():
    model, features, _, candidates = few(samples=13)
    predicted = score(model, features, candidates, **SCORING).argmax(axis=1)
    order = np.random.default_rng(1).permutation(13)
    np.testing.assert_array_equal(score(model, features[order], candidates, **SCORING).argmax(axis=1), predicted[order])


def test_spreads_against_loops_over_pairs():
    skeletons = torch.randn(5, 3, 7, generator=torch.Generator().manual_seed(1)) * 3
    cosine = torch.nn.CosineSimilarity(dim=0)
    over_candidates = [1 - cosine(v[k], v[j]) for v in skeletons for k in range(3) for j in range(k)]
    over_samples = [1 - cosine(skeletons[i, k], skeletons[j, k]) for k in range(3) for i in range(5) for j in range(i)]
    assert spreads(skeletons) == pytest.approx((np.mean(over_candidates), np.mean(over_samples)), rel=1e-5)


def test_spread_of_opposites_and_of_nothing():
    v = torch.ones(1, 2, 3)
    v[0, 1] = -2
    over_candidates, over_samples = spreads(v)
    assert over_candidates == pytest.approx(2)
    assert math.isnan(over_samples)


@pytest.mark.parametrize(("samples", "batch_size"), [(31, 7), (28, 7), (5, 7)])
def test_knowing_nothing_is_the_loss_of_equal_logits(samples, batch_size):
    def loss(columns: int, rows: Tensor) -> float:
        return torch.nn.functional.cross_entropy(torch.zeros(len(rows), columns), rows).item() * len(rows)

    batches = torch.arange(samples).split(batch_size)
    of_classes = sum(loss(11, batch % 11) for batch in batches) / samples
    of_batches = sum(loss(len(batch), torch.arange(len(batch))) for batch in batches) / samples
    sizes = {"samples": samples, "classes": 11, "batch_size": batch_size}
    assert knowing_nothing("candidate", **sizes) == pytest.approx(of_classes, rel=1e-6)
    assert knowing_nothing("own", **sizes) == pytest.approx(of_batches, rel=1e-6)


def test_held_out_loss_is_the_plain_sum_over_shuffled_pairs():
    """Batches of 5 and 2 samples; with "own" the columns are the batch's own texts."""
    model, features, targets, class_names = few(samples=7, classes=3)
    text = model.embed_text(model.text.tokenize(class_names))
    for query in ("candidate", "own"):
        generator = np.random.default_rng(4)
        skeletons, labels = features[generator.permutation(7)], targets[generator.permutation(7)]
        expected = 0.0
        for batch in (range(5), range(5, 7)):
            for i in batch:
                queries = range(3) if query == "candidate" else [labels[j] for j in batch]
                right = labels[i] if query == "candidate" else i - batch[0]
                logits = []
                for k in queries:
                    asked = text[k] if query == "candidate" else text[labels[i]]
                    embedded = model.embed_skeletons(torch.tensor(skeletons[[i]]), asked[None])
                    logits.append(model.logits(embedded, text[[k]]).item())
                expected += math.log(sum(math.exp(logit) for logit in logits)) - logits[right]
        found = held_out_loss(
            model,
            features,
            targets,
            class_names,
            training_query=query,
            batch_size=5,
            generator=np.random.default_rng(4),
            device=CPU,
        )
        assert found == pytest.approx(expected / 7, rel=1e-5)


def test_on_held_out_samples_only_the_literal_query_tells_labels(both):
    """However long the training: shuffled skeletons of samples that were not trained on can not have been memorised."""
    candidate, own = (both[query]["held_out_loss_trained_on_shuffled"] for query in ("candidate", "own"))
    assert candidate.value > candidate.reference - 0.02
    assert own.value < own.reference - 0.3
