"""SA-DVAE: factors, the loss of both updates against loops, whom the discriminator moves; what every method owes."""

import math
from dataclasses import replace

import pytest
import torch
from toy_classes import build, stands_the_checks, toy_samples, toy_texts

from scople.base.errors import ScopleError
from scople.methods.gaussian import Gaussian
from scople.methods.method import ClassTexts, Progress, Samples
from scople.methods.sa_dvae import SaDvae, SaDvaeSettings, factors
from scople.methods.sizes import Sizes

EXPERT = {"expert_samples": 23, "expert_seen_samples": 19, "expert_steps": 60, "expert_rate": 0.03}
SMALL = SaDvaeSettings(semantic=11, instance=5, discriminator_every=3, learning_rate=1e-2, cycles=4, **EXPERT)
LATE = Progress(step=299, steps=300, epoch=0, epochs=1)  # the end of the last cycle, a turn of the discriminator


def problem() -> tuple[Samples, ClassTexts]:
    texts = toy_texts()
    samples = Samples(toy_samples().features[[2, 0, 1]].double(), torch.tensor([2, 0, 1]))
    return samples, ClassTexts(texts.names, {name: e.double() for name, e in texts.fields.items()})


def test_factors():
    assert factors(2, 1.0) == pytest.approx((0.0233333, 0.0113333, 1.0), abs=1e-6)
    assert factors(9, 1.0) == factors(2, 1.0)
    assert factors(1, 1.0) == pytest.approx((0.0233333, 0.0, 1.0), abs=1e-6)
    assert factors(2, 1000 / 1700) == (0.0, 0.0, 0.0)
    assert factors(2, 0.8)[1:] == (0.0, 0.0)
    assert factors(2, 0.9)[1] == pytest.approx(0.1 * 0.1 * 1700 / 3000)
    assert factors(2, 0.0) == (0.0, 0.0, 0.0)


def test_both_losses_of_a_batch_of_three_by_loops():
    method = build(SaDvae, SMALL).double()
    samples, texts = problem()
    discriminator, model = method.updates(samples, texts, LATE, torch.Generator().manual_seed(5))
    assert (discriminator.group, model.group) == ("discriminator", "model")

    generator = torch.Generator().manual_seed(5)

    def noise():
        return torch.randn((3, 1), generator=generator, dtype=torch.float64)

    def judged(r, v):
        return 1 / (1 + math.exp(-method.discriminator(torch.cat([r, v])).item()))

    def error(output, aim):
        return sum((a - b) ** 2 for a, b in zip(output.tolist(), aim.tolist(), strict=True)) / len(aim) / 3

    x = [row.mean(dim=(0, 1)) for row in samples.features]
    c = [texts.fields["name"][k] for k in samples.targets]
    mean, deviation = {}, {}
    for b in range(3):
        m, s = method.skeleton_encoder.mean(x[b]), (method.skeleton_encoder.log_variance(x[b]) / 2).exp()
        mean["r", b], mean["v", b], deviation["r", b], deviation["v", b] = m[:11], m[11:], s[:11], s[11:]
        mean["c", b], deviation["c", b] = (
            method.text_encoder.mean(c[b]),
            (method.text_encoder.log_variance(c[b]) / 2).exp(),
        )

    def draw(block):
        eps = noise()
        return [mean[block, b] + deviation[block, b] * eps[b] for b in range(3)]

    expected = 0.0
    for block in ("r", "c"):
        z, v = draw(block), draw("v")
        first, second = (torch.randperm(3, generator=generator) for _ in range(2))
        for b in range(3):
            expected -= math.log(judged(z[b], v[b])) / 3
            expected -= math.log(1 - judged(z[first[b]], v[second[b]])) / 3
    f_1, f_2, cross = factors(3, 296 / 300)
    assert discriminator.loss.item() == pytest.approx(f_2 * expected / 4, rel=1e-9)
    assert f_2 > 0
    assert cross == 1

    z_r, z_v, z_c = draw("r"), draw("v"), draw("c")
    total = 0.0
    for b in range(3):
        total += error(method.skeleton_decoder(torch.cat([z_r[b], z_v[b]])), x[b]) + error(
            method.text_decoder(z_c[b]), c[b]
        )
        total += error(method.skeleton_decoder(torch.cat([z_c[b], z_v[b]])), x[b]) + error(
            method.text_decoder(z_r[b]), c[b]
        )
        total += f_2 * judged(z_r[b], z_v[b]) / 3
        for block, factor in (("r", f_1), ("v", f_1), ("c", f_2)):
            for m, s in zip(mean[block, b].tolist(), deviation[block, b].tolist(), strict=True):
                total += factor * 0.5 * (m**2 + s**2 - 1 - 2 * math.log(s)) / 3
    assert model.loss.item() == pytest.approx(total, rel=1e-9)
    terms = model.terms
    again = terms["skeleton_error"] + terms["text_error"] + f_1 * terms["kl_skeleton"] + f_2 * terms["kl_text"]
    assert model.loss.item() == pytest.approx((again + f_2 * terms["correlation"] + terms["cross"]).item(), rel=1e-12)


