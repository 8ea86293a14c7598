"""Pools and parts against plain loops."""

import numpy as np
import pytest
import torch

from scople.data.joints import JOINT_NAMES
from scople.methods.inputs import PURLS_PARTS, STAR_PARTS, over_time, part_means, pooled, unit

B, I, V, D = 5, 3, 7, 11  # noqa: E741 - letters of the axes
LENGTHS = (1, 2, 1)


@pytest.fixture
def features():
    return torch.randn(B, I, V, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_means_over_time_weigh_intervals_by_their_length(features):
    steps = torch.cat([features[:, i : i + 1].expand(-1, n, -1, -1) for i, n in enumerate(LENGTHS)], dim=1)
    torch.testing.assert_close(over_time(features, LENGTHS), steps.mean(dim=1))
    torch.testing.assert_close(pooled(features, LENGTHS), steps.mean(dim=(1, 2)))
    torch.testing.assert_close(over_time(features), features.mean(dim=1))
    torch.testing.assert_close(pooled(features[:, :1]), features[:, 0].mean(dim=1))


def test_a_token_of_zeros_stays_zeros(features):
    features[2, 1, 3] = 0
    lengths = unit(features).norm(dim=-1)
    assert lengths[2, 1, 3] == 0
    assert lengths.sum().item() == pytest.approx(B * I * V - 1)


def test_part_means(features):
    parts = ((3, 5), (0,), (6, 0, 2))
    means = part_means(features, parts, LENGTHS)
    for b in range(B):
        for o, part in enumerate(parts):
            total = np.zeros(D)
            for i in range(I):
                for v in part:
                    total += LENGTHS[i] * features[b, i, v].numpy()
            np.testing.assert_allclose(means[b, o].numpy(), total / (sum(LENGTHS) * len(part)))


def test_parts_of_the_body():
    def names(part):
        return {JOINT_NAMES[joint] for joint in part}

    assert sorted(sum(STAR_PARTS, ())) == list(range(25))
    head, hands, arms, hips, legs, feet = map(names, STAR_PARTS)
    assert head == {"neck", "head", "spine shoulder"}
    assert all("hand" in name or "thumb" in name for name in hands)
    assert all("shoulder" in name or "elbow" in name or "wrist" in name for name in arms)
    assert hips == {"spine base", "spine mid"}
    assert all("hip" in name or "knee" in name for name in legs)
    assert all("ankle" in name or "foot" in name for name in feet)
    assert set(sum(PURLS_PARTS, ())) == set(range(25))
    head, hands, torso, legs = map(names, PURLS_PARTS)
    assert "head" in head
    assert {"left hand", "right thumb", "left shoulder", "right wrist"} <= hands
    assert {"spine base", "spine mid", "left hip", "right shoulder"} <= torso
    assert {"spine base", "left foot", "right knee"} <= legs
