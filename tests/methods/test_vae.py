"""The aligned VAE: its terms against loops for one part and two, and what hangs on which block of latents."""

import math

import pytest
import torch
from toy_classes import SIZES, toy_samples, toy_texts

from scople.base.errors import ScopleError
from scople.base.seeding import seeded
from scople.methods.experts import ExpertSettings
from scople.methods.method import ClassTexts, Progress, Samples
from scople.methods.vae import AlignedVAE, Hidden, Weights

START = Progress(0, 1, 0, 1)
LATENT, BATCH = 6, 3
WEIGHTS = Weights(kl_skeleton=0.2, kl_text=0.3, cross=0.7, align=1.1)


class Weighted(AlignedVAE):
    """With weights that are given."""

    given = WEIGHTS

    def weights(self, at: Progress) -> Weights:
        return self.given


def build(parts=("noun", "verb"), hidden=Hidden(), *, relu_ends=True, sums=False, latent=LATENT) -> Weighted:  # noqa: B008 - it is frozen
    options = {"relu_ends": relu_ends, "sums": sums, "settings": ExpertSettings()}
    with seeded(1, "vae"):
        return Weighted(SIZES, parts=parts, latent=latent, hidden=hidden, **options).double()


def problem() -> tuple[Samples, ClassTexts]:
    texts = toy_texts()
    samples = Samples(toy_samples().features[[2, 0, 1]].double(), torch.tensor([2, 0, 1]))
    return samples, ClassTexts(texts.names, {name: e.double() for name, e in texts.fields.items()})


def update(method: AlignedVAE, texts: ClassTexts | None = None):
    samples, own = problem()
    (found,) = method.updates(samples, texts or own, START, torch.Generator().manual_seed(5))
    return found


@pytest.mark.parametrize("sums", [False, True])
@pytest.mark.parametrize("hidden", [Hidden(), Hidden(11, 19, 23, 29)])
@pytest.mark.parametrize("parts", [("name",), ("noun", "verb")])
def test_the_loss_of_a_batch_of_three_by_loops(parts, hidden, sums):
    method = build(parts, hidden, relu_ends=not sums, sums=sums)
    samples, texts = problem()
    found = update(method)

    generator = torch.Generator().manual_seed(5)
    draws = [torch.randn((BATCH, 1), generator=generator, dtype=torch.float64) for _ in range(1 + len(parts))]
    block = LATENT // len(parts)

    def error(output, aim):
        return sum(abs(a - b) if sums else (a - b) ** 2 / len(aim) for a, b in zip(output, aim, strict=True)).item()

    def kl(mean, log_variance):
        return sum(
            0.5 * (m**2 + math.exp(v) - 1 - v) for m, v in zip(mean.tolist(), log_variance.tolist(), strict=True)
        )

    names = ("skeleton_error", "text_error", "kl_skeleton", "kl_text", "cross", "align")
    expected = dict.fromkeys(names, 0.0)
    for b in range(BATCH):
        x = samples.features[b].mean(dim=(0, 1))
        body = method.skeleton_encoder.body(x)
        mean, log_variance = method.skeleton_encoder.mean(body), method.skeleton_encoder.log_variance(body)
        z = mean + (log_variance / 2).exp() * draws[0][b]
        expected["skeleton_error"] += error(method.skeleton_decoder(z), x)
        expected["kl_skeleton"] += kl(mean, log_variance)
        z_parts, distance = [], 0.0
        for p, part in enumerate(parts):
            c, encoder, decoder = (
                texts.fields[part][samples.targets[b]],
                method.text_encoders[p],
                method.text_decoders[p],
            )
            m, v = encoder.mean(encoder.body(c)), encoder.log_variance(encoder.body(c))
            z_parts.append(m + (v / 2).exp() * draws[1 + p][b])
            expected["text_error"] += error(decoder(z_parts[-1]), c)
            expected["kl_text"] += kl(m, v)
            mine = slice(p * block, (p + 1) * block)
            expected["cross"] += error(decoder(z[mine]), c)
            distance += (mean[mine] - m).square().sum().item()
            distance += ((log_variance[mine] / 2).exp() - (v / 2).exp()).square().sum().item()
        expected["cross"] += error(method.skeleton_decoder(torch.cat(z_parts)), x)
        expected["align"] += distance**0.5
    for name in names:
        expected[name] /= 1 if sums else BATCH
        assert found.terms[name].item() == pytest.approx(expected[name], rel=1e-9), name
    total = expected["skeleton_error"] + expected["text_error"]
    total += (
        0.2 * expected["kl_skeleton"] + 0.3 * expected["kl_text"] + 0.7 * expected["cross"] + 1.1 * expected["align"]
    )
    assert found.loss.item() == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("sums", [False, True])
