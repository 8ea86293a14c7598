"""SynSE: weights over its cycles, order of the parts; what every method owes."""

import pytest
import torch
from toy_classes import build, candidates, stands_the_checks, toy_texts

from scople.base.errors import ScopleError
from scople.methods.method import ClassTexts, Progress
from scople.methods.sizes import Sizes
from scople.methods.synse import Synse, SynseSettings

EXPERT = {"expert_samples": 23, "expert_seen_samples": 19, "expert_steps": 60, "expert_rate": 0.03}
SMALL = SynseSettings(latent=14, learning_rate=1e-2, cycles=4, **EXPERT)


def weights(step: int) -> dict:
    return vars(build(Synse, SynseSettings()).weights(Progress(step, 19000, 0, 1)))


def test_the_texts_kl_counts_from_the_third_cycle_on():
    method = build(Synse, SynseSettings())
    for step in range(3800):
        assert method.weights(Progress(step, 19000, 0, 1)).kl_text == 0
    assert weights(2 * 1900 + 1500)["kl_text"] == 0
    assert weights(2 * 1900 + 1899)["kl_text"] == pytest.approx(0.0133, abs=1e-6)
    assert weights(9 * 1900 + 1899)["kl_text"] == pytest.approx(0.0133, abs=1e-6)


@pytest.mark.parametrize("cycle", [0, 5])
@pytest.mark.parametrize(("i", "kl", "cross"), [(0, 0, 0), (1000, 0, 0), (1500, 0.0166667, 0), (1501, 0.0167, 1)])
def test_the_other_weights_start_anew_with_each_cycle(i, kl, cross, cycle):
    found = weights(1900 * cycle + i)
    assert found["kl_skeleton"] == pytest.approx(kl, abs=1e-6)
    assert (found["cross"], found["align"]) == (cross, 0)


def test_the_noun_has_the_first_half_of_the_latents():
    method, texts = build(Synse, SMALL), toy_texts()
    changed = ClassTexts(texts.names, {**texts.fields, "noun": texts.fields["noun"].flip(0)})
    first, second = (
        torch.cat(
            [
                encoder(each.fields[part]).mean
                for part, encoder in zip(method.fields, method.text_encoders, strict=True)
            ],
            1,
        )
        for each in (texts, changed)
    )
    assert torch.equal(first[:, 7:], second[:, 7:])
    assert not torch.allclose(first[:, :7], second[:, :7])
    assert candidates(method, texts).weight.shape == (4, 14)


def test_an_odd_latent_width_is_refused():
    with pytest.raises(ScopleError, match="latent width is 15: it has to be a multiple of 2"):
        build(Synse, SynseSettings(latent=15))


@pytest.mark.parametrize(("latent", "text_width", "expected"), [(200, 512, 462_880), (100, 1024, 386_704)])
def test_parameters_at_the_papers_scale(latent, text_width, expected):
    method = Synse(SynseSettings(latent=latent), Sizes(256, text_width, 55))
    assert sum(p.numel() for p in method.parameters()) == expected


def test_it_owes_what_every_method_does():
    stands_the_checks(Synse, SMALL, steps=120)
