"""What the benchmarks hold the package to, and what they count."""

import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from benchmarks import methods, pretrain_step
from benchmarks.limits import ByteCounter, counted, peak_memory
from benchmarks.pretrain_step import part_of
from benchmarks.published_backbone import published_logits, shift_by_index
from scople.backbone import shift_gcn
from scople.backbone.shift_gcn import ShiftGCN
from scople.backbone.temporal_shift import temporal_shift
from scople.methods.method import ClassTexts, Method, Samples, Update
from scople.methods.recipe import Recipe
from scople.methods.registry import METHODS


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frames", [2, 11, 16])
def test_the_published_shift_is_ours_in_both_directions(stride, frames):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3, 7, frames, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    positions = torch.tensor([0.0, 0.25, -0.25, 2.0, -3.75, 9.6, -40.0], dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(3, 7, frames // stride, 5, dtype=torch.float64, generator=generator)
    theirs = shift_by_index(x, positions, stride)
    ours = temporal_shift(x.permute(1, 3, 0, 2), positions, stride, "true").permute(2, 0, 3, 1)
    torch.testing.assert_close(theirs, ours)
    for found, expected in zip(
        torch.autograd.grad(theirs, (x, positions), upstream),
        torch.autograd.grad(ours, (x, positions), upstream),
        strict=True,
    ):
        torch.testing.assert_close(found, expected)


@pytest.mark.realdata
def test_the_published_formulation_has_the_golden_logits(golden):
    model = ShiftGCN.from_published(torch.load(golden / "shift_gcn/ntu60_xsub.pt", weights_only=True)).eval().double()
    x = torch.tensor(np.load(golden / "shift_gcn/input.npz")["x"][:, :, :64]).double()
    expected = np.load(golden / "shift_gcn/expected_ntu60_xsub.npz")["logits_t64"]
    with torch.no_grad():
        np.testing.assert_allclose(published_logits(model, x).numpy(), expected, rtol=0, atol=1e-6)


def test_operations_and_bytes_are_counted():
    a, b = torch.ones(70, 30), torch.ones(30, 110)
    gigaflop, gigabytes = counted(lambda: torch.mm(a, b).T.unsqueeze(0).add_(1.0))
    assert gigaflop == pytest.approx(2 * 70 * 30 * 110 / 1e9)
    read, product = 4 * (70 * 30 + 30 * 110), 4 * 70 * 110
    assert gigabytes == pytest.approx((read + product + 2 * product) / 1e9)  # the views are free, add_ reads and writes


def test_operations_are_counted_without_views():
    with ByteCounter() as counter:
        torch.mm(torch.ones(7, 3), torch.ones(3, 11)).T.unsqueeze(0).add_(1.0)
    assert counter.operations == 4  # two of ones, a product, a sum


class OneLayer(Method):
    """A step is two products: one forward and, as nothing before it learns, one backward."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(13, 7))
        self.at = []

    def updates(self, samples, texts, at, generator):
        self.at.append((at.step, at.steps, at.epoch, at.epochs))
        yield Update("model", (samples.features.flatten(1) @ self.weight).mean())

    def scores(self, features, candidates):
        return features.flatten(1) @ self.weight[:, : len(candidates)]


def test_what_a_method_costs(monkeypatch):
    monkeypatch.setattr(methods, "SAMPLES", 40_000)
    method = OneLayer()
    samples = Samples(torch.ones(31, 1, 1, 13), torch.zeros(31, dtype=torch.int64))
    texts = ClassTexts(("a", "b", "c"), {})
    found = methods.measure("one", method, Recipe(batch_size=17, epochs=3), samples, texts, texts, rounds=3)
    steps = 3 * -(-40_000 // 17)
    assert (found.steps, found.parameters) == (steps, 91)
    assert method.at[0] == (int(0.99 * steps), steps, 2, 3)
    assert found.gigaflop == pytest.approx(2 * 2 * 17 * 13 * 7 / 1e9)
    assert found.least <= found.seconds_per_step <= found.largest
    assert found.training_minutes == pytest.approx(found.seconds_per_step * steps / 60, rel=0.01)
    # So small a step waits for its operations on a GPU.
    assert found.counted_minutes == pytest.approx(found.operations * 8e-6 * steps / 60)
    assert found.device_gigabytes >= (40_000 * 13 * 4 + 16 * 91) / 1e9


STEPS = {"ridge": 0, "revise": 17_100, "jpose": 11_400, "cada_vae": 115_600, "ca_vae": 19_000, "synse": 19_000}
STEPS |= {"smie": 45_200, "star": 27_060, "purls": 22_600, "sa_dvae": 18_060}


@pytest.mark.parametrize("name", METHODS)
def test_published_trainings_have_their_steps_on_ntu_120(name):
    method, recipe = methods.at_paper_scale(name)
    steps = STEPS["purls" if name.startswith("purls") else name]
    assert sum(recipe.lengths(methods.SAMPLES, method.smallest_batch)) == steps


def test_peak_memory_is_that_of_the_call():
    def call():
        return [torch.ones(5_000_000) for _ in range(3)]

    call()
    assert peak_memory(call, torch.device("cpu")) == pytest.approx(0.06, rel=0.3)


def test_formulations_are_compared_without_tf32(monkeypatch):
    """PyTorch allows it to convolutions, which only the published formulation has."""
    found = []

    def compared(*_):
        found.append((torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32))
        raise SystemExit

    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.setattr(pretrain_step, "require_equal", compared)
    for name in ("product_rate", "copy_rate"):
        monkeypatch.setattr(pretrain_step, name, lambda _: 1.0)
    monkeypatch.setattr(sys, "argv", ["pretrain_step", "--profile", "demo", "--precision", "tf32"])
    with pytest.raises(SystemExit):
        pretrain_step.main()
    assert found == [(False, False)]


def test_gradients_are_compared_for_long_and_short_maps(monkeypatch):
    lengths = set()

    def noted(x, *words):
        lengths.add(x.shape[-1] > shift_gcn.SHORT)
        return temporal_shift(x, *words)

    monkeypatch.setattr(shift_gcn, "temporal_shift", noted)
    pretrain_step.require_equal(pretrain_step.Step(16, 2, 2, torch.device("cpu"), "float32"), torch.device("cpu"))
    assert lengths == {False, True}


def test_shares_are_per_cent_or_empty_without_times(monkeypatch):
    a, device = torch.ones(30, 30), torch.device("cpu")
    assert sum(pretrain_step.shares(lambda: torch.mm(a, a).add_(1.0), device)) == pytest.approx(100)
    monkeypatch.setattr(torch.profiler.profile, "key_averages", lambda _: [])
    assert pretrain_step.shares(lambda: torch.mm(a, a), device) == [""] * 4


@pytest.mark.slow
def test_memory_of_a_training_is_told(root):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.train_memory", "--samples", "300"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    before, most = map(float, re.findall(r"([\d.]+) GB", done.stdout))
    assert 0.1 < before < most


def test_parts_of_a_step():
    assert part_of("aten::mm") == part_of("aten::mkldnn_convolution") == "linear maps"
    assert part_of("aten::native_group_norm_backward") == "norms"
    assert part_of("aten::index_select") == "moves"
    assert part_of("aten::clamp_min_") == "element by element"