def test_without_cross_and_align_there_are_two_vaes(sums):
    """The gradient of the skeleton's half is the same whatever the texts are, and the other way round."""
    other = problem()[1].rows([3, 2, 1, 0])
    gradients = []
    for texts in (None, other):
        method = build(sums=sums)
        method.given = Weights(kl_skeleton=0.2, kl_text=0.3, cross=0.0)
        update(method, texts).loss.backward()
        gradients.append({name: p.grad for name, p in method.named_parameters()})
    for name, gradient in gradients[0].items():
        assert torch.equal(gradient, gradients[1][name]) == name.startswith("skeleton"), name


def test_parts_may_change_places_with_their_halves_of_the_weights():
    method, swapped = build(("noun", "verb")), build(("verb", "noun"))
    order = [*range(LATENT // 2, LATENT), *range(LATENT // 2)]
    with torch.no_grad():
        for head in ("mean", "log_variance"):
            mine, theirs = getattr(method.skeleton_encoder, head), getattr(swapped.skeleton_encoder, head)
            theirs.weight.copy_(mine.weight[order])
            theirs.bias.copy_(mine.bias[order])
        swapped.skeleton_decoder[0].weight.copy_(method.skeleton_decoder[0].weight[:, order])
        for p in range(2):
            swapped.text_encoders[p].load_state_dict(method.text_encoders[1 - p].state_dict())
            swapped.text_decoders[p].load_state_dict(method.text_decoders[1 - p].state_dict())
    samples, texts = problem()
    own = [texts.fields[part][samples.targets] for part in ("noun", "verb")]
    with pytest.MonkeyPatch.context() as patch:  # one noise for all, as parts are drawn in their order
        patch.setattr(torch, "randn", lambda shape, **_: torch.full(shape, 0.3, dtype=torch.float64))
        first = method.terms(method.inputs(samples.features), own, torch.Generator())
        second = swapped.terms(swapped.inputs(samples.features), own[::-1], torch.Generator())
    for name, term in first.items():
        torch.testing.assert_close(second[name], term)


@pytest.mark.parametrize("part", ["noun", "verb"])
def test_skeletons_are_decoded_without_a_part_whose_columns_are_zero(part):
    texts = problem()[1]
    changed = ClassTexts(texts.names, {**texts.fields, part: texts.fields[part].flip(0)})
    method = build()
    mine = slice(0, LATENT // 2) if part == "noun" else slice(LATENT // 2, LATENT)
    crosses = []
    for columns in (None, mine):
        with torch.no_grad():
            if columns:
                method.skeleton_decoder[0].weight[:, columns] = 0
        rows = [[texts_.fields[p][problem()[0].targets] for p in ("noun", "verb")] for texts_ in (texts, changed)]
        z = [torch.cat([e(c).mean for e, c in zip(method.text_encoders, own, strict=True)], dim=1) for own in rows]
        crosses.append([method.skeleton_decoder(each) for each in z])
    assert not torch.allclose(*crosses[0])
    assert torch.equal(*crosses[1])


def test_an_alignment_without_weight_is_not_computed_into_the_loss():
    method = build()
    method.given = Weights(kl_skeleton=0.0, kl_text=0.0, cross=0.0)
    with torch.no_grad():
        method.text_encoders[0].log_variance.bias.fill_(-torch.inf)  # KL is infinite then
    assert update(method).loss.isfinite()
    assert update(method).terms["kl_text"].isinf()


def test_a_latent_width_that_cannot_be_shared_is_refused():
    with pytest.raises(ScopleError, match="latent width is 7: it has to be a multiple of 2"):
        build(latent=7)