def test_the_discriminator_has_every_third_turn_and_moves_itself_only():
    method, samples, texts = build(SaDvae, SMALL), *problem()
    method = method.double()
    turns = []
    for step in range(290, 300):
        at = replace(LATE, step=step)
        updates = list(method.updates(samples, texts, at, torch.Generator().manual_seed(5)))
        turns.append([update.group for update in updates])
    assert [step for step, groups in enumerate(turns, 290) if groups == ["discriminator", "model"]] == [
        290,
        293,
        296,
        299,
    ]
    discriminator = next(method.updates(samples, texts, LATE, torch.Generator().manual_seed(5)))
    discriminator.loss.backward()
    for name, parameter in method.named_parameters():
        assert (parameter.grad is not None) == name.startswith("discriminator."), name


def test_the_model_meets_the_discriminator_that_was_moved():
    method, (samples, texts) = build(SaDvae, SMALL).double(), problem()
    correlations = []
    for moves in (False, True):
        updates = method.updates(samples, texts, LATE, torch.Generator().manual_seed(5))
        next(updates)
        if moves:
            with torch.no_grad():
                method.discriminator[-1].bias += 1
        correlations.append(next(updates).terms["correlation"].item())
    assert correlations[1] > correlations[0] + 0.05


def test_a_discriminator_without_a_turn_is_refused():
    with pytest.raises(ScopleError, match="discriminator_every is 0: make it at least 1"):
        build(SaDvae, replace(SMALL, discriminator_every=0))


def test_every_parameter_has_one_group():
    method = build(SaDvae, SMALL)
    groups = method.groups()
    ids = [id(p) for held in groups.values() for group in held for p in group["params"]]
    assert sorted(ids) == sorted(id(p) for p in method.parameters())
    assert {id(p) for p in groups["discriminator"][0]["params"]} == {id(p) for p in method.discriminator.parameters()}


def test_shuffling_keeps_the_rows_of_each_block():
    """The discriminator is shown each half whole: what it is told to be false has the rows of what is true."""
    method, shown = build(SaDvae, SMALL), []
    method.discriminator.register_forward_pre_hook(lambda module, inputs: shown.append(inputs[0]))
    semantic, instance, text = (
        Gaussian(torch.randn(7, width, generator=torch.Generator().manual_seed(width)), torch.zeros(7, width))
        for width in (11, 5, 11)
    )
    method.discriminator_loss(semantic, instance, text, torch.Generator().manual_seed(5))
    for true, false in (shown[:2], shown[2:]):
        assert not torch.equal(true, false)
        for block in (slice(0, 11), slice(11, 16)):
            assert sorted(map(tuple, true[:, block].tolist())) == sorted(map(tuple, false[:, block].tolist()))
    first = {tuple(row[:11]): tuple(row[11:]) for row in shown[0].tolist()}
    assert any(first[tuple(row[:11])] != tuple(row[11:]) for row in shown[1].tolist())


def test_a_discriminator_that_says_nothing_has_the_loss_of_a_coin():
    method = build(SaDvae, SMALL)
    torch.nn.init.zeros_(method.discriminator[-1].weight)
    posterior = Gaussian(torch.zeros(7, 11), torch.zeros(7, 11)), Gaussian(torch.zeros(7, 5), torch.zeros(7, 5))
    loss = method.discriminator_loss(*posterior, posterior[0], torch.Generator().manual_seed(5))
    assert loss.item() == pytest.approx(math.log(2))


def test_scores_read_the_semantic_block_alone():
    method, texts = build(SaDvae, SMALL), toy_texts()
    prepared = method.prepare(texts, torch.Generator().manual_seed(5))
    before = method.scores(toy_samples().features, prepared)
    with torch.no_grad():
        method.skeleton_encoder.mean.bias[11:] += 100
    assert torch.equal(method.scores(toy_samples().features, prepared), before)
    with torch.no_grad():
        method.skeleton_encoder.mean.bias[:11] += 1
    assert not torch.equal(method.scores(toy_samples().features, prepared), before)


@pytest.mark.parametrize(
    ("settings", "sizes", "millions"),
    [
        (SaDvaeSettings(semantic=160, instance=8), Sizes(256, 1024, 55), 0.63),
        (SaDvaeSettings(semantic=256, instance=32), Sizes(256, 1024, 110), 1.03),
        (SaDvaeSettings(), Sizes(256, 512, 55), 0.54),
        (SaDvaeSettings(semantic=128, instance=16), Sizes(256, 512, 46), 0.31),
    ],
)
def test_parameters_at_the_papers_scale(settings, sizes, millions):
    assert sum(p.numel() for p in SaDvae(settings, sizes).parameters()) == pytest.approx(1e6 * millions, rel=0.02)


def test_the_discriminator_stands_still_until_the_third_cycle():
    method = build(SaDvae, SMALL)
    before = {name: p.detach().clone() for name, p in method.discriminator.named_parameters()}
    # Four cycles of 10 steps; the first two have no weight for it.
    samples, texts, optimisers = toy_samples(), toy_texts(), SMALL.recipe().optimisers(method.groups())
    for step in range(20):
        for update in method.updates(samples, texts, Progress(step, 40, 0, 1), torch.Generator().manual_seed(step)):
            for group in optimisers[update.group].param_groups:
                group["lr"] = 0.01
            optimisers[update.group].zero_grad()
            update.loss.backward()
            optimisers[update.group].step()
    assert all(torch.equal(p, before[name]) for name, p in method.discriminator.named_parameters())


def test_it_owes_what_every_method_does():
    stands_the_checks(SaDvae, replace(SMALL, semantic=23), steps=120)
