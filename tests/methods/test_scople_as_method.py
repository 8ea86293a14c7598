"""SCoPLe in the loop of all methods is SCoPLe in its own, byte for byte."""

import math

import numpy as np
import pytest
import torch
from constant_text import ConstantText, build, names
from each_method import N
from tiny_towers import tiny_minilm

from scople.base.seeding import numpy_generator, seeded
from scople.methods import fitting
from scople.methods.method import ClassTexts
from scople.methods.scople import Scople, ScopleSettings
from scople.model import training
from scople.model.language_prompts import LanguagePrompts

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
        "autocast": "none",
    }
    alone, wrapped = make(), Scople(ScopleSettings(**settings), make())
    for model in (alone, wrapped.model):  # beyond the bound that every step keeps
        torch.nn.init.constant_(model.logit_scale, math.log(150))
    own = training.fit(alone, features, targets, names(CLASSES), seed=3, device=CPU, **settings)
    texts = ClassTexts(tuple(names(CLASSES)), {})
    recipe = wrapped.settings.recipe()
    history = fitting.fit(wrapped, recipe, features[:, None], targets, texts, seed=3, device=CPU)
    assert history == own
    for name, value in alone.state_dict().items():
        assert value.numpy().tobytes() == wrapped.model.state_dict()[name].numpy().tobytes(), name
    candidates = names(CLASSES)[1:4]
    expected = training.score(alone, features, candidates, batch_size=17, device=CPU)
    some = texts.rows([1, 2, 3])
    found = fitting.score(wrapped, features[:, None], some, batch_size=17, device=CPU, seed=3)
    assert found.tobytes() == expected.tobytes()


def test_the_tower_is_not_learned_and_moves_along():
    method = Scople(ScopleSettings(1, 19, 0.1, "candidate", 0.5), over_a_tower())
    assert not any("tower" in name for name, _ in method.named_parameters())
    assert method.double().model.text.tower.word_embedding.weight.dtype == torch.float64
