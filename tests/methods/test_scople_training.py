"""SCoPLe in the common loop learns what can be learned, nothing from shuffled skeletons, and moves nothing frozen."""

import math

import numpy as np
import pytest
import torch
from bare_scople import fit, score
from constant_text import FEATURE_WIDTH, JOINTS, TEXT_WIDTH, ConstantText, build, names
from tiny_towers import tiny_clip, tiny_minilm
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from scople.base.errors import ScopleError
from scople.base.seeding import numpy_generator, seeded
from scople.model.language_prompts import LanguagePrompts
from scople.text.tower import TextTower

CLASSES = 5
SETTINGS = {
    "epochs": 2,
    "batch_size": 17,
    "learning_rate": 1e-3,
    "autocast": "none",
    "training_query": "candidate",
    "text_weight": 0.5,
    "seed": 1,
    "device": torch.device("cpu"),
}


@pytest.fixture(autouse=True)
def _one_thread(_two_threads):
    """On tensors this small a second thread only waits, for long where the machine is busy."""
    torch.set_num_threads(1)


def noise(samples: int = 71) -> tuple[np.ndarray, np.ndarray]:
    generator = numpy_generator(1, "noise")
    features = generator.normal(size=(samples, JOINTS, FEATURE_WIDTH)).astype(np.float32)
    return features, generator.integers(CLASSES, size=samples)


def trained(learned_text: bool = False, **changes):
    model = build(ConstantText.random(names(CLASSES), learned=learned_text))
    history = fit(model, *noise(), names(CLASSES), **(SETTINGS | changes))
    return model, history


def test_history_is_the_mean_over_the_samples_of_an_epoch():
    model = build(ConstantText.random(names(CLASSES)))
    features, targets = noise()
    (row,) = fit(model, features, targets, names(CLASSES), **(SETTINGS | {"epochs": 1, "learning_rate": 0.0}))
    scores = score(model, features, names(CLASSES), batch_size=71, device=torch.device("cpu"))
    expected = torch.nn.functional.cross_entropy(torch.tensor(scores), torch.tensor(targets)).item()
    assert row["skeleton_to_text"] == pytest.approx(expected, rel=1e-5)
    assert row["loss"] == pytest.approx((row["skeleton_to_text"] + row["text_to_skeleton"]) / 2, rel=1e-5)


def test_the_same_seed_gives_the_same_bytes():
    first, second, other = trained(), trained(), trained(seed=2)
    assert first[1] == second[1]
    assert [row["epoch"] for row in first[1]] == [1, 2]
    for name, value in first[0].state_dict().items():
        assert value.numpy().tobytes() == second[0].state_dict()[name].numpy().tobytes(), name
    assert first[1] != other[1]


@pytest.mark.parametrize("query", ["candidate", "own"])
@pytest.mark.parametrize("learned_text", [True, False])
def test_a_step_moves_every_learned_parameter_and_no_other(query, learned_text):
    before = build(ConstantText.random(names(CLASSES), learned=learned_text)).state_dict()
    model, _ = trained(learned_text, epochs=1, batch_size=71, training_query=query)
    for name, parameter in model.named_parameters():
        is_same = torch.equal(parameter.detach(), before[name])
        assert is_same == (name == "text.table" and not learned_text), name


def test_constant_texts_are_embedded_once_and_learned_ones_at_every_step():
    assert trained()[0].text.calls == 1
    assert trained(learned_text=True)[0].text.calls == 1 + 2 * math.ceil(71 / 17)


def over_a_tower(tower: TextTower, prefix_streams: str = "both"):
    text = LanguagePrompts(
        tower,
        text_prompting="dual",
        phrase="A video of",
        prefix_length=2,
        layer_depth=3,
        alpha=0.5,
        prompt_std=1.0,
        prefix_streams=prefix_streams,
        layer_prompts="after_first",
        prompted_residual="aggregated",
        generator=torch.Generator().manual_seed(0),
    )
    return build(text, text_width=tower.output_width)


