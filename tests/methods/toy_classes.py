"""Four classes far apart, a loop that trains a method on them, and checks that every method has to stand."""

from dataclasses import replace

import torch

from scople.base.seeding import seeded, torch_generator
from scople.methods.method import ClassTexts, Method, Progress, Samples
from scople.methods.sizes import Sizes

JOINTS, FEATURE_WIDTH, TEXT_WIDTH, CLASSES = 5, 13, 17, 4
SIZES = Sizes(FEATURE_WIDTH, TEXT_WIDTH, CLASSES)


def unit_rows(*names: str) -> torch.Tensor:
    rows = torch.stack([torch.randn(TEXT_WIDTH, generator=torch_generator(3, name)) for name in names])
    return rows / rows.norm(dim=1, keepdim=True)


def toy_texts() -> ClassTexts:
    names = ("wave hands", "drink water", "wave hat", "throw water")
    verbs, nouns = zip(*(name.split() for name in names), strict=True)
    return ClassTexts(names, {"name": unit_rows(*names), "verb": unit_rows(*verbs), "noun": unit_rows(*nouns)})


def toy_samples(each: int = 7, seed: int = 1) -> Samples:
    """`each` samples of every class, non-negative as features are, around means that are 3 apart in two dimensions."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(CLASSES).repeat(each)
    means = torch.zeros(CLASSES, FEATURE_WIDTH)
    for k in range(CLASSES):
        means[k, 3 * k : 3 * k + 2] = 3
    noise = 0.3 * torch.rand(len(targets), 1, JOINTS, FEATURE_WIDTH, generator=generator)
    return Samples(means[targets][:, None, None] + noise, targets)


def build(kind, settings, seed: int = 1) -> Method:
    with seeded(seed, "toy"):
        return kind(settings, SIZES)


def train(method: Method, settings, samples: Samples, texts: ClassTexts, steps: int, seed: int = 1) -> list[float]:
    """The loss of "model" at each step."""
    optimisers, losses = settings.recipe().optimisers(method.groups()), []
    generator = torch_generator(seed, "noise")
    method.begin(samples, texts)
    for step in range(steps):
        at = Progress(step, steps, epoch=step // 2, epochs=(steps + 1) // 2)
        for update in method.updates(samples, texts, at, generator):
            for group in optimisers[update.group].param_groups:
                group["lr"] = settings.learning_rate
            optimisers[update.group].zero_grad()
            update.loss.backward()
            optimisers[update.group].step()
        losses.append(update.loss.item())
    return losses


def candidates(method: Method, texts: ClassTexts, samples: Samples | None = None):
    return method.prepare(texts, torch_generator(1, "scoring"), samples)


def scored(method: Method, features: torch.Tensor, texts: ClassTexts, samples: Samples | None = None) -> torch.Tensor:
    with torch.no_grad():
        return method.scores(features, candidates(method, texts, samples))


def stands_the_checks(kind, settings, steps: int) -> None:
    """What every method owes: it learns, whatever is beside a sample or a candidate changes nothing, and it repeats."""
    texts, samples, fresh = toy_texts(), toy_samples(), toy_samples(each=3, seed=2)
    method = build(kind, settings)
    before = {name: parameter.detach().clone() for name, parameter in method.named_parameters()}
    losses = train(method, settings, samples, texts, steps)
    assert all(not torch.equal(parameter, before[name]) for name, parameter in method.named_parameters())

    scores = scored(method, fresh.features, texts)
    assert (scores.argmax(dim=1) == fresh.targets).all()
    assert (scored(method, fresh.features, texts, samples).argmax(dim=1) == fresh.targets).all()

    turned = [2, 0, 3, 1]
    close = {"rtol": 1e-3, "atol": 1e-4}  # the order of the rows may round a product of matrices otherwise
    torch.testing.assert_close(scored(method, fresh.features, texts.rows(turned)), scores[:, turned], **close)
    moved = replace(samples, targets=torch.tensor(turned).argsort()[samples.targets])
    expected = scored(method, fresh.features, texts, samples)[:, turned]
    torch.testing.assert_close(scored(method, fresh.features, texts.rows(turned), moved), expected, **close)

    prepared = candidates(method, texts)
    with torch.no_grad():
        alone = torch.cat([method.scores(each[None], prepared) for each in fresh.features])
    torch.testing.assert_close(alone, scores, **close)

    again = build(kind, settings)
    assert train(again, settings, samples, texts, steps) == losses
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in method.state_dict().items())
    assert torch.equal(scored(again, fresh.features, texts), scores)
