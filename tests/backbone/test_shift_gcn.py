"""Shift-GCN against the published structure in its own layout, the golden values and real recordings."""

import numpy as np
import pytest
import torch
from torch import nn

from scople.backbone.shift_gcn import ShiftGCN
from scople.backbone.temporal_shift import temporal_shift
from scople.base.errors import ScopleError
from scople.base.seeding import seeded
from scople.base.shapes import JOINTS, PERSONS


def published_layout_logits(model, x):
    """The published forward pass, `B C T V` maps and all, with the parameters of `model`, in training mode."""

    def norm(bn, h):  # B F ...
        return nn.functional.batch_norm(h, None, None, bn.weight, bn.bias, training=True, eps=bn.eps)

    def conv(pointwise, h):
        return nn.functional.conv2d(h, pointwise.weight[:, :, None, None], pointwise.bias)

    def spatial_shift(h, sign):  # B T V C
        v, c = torch.arange(JOINTS)[:, None], torch.arange(h.shape[3])
        return h[:, :, (v + sign * c) % JOINTS, c]

    def in_time(h, positions, stride):
        return temporal_shift(h.permute(1, 3, 0, 2), positions, stride, "true").permute(2, 0, 3, 1)

    def change(projection, h):
        return h if isinstance(projection, nn.Identity) else norm(projection.bn, conv(projection.conv, h))

    def gcn(unit, h):
        b, _, t, v = h.shape
        y = spatial_shift(h.permute(0, 2, 3, 1), +1) * (torch.tanh(unit.feature_mask) + 1)
        y = spatial_shift(y @ unit.linear_weight + unit.linear_bias, -1)
        scale, shift = (p.view(-1, JOINTS).T.flatten() for p in (unit.bn.weight, unit.bn.bias))
        y = nn.functional.batch_norm(y.reshape(b * t, -1), None, None, scale, shift, training=True)
        return torch.relu(y.view(b, t, v, -1).permute(0, 3, 1, 2) + change(unit.down, h))

    def tcn(unit, h):
        h = in_time(norm(unit.bn, h), unit.shift_in, 1)
        return norm(unit.bn2, in_time(torch.relu(conv(unit.temporal_linear, h)), unit.shift_out, unit.stride))

    n, c, t, v, m = x.shape
    h = norm(model.data_bn, x.permute(0, 4, 3, 1, 2).reshape(n, m * v * c, t))
    h = h.view(n, m, v, c, t).permute(0, 1, 3, 4, 2).reshape(n * m, c, t, v)
    for block in model.blocks:
        y = tcn(block.tcn1, gcn(block.gcn1, h))
        h = torch.relu(y if block.residual is None else y + change(block.residual, h[:, :, :: block.stride]))
    return model.fc(h.view(n, m, h.shape[1], -1).mean(3).mean(1))


def test_training_step_equals_the_published_layout():
    with seeded(1, "test"):
        model = ShiftGCN(num_classes=11, width=5, position_gradient="true").double()
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
        x = torch.randn(3, 3, 8, JOINTS, PERSONS, dtype=torch.float64)
        upstream = torch.randn(3, 11, dtype=torch.float64)
    parameters = dict(model.named_parameters())
    logits, expected = model.train()(x), published_layout_logits(model, x)
    torch.testing.assert_close(logits, expected)
    gradients = torch.autograd.grad(logits, list(parameters.values()), upstream)
    expected = torch.autograd.grad(expected, list(parameters.values()), upstream)
    for name, ours, theirs in zip(parameters, gradients, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-8, msg=lambda text, name=name: f"{name}: {text}")


def test_parameter_count_of_the_paper():
    model = ShiftGCN(num_classes=60)
    # 693,107 of the published network, without its 20 vectors of shifts along the joint axis.
    along_joints = 2 * (4 * 64 + 3 * 128 + 3 * 256)
    assert sum(parameter.numel() for parameter in model.parameters()) == 693_107 - along_joints


def test_starts_as_published():
    with seeded(1, "test"):
        model = ShiftGCN(num_classes=60)
    gcn, tcn = model.l9.gcn1, model.l9.tcn1
    assert not gcn.feature_mask.any()
    assert not gcn.linear_bias.any()
    assert gcn.linear_weight.std().item() == pytest.approx((1 / 256) ** 0.5, rel=0.02)
    assert tcn.temporal_linear.weight.std().item() == pytest.approx((2 / 256) ** 0.5, rel=0.02)
    assert model.l8.residual.conv.weight.std().item() == pytest.approx((2 / 256) ** 0.5, rel=0.02)
    assert not model.l8.residual.conv.bias.any()
    assert tcn.temporal_linear.bias.abs().max() <= 1 / 16
    assert 0.9 < tcn.shift_in.abs().max() <= 1
    assert 0.9 < tcn.shift_out.abs().max() <= 1
    assert model.fc.weight.std().item() == pytest.approx((2 / 60) ** 0.5, rel=0.02)