class HostToDevice(TorchDispatchMode):
    """Counts the steps of a training and, for each, what was copied from the host to the device since the last."""

    def __init__(self) -> None:
        super().__init__()
        self.copies = [[]]

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        inputs = [each for each in pytree.tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
        outputs = [each for each in pytree.tree_leaves(found) if isinstance(each, torch.Tensor)]
        if any(each.is_meta for each in outputs) and any(each.is_cpu for each in inputs):
            self.copies[-1].append(str(func))
        return found

    def next_step(self, *_) -> None:
        self.copies.append([])


@pytest.mark.parametrize(
    ("tower", "prefix_streams", "query"), [(tiny_clip, "both", "candidate"), (tiny_minilm, "prompted", "own")]
)
def test_no_step_asks_the_device_for_a_value_or_sends_it_one(monkeypatch, tower, query, prefix_streams):
    """The meta device computes shapes only: whatever would have to wait for its values fails at once."""
    adam = torch.optim.Adam  # whose fused step knows no meta device
    monkeypatch.setattr(torch.optim, "Adam", lambda *words, **settings: adam(*words, **settings | {"fused": False}))
    tower = tower().float()
    model = over_a_tower(tower, prefix_streams=prefix_streams)
    settings = SETTINGS | {"device": torch.device("meta"), "epochs": 1, "batch_size": 29, "training_query": query}
    watch = HostToDevice()
    hook = register_optimizer_step_post_hook(watch.next_step)
    try:
        # The mean losses, read when the epoch is over.
        with watch, pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
            fit(model, *noise(), names(CLASSES), **settings)
    finally:
        hook.remove()
    before, *steps, after = watch.copies
    assert before
    assert not any(steps)
    assert not after
    assert len(steps) == math.ceil(71 / 29) - 1


@pytest.mark.parametrize("tower", [tiny_clip, tiny_minilm])
def test_bfloat16_learns_nearly_the_same_in_full_precision_parameters(tower):
    with seeded(1, "tower"):
        tower = tower().float()
    last = {}
    for autocast in ("none", "bfloat16"):
        model = over_a_tower(tower)
        settings = SETTINGS | {"epochs": 5, "learning_rate": 3e-3, "autocast": autocast}
        last[autocast] = fit(model, *noise(), names(CLASSES), **settings)[-1]["loss"]
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert last["bfloat16"] != last["none"]
    assert last["bfloat16"] == pytest.approx(last["none"], rel=0.03)


@pytest.mark.parametrize("epochs", [1, 2])
def test_weights_that_the_last_update_spoils_are_refused(epochs):
    """At such a rate the loss before the only update is fine and the weights after it are not."""
    settings = SETTINGS | {"epochs": epochs, "batch_size": 999, "learning_rate": 1e38}
    with pytest.raises(ScopleError, match=r"is not finite after epoch 1 at learning rate 1e\+38: lower it"):
        fit(build(ConstantText.random(names(CLASSES))), *noise(), names(CLASSES), **settings)


def test_scores_that_are_not_finite_are_refused():
    model, _ = trained()
    features, _ = noise()
    features[[3, 8]] = np.nan
    with pytest.raises(ScopleError, match="scores of 2 of 71 samples are not finite"):
        score(model, features, names(CLASSES), batch_size=9, device=torch.device("cpu"))


def test_a_diverging_loss_is_one_sentence():
    features, targets = noise()
    features[3] = np.inf
    with pytest.raises(ScopleError, match=r"The training's loss is nan in epoch 1 at learning rate 0.001: lower"):
        fit(build(ConstantText.random(names(CLASSES))), features, targets, names(CLASSES), **SETTINGS)


def test_scores_do_not_depend_on_the_batches_they_are_made_in():
    model, _ = trained()
    features, _ = noise()
    scores = [score(model, features, names(CLASSES), batch_size=b, device=torch.device("cpu")) for b in (1, 7, 71, 99)]
    assert scores[0].shape == (71, CLASSES)
    assert scores[0].dtype == np.float32
    for other in scores[1:]:
        np.testing.assert_allclose(other, scores[0], atol=1e-4)


def attributes(seen: int, unseen: int, samples: int, words: int = 5) -> tuple[ConstantText, np.ndarray, np.ndarray]:
    """Classes that are mixtures of a few attributes, told alike by their names and by their skeletons."""
    generator = numpy_generator(1, "attributes")
    classes = seen + unseen
    mixtures = generator.normal(size=(classes, words))
    text = mixtures @ generator.normal(size=(words, TEXT_WIDTH))
    skeletons = mixtures @ generator.normal(size=(words, JOINTS * FEATURE_WIDTH))
    targets = np.repeat(np.arange(classes), samples)
    features = skeletons[targets] + 0.5 * generator.normal(size=(len(targets), JOINTS * FEATURE_WIDTH))
    table = dict(zip(names(classes), torch.tensor(text, dtype=torch.float32), strict=True))
    return ConstantText(table), features.reshape(-1, JOINTS, FEATURE_WIDTH).astype(np.float32), targets


@pytest.mark.parametrize("changes", [{}, {"sampler": False, "joint_prompts": 0}], ids=["sampler", "no prompts"])
def test_seen_and_unseen_classes_are_recognised(changes):
    seen, unseen = 31, 7
    text, features, targets = attributes(seen, unseen, samples=23)
    model = build(text, **changes)
    is_seen = targets < seen
    settings = SETTINGS | {"epochs": 23, "batch_size": 61, "learning_rate": 3e-3}
    fit(model, features[is_seen], targets[is_seen], names(seen), **settings)
    known = score(model, features[is_seen], names(seen), batch_size=97, device=torch.device("cpu"))
    unknown = score(model, features[~is_seen], names(seen + unseen)[seen:], batch_size=97, device=torch.device("cpu"))
    assert (known.argmax(axis=1) == targets[is_seen]).mean() > 0.6  # chance 0.03
    assert (unknown.argmax(axis=1) == targets[~is_seen] - seen).mean() > 0.6  # chance 0.14


def shuffled_run(training_query: str, text: ConstantText, features, targets, *, batch_size: int, **sizes):
    """Train on skeletons that were shuffled among the samples: nothing in them tells the class."""
    model = build(text, **sizes)
    shuffled = numpy_generator(1, "shuffle").permutation(features)
    settings = {"epochs": 10, "batch_size": batch_size, "learning_rate": 3e-3, "training_query": training_query}
    history = fit(model, shuffled, targets, text.names, **(SETTINGS | settings))
    return model, torch.tensor(shuffled), torch.tensor(targets), history[-1]


def told_by_the_query(model, features: torch.Tensor, targets: torch.Tensor) -> float:
    """Accuracy where the *true* class's text is the query, the leak in person: chance unless the query itself tells."""
    text = model.text.table
    with torch.no_grad():
        logits = model.logits(model.embed_skeletons(features, text[targets].unsqueeze(1)), text)
    return (logits.argmax(dim=1) == targets).double().mean().item()


def test_candidate_queries_learn_nothing_from_shuffled_skeletons():
    model, features, targets, last = shuffled_run("candidate", *attributes(31, 0, samples=61), batch_size=61)
    assert last["skeleton_to_text"] == pytest.approx(math.log(31), abs=0.05)
    assert last["text_to_skeleton"] == pytest.approx(math.log(61), abs=0.05)
    assert told_by_the_query(model, features, targets) < 3 / 31


def test_own_queries_learn_the_label_without_a_skeleton():
    model, features, targets, last = shuffled_run("own", *attributes(31, 0, samples=61), batch_size=61)
    assert last["skeleton_to_text"] < math.log(61) - 1
    assert last["text_to_skeleton"] < math.log(61) - 1
    assert told_by_the_query(model, features, targets) > 10 / 31


@pytest.mark.slow
@pytest.mark.parametrize("training_query", ["candidate", "own"])
def test_what_is_learned_from_noise_at_the_demos_size(training_query):
    generator = numpy_generator(1, "large")
    targets = np.repeat(np.arange(55), 59)
    seen_in_training, fresh = generator.normal(size=(2, len(targets), 25, 64)).astype(np.float32)
    sizes = {"text_width": 384, "feature_width": 64, "sampler_width": 150, "representation_width": 256}
    text = ConstantText.random(names(55), 384)
    model, _, targets, _ = shuffled_run(
        training_query, text, seen_in_training, targets, batch_size=251, projection_hidden=512, **sizes
    )
    # So large a network remembers its training noise; only noise that it never saw can tell what a query gives away.
    told = told_by_the_query(model, torch.tensor(fresh), targets)
    assert told > 0.5 if training_query == "own" else told < 3 / 55
