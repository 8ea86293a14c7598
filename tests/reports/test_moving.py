"""What the player unpacks is the recording."""

import base64

import numpy as np
import pytest
from hostile_profile import recording

from scople.data.joints import JOINT_NAMES
from scople.reports.page.moving import MOST_FRAMES, even_shares, most_looked_at


def unpacked(entry):
    points = np.frombuffer(base64.b64decode(entry["points"]), "<i2")
    return points.reshape(entry["bodies"], entry["frames"], len(JOINT_NAMES), 3)


@pytest.mark.parametrize(
    ("bodies", "frames", "step"), [(2, 7, 1), (1, MOST_FRAMES, 1), (1, MOST_FRAMES + 1, 2), (2, 301, 6)]
)
def test_positions_come_back_to_the_millimetre(bodies, frames, step):
    original = recording(bodies, frames)
    entry = original.packed()
    assert entry["frames"] <= MOST_FRAMES
    kept = 1000 * original.sequence[:, ::step]
    apart = kept - unpacked(entry)
    np.testing.assert_allclose(apart, np.broadcast_to(apart[0, 0, 0], apart.shape), atol=1.01)
    assert unpacked(entry)[..., 1].min() == 0
    assert entry["seconds"] == pytest.approx((kept.shape[1] - 1) * step / 30, abs=0.01)


def test_far_away_stays_in_range():
    original = recording(1, 3)
    far = type(original)(**(vars(original) | {"sequence": original.sequence + 1e6 * np.arange(3)[None, :, None, None]}))
    assert np.abs(unpacked(far.packed()).astype(int)).max() == 32768


def test_attention_in_even_shares():
    attention = np.full(3 + len(JOINT_NAMES), 0.01)
    attention[:3] = 0.1
    attention[3 + JOINT_NAMES.index("left hand")] = 0.06
    prompts, shares = even_shares(attention)
    assert prompts == pytest.approx(30)
    assert shares.mean() == pytest.approx(1)
    assert shares[JOINT_NAMES.index("left hand")] == pytest.approx(0.06 / 0.012)
    assert most_looked_at(attention, 2) == "left hand 5.0, spine base 0.8"
    assert even_shares(np.zeros(25))[1].tolist() == [0] * 25
