"""SCoPLe in the loop of all methods is a plain loop over batches, byte for byte."""

import math

import numpy as np
import pytest
import torch
from constant_text import ConstantText, build, names
from each_method import N
from tiny_towers import tiny_minilm

from scople.base.seeding import numpy_generator, seeded, torch_generator
from scople.methods import fitting
from scople.methods.method import ClassTexts
from scople.methods.scople import Scople, ScopleSettings
from scople.model.language_prompts import LanguagePrompts
from scople.model.losses import skeleton_to_text, text_to_skeleton, training_logits, weighted

CLASSES, JOINTS, D = 5, 5, 7
CPU = torch.device("cpu")


def constant():
    return build(ConstantText.random(names(CLASSES)))


def learned():
    return build(ConstantText.random(names(CLASSES), learned=True))


def over_a_tower():
    with seeded(1, "tower"):
        tower = tiny_minilm().float()
    text = LanguagePrompts(
        tower,
        text_prompting="dual",
        phrase="A video of",
        prefix_length=2,
        layer_depth=3,
        alpha=0.5,
        prompt_std=1.0,
        prefix_streams="both",
        layer_prompts="after_first",
        prompted_residual="aggregated",
        generator=torch.Generator().manual_seed(0),
    )
    return build(text, text_width=tower.output_width)


def plain_training(model, features, targets, *, epochs, batch_size, learning_rate, training_query, text_weight, seed):
    """Adam on eq. 15-16, written out."""
    samples, rows = torch.tensor(features), torch.tensor(targets)
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=learning_rate, fused=True)
    order, history = torch_generator(seed, "training", "order"), []
    for epoch in range(1, epochs + 1):
        total = torch.zeros(3)
        for batch in torch.randperm(len(rows), generator=order).split(batch_size):
            text = model.embed_text(model.text.tokenize(names(CLASSES)))
            logits, columns = training_logits(model, samples[batch], text, rows[batch], training_query)
            terms = skeleton_to_text(logits, columns), text_to_skeleton(logits, columns)
            loss = weighted(*terms, text_weight)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            model.bound_temperature()
            total += len(batch) * torch.stack([loss, *terms]).detach()
        means = zip(("loss", "skeleton_to_text", "text_to_skeleton"), (total / len(rows)).tolist(), strict=True)
        history.append({"epoch": epoch, **dict(means)})
    return history


@pytest.mark.parametrize("query", ["candidate", "own"])
@pytest.mark.parametrize("make", [constant, learned, over_a_tower])
def test_training_and_scores_are_the_same_bytes(make, query):
    generator = numpy_generator(1, "noise")
    targets = generator.integers(CLASSES, size=N)
    features = generator.normal(size=(CLASSES, JOINTS, D)).astype(np.float32)[targets]
    settings = {
        "epochs": 2,
        "batch_size": 19,
        "learning_rate": 0.01,
        "training_query": query,
        "text_weight": 0.25,
    }
    alone, wrapped = make(), Scople(ScopleSettings(**settings), make())
    for model in (alone, wrapped.model):  # beyond the bound that every step keeps
        torch.nn.init.constant_(model.logit_scale, math.log(150))
    own = plain_training(alone, features, targets, seed=3, **settings)
    texts = ClassTexts(tuple(names(CLASSES)), {})
    recipe = wrapped.settings.recipe()
    history = fitting.fit(wrapped, recipe, features[:, None], targets, texts, seed=3, device=CPU)
    assert history == own
    kept = wrapped.learned().state_dict()
    assert list(kept) == list(alone.state_dict())
    for name, value in alone.state_dict().items():
        assert value.numpy().tobytes() == kept[name].numpy().tobytes(), name
    candidates = names(CLASSES)[1:4]
    alone.eval()
    with torch.no_grad():
        text = alone.embed_text(alone.text.tokenize(candidates))
        expected = torch.cat([alone.class_scores(part, text) for part in torch.tensor(features).split(17)]).numpy()
    some = texts.rows([1, 2, 3])
    found = fitting.score(wrapped, features[:, None], some, batch_size=17, device=CPU, seed=3)
    assert found.tobytes() == expected.tobytes()


def test_the_tower_is_not_learned_and_moves_along():
    method = Scople(ScopleSettings(1, 19, 0.1, "candidate", 0.5), over_a_tower())
    assert not any("tower" in name for name, _ in method.named_parameters())
    assert method.double().model.text.tower.word_embedding.weight.dtype == torch.float64


def test_what_it_looks_at_is_the_samplers_attention():
    method = Scople(ScopleSettings(1, 19, 0.1, "candidate", 0.5), constant())
    features = torch.randn(7, 1, JOINTS, D, generator=torch.Generator().manual_seed(1))
    texts = ClassTexts(tuple(names(CLASSES)), {})
    with torch.no_grad():
        candidates = method.prepare(texts, torch.Generator())
        expected = method.model.attention(features[:, 0], candidates)
        for row in range(CLASSES):
            torch.testing.assert_close(method.attention(features, candidates, row), expected[:, row])
