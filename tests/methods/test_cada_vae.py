"""CADA-VAE and CA-VAE: weights over the training, the scaling of the input; what every method owes."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from toy_classes import build, stands_the_checks, toy_samples, toy_texts, train

from scople.methods.cada_vae import CadaVae, CadaVaeSettings, CaVae
from scople.methods.method import Progress, Samples
from scople.methods.sizes import Sizes
from scople.methods.synse import SynseSettings
from scople.methods.vae import Weights

EXPERT = {"expert_samples": 23, "expert_seen_samples": 19, "expert_steps": 60, "expert_rate": 0.03}
CADA = CadaVaeSettings(
    latent=7, skeleton_encoder=29, text_encoder=31, skeleton_decoder=37, text_decoder=23, learning_rate=3e-3, **EXPERT
)
CA = SynseSettings(latent=6, learning_rate=1e-2, cycles=2, **EXPERT)


def close(weights: Weights) -> dict:
    return pytest.approx(vars(weights), abs=1e-12)


@pytest.mark.parametrize(
    ("epoch", "beta", "gamma", "delta"),
    [
        (0, 0, 0, 0),
        (6, 0.25 * 6 / 93, 0, 0),
        (14, 0.25 * 14 / 93, 0, 8.13 / 2),
        (21, 0.25 * 21 / 93, 0, 8.13 * 15 / 16),
        (22, 0.25 * 22 / 93, 2.37 / 54, 8.13),
        (48, 0.25 * 48 / 93, 2.37 / 2, 8.13),
        (75, 0.25 * 75 / 93, 2.37, 8.13),
        (93, 0.25, 2.37, 8.13),
        (99, 0.25, 2.37, 8.13),
    ],
)
def test_the_warm_up_of_cada_vae(epoch, beta, gamma, delta):
    method = build(CadaVae, CADA)
    expected = Weights(*map(float, (beta, beta, gamma, delta)))
    assert vars(method.weights(Progress(7, 9, epoch, 100))) == close(expected)
    if epoch % 2 == 0:  # as many epochs as there are count as 100
        assert vars(method.weights(Progress(7, 9, epoch // 2, 50))) == close(expected)


@pytest.mark.parametrize(
    ("step", "kl", "cross"),
    [(0, 0, 0), (1000, 0, 0), (1500, 500 / 30000, 0), (1501, 501 / 30000, 1), (1899, 0.0299667, 1)],
)
@pytest.mark.parametrize("cycle", [0, 9])
def test_the_cycles_of_ca_vae(step, kl, cross, cycle):
    weights = build(CaVae, replace(CA, cycles=10)).weights(Progress(1900 * cycle + step, 19000, 0, 1))
    assert vars(weights) == pytest.approx(
        {"kl_skeleton": kl, "kl_text": kl if step > 1500 else 0, "cross": cross, "align": 0}, abs=1e-6
    )


@pytest.mark.parametrize(
    ("step", "kl_skeleton", "kl_text", "cross"), [(1200, 1 / 150, 0, 0), (1700, 7 / 300, 7 / 300, 1)]
)
def test_the_loss_of_ca_vae_weighs_its_terms_as_published(step, kl_skeleton, kl_text, cross):
    method = build(CaVae, replace(CA, cycles=1))
    (update,) = method.updates(toy_samples(), toy_texts(), Progress(step, 1900, 0, 1), torch.Generator().manual_seed(5))
    terms = {name: value.item() for name, value in update.terms.items()}
    expected = terms["skeleton_error"] + terms["text_error"] + kl_skeleton * terms["kl_skeleton"]
    assert update.loss.item() == pytest.approx(expected + kl_text * terms["kl_text"] + cross * terms["cross"])


def test_ca_vae_has_linear_encoders_and_a_relu_after_each_linear_decoder():
    method = build(CaVae, CA)
    (text_decoder,) = method.text_decoders
    for decoder in (method.skeleton_decoder, text_decoder):
        assert [type(layer) for layer in decoder] == [nn.Linear, nn.ReLU]
    for encoder in (method.skeleton_encoder, *method.text_encoders):
        assert {type(layer) for layer in encoder.modules()} & {nn.ReLU, nn.Tanh, nn.BatchNorm1d} == set()


def test_training_samples_are_scaled_to_one_and_constant_dimensions_to_zero():
    method, samples = build(CadaVae, CADA), toy_samples()
    samples.features[..., 4] = 2.0
    method.begin(samples, toy_texts())
    x = method.inputs(samples.features)
    varying = [d for d in range(x.shape[1]) if d != 4]
    torch.testing.assert_close(x.amin(dim=0), torch.zeros(x.shape[1]))
    torch.testing.assert_close(x.amax(dim=0)[varying], torch.ones(len(varying)))
    assert x.abs().amax(dim=0)[4].item() < 1e-5
    torch.testing.assert_close(method.inputs(2 * samples.features).amax().item(), x.amax().item(), atol=3.0, rtol=0)


def test_the_scaling_is_part_of_the_model():
    method, samples = build(CadaVae, CADA), toy_samples()
    method.begin(samples, toy_texts())
    again = build(CadaVae, CADA)
    again.load_state_dict(method.state_dict())
    assert torch.equal(again.inputs(samples.features), method.inputs(samples.features))


def test_the_scale_comes_from_training_samples_alone():
    method, samples = build(CadaVae, CADA), toy_samples()
    method.begin(samples, toy_texts())
    before = method.span.clone()
    method.inputs(9 * samples.features)
    train_like = Samples(samples.features[:5], samples.targets[:5])
    tuple(method.updates(train_like, toy_texts(), Progress(0, 1, 0, 1), torch.Generator()))
    assert torch.equal(method.span, before)


def test_recipes_draw_independent_batches():
    assert (CadaVaeSettings().recipe().draw, CadaVaeSettings().recipe().amsgrad) == ("independent", True)
    assert CadaVaeSettings().recipe().epochs == 100
    assert SynseSettings().recipe().steps == 19000


@pytest.mark.parametrize(
    ("kind", "settings", "expected"),
    [(CadaVae, CadaVaeSettings(), 2_447_639), (CaVae, SynseSettings(latent=200), 462_368)],
)
def test_parameters_at_the_papers_scale(kind, settings, expected):
    assert sum(p.numel() for p in kind(settings, Sizes(256, 512, 55)).parameters()) == expected


@pytest.mark.parametrize(("kind", "settings", "steps"), [(CadaVae, CADA, 60), (CaVae, CA, 80)])
def test_they_owe_what_every_method_does(kind, settings, steps):
    stands_the_checks(kind, settings, steps)


def test_nothing_is_learned_of_the_skeleton_where_pairs_are_shuffled():
    """Trained with targets that say nothing, the texts of the four classes are not told apart better than by chance."""
    samples = toy_samples(each=17)
    shuffled = torch.randperm(len(samples.targets), generator=torch.Generator().manual_seed(3))
    method = build(CaVae, CA)
    train(method, CA, Samples(samples.features, samples.targets[shuffled]), toy_texts(), 80)
    means = method.skeleton_encoder(method.inputs(samples.features)).mean
    texts = method.text_encoders[0](toy_texts().fields["name"]).mean
    nearest = torch.cdist(means, texts).argmin(dim=1)
    assert (nearest == samples.targets).float().mean().item() < 0.6