def test_position_gradient_reaches_every_shift():
    with seeded(1, "test"):
        model = ShiftGCN(num_classes=3, width=2, position_gradient="sign")
        nn.functional.cross_entropy(model(torch.randn(5, 3, 8, JOINTS, PERSONS)), torch.arange(5) % 3).backward()
    for block in model.blocks:
        for positions in (block.tcn1.shift_in, block.tcn1.shift_out):
            assert set(positions.grad.tolist()) <= set(torch.tensor([0.01, -0.01, 0.0001]).tolist())


@pytest.mark.parametrize("frames", [0, 2, 30])
def test_frames_must_be_a_multiple_of_four(frames):
    with pytest.raises(ScopleError, match=f"{frames} frames"):
        ShiftGCN(num_classes=3, width=2)(torch.zeros(1, 3, frames, JOINTS, PERSONS))


def golden_model(golden, dataset):
    weights = torch.load(golden / "shift_gcn" / f"{dataset}_xsub.pt", weights_only=True)
    return ShiftGCN.from_published(weights).eval()


@pytest.mark.realdata
@pytest.mark.parametrize("dataset", ["ntu60", "ntu120"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_golden_outputs(golden, dataset, dtype):
    model = golden_model(golden, dataset).to(dtype)
    x = torch.tensor(np.load(golden / "shift_gcn" / "input.npz")["x"]).to(dtype)
    expected = np.load(golden / "shift_gcn" / f"expected_{dataset}_xsub.npz")
    double = dtype == torch.float64

    def compare(key, ours, in_double, in_single):
        np.testing.assert_allclose(
            ours.numpy(), expected[key], rtol=0, atol=in_double if double else in_single, err_msg=key
        )

    maps = {}
    for i, block in enumerate(model.blocks, 1):
        block.register_forward_hook(lambda _, __, h, i=i: maps.__setitem__(i, h.unflatten(2, (-1, PERSONS))))
    with torch.no_grad():
        features = model.joint_features(x)
        compare("feature_vc", features, 1e-6, 5e-4)
        compare("pooled", features.mean(1), 1e-6, 5e-5)
        compare("logits", model.classify(features), 1e-6, 1e-4)
        for i, h in maps.items():  # C V N M T
            compare(f"block_mean_l{i}", h.mean((1, 4)).permute(1, 2, 0), 1e-5, 1e-4)
            compare(f"block_probe_l{i}", h[:, :, 0, 0, h.shape[4] // 2], 1e-5, 1e-3)
        edges = maps[4][:, :, 0, 0, [0, 1, 2, -3, -2, -1]]
        compare("block_edge_l4", edges.transpose(1, 2), 1e-5, 1e-3)
        compare("logits_t64", model(x[:, :, :64]), 1e-6, 1e-4)


@pytest.mark.realdata
def test_features_are_not_scrambled(golden):
    """A reshape of (N M) D T V to N D T V M, as in one published repository, is not the mean over persons."""
    model = golden_model(golden, "ntu60")
    x = torch.tensor(np.load(golden / "shift_gcn" / "input.npz")["x"])[:, :, :64]
    maps = []
    model.l10.register_forward_hook(lambda _, __, h: maps.append(h))
    with torch.no_grad():
        features = model.joint_features(x)
    batch_first = maps[0].permute(2, 0, 3, 1).contiguous()  # (N M) D T V
    n, (_, d, t, v) = len(x), batch_first.shape
    right = batch_first.view(n, PERSONS, d, t, v).mean((1, 3)).transpose(1, 2)
    scrambled = batch_first.view(n, d, t, v, PERSONS).mean((2, 4)).transpose(1, 2)
    torch.testing.assert_close(features, right)
    assert (features - scrambled).abs().max() > 0.1


@pytest.mark.realdata
def test_published_weights_recognise_real_recordings(golden, real_data):
    expected = np.load(real_data / "ntu_expected.npz")
    with torch.no_grad():
        logits = golden_model(golden, "ntu60")(torch.tensor(expected["normalised"])).numpy()
    np.testing.assert_allclose(logits, expected["logits"], rtol=0, atol=1e-4)
    actions = [int(str(name)[-3:]) for name in expected["names"]]
    assert (logits.argmax(1) + 1).tolist() == actions


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("fc.weight", None),
        ("l3.tcn1.bn.bias", None),
        ("l1.residual.conv.weight", lambda _: torch.zeros(64, 3, 1, 1)),
        ("l2.gcn1.Linear_weight", lambda tensor: tensor[:, :32]),
        ("l2.gcn1.shift_in", lambda tensor: tensor.flip(0)),
        ("l2.tcn1.shift_in.xpos", lambda tensor: tensor + 0.5),
    ],
)
def test_other_checkpoints_are_refused(golden, key, change):
    weights = torch.load(golden / "shift_gcn" / "ntu60_xsub.pt", weights_only=True)
    if change is None:
        del weights[key]
    else:
        weights[key] = change(weights.get(key))
    with pytest.raises(ScopleError, match="Shift-GCN checkpoint"):
        ShiftGCN.from_published(weights)
