"""Recordings as the page's player takes them: a few kilobytes each."""

import base64
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from scople.data.joints import JOINT_NAMES

MOST_FRAMES = 60
"""Frames that are kept of a recording, evenly; the player moves between them."""

RATE = 30
"""Frames a second of every corpus."""


class Ranked(NamedTuple):
    """A candidate class for a recording.

    Attributes:
        label: its name.
        probability: softmax over the candidates it was ranked among.
        attention: weight of each token for this name in this recording, eq. 13: prompts first, then the joints.
    """

    label: str
    probability: float
    attention: Float[np.ndarray, " J"]


@dataclass(frozen=True)
class Recording:
    """A recording of a test subject, and what the model says of it.

    Attributes:
        name: of the sample.
        label: its true class.
        is_unseen: whether that is an unseen class.
        sequence: metres, camera space.
        ranked: the best of the candidates of its own kind, unseen or seen, best first.
        verdict: what the gate and all candidates give.
        verdict_is_unseen: whether that is an unseen class.
        candidates: how many classes it was ranked among.
    """

    name: str
    label: str
    is_unseen: bool
    sequence: Float[np.ndarray, "M T V C"]
    ranked: list[Ranked]
    verdict: str
    verdict_is_unseen: bool
    candidates: int

    def packed(self) -> dict[str, Any]:
        """JSON for the player.

        Returns:
            `points`: int16 millimetres in base64, person after person, frame after frame, joint after joint, x, y, z;
            x and z from the middle of where the people stand, y from the lowest joint. `rate`: kept frames a second.
            `shares`: attention of each joint in even shares, 1 for the mean joint.
        """
        bodies, frames = self.sequence.shape[:2]
        step = -(-frames // MOST_FRAMES)
        kept = self.sequence[:, ::step].astype(np.float64)
        middle = (kept.min(axis=(0, 1, 2)) + kept.max(axis=(0, 1, 2))) / 2
        middle[1] = kept[..., 1].min()
        points = np.clip(np.rint(1000 * (kept - middle)), -32768, 32767).astype("<i2")
        return {
            "name": self.name,
            "label": self.label,
            "unseen": self.is_unseen,
            "bodies": bodies,
            "frames": points.shape[1],
            "seconds": round((points.shape[1] - 1) * step / RATE, 2),
            "points": base64.b64encode(points.tobytes()).decode(),
            "verdict": self.verdict,
            "verdictUnseen": self.verdict_is_unseen,
            "candidates": self.candidates,
            "ranked": [_packed(entry) for entry in self.ranked],
        }


def _packed(entry: Ranked) -> dict[str, Any]:
    prompts, shares = even_shares(entry.attention)
    return {
        "label": entry.label,
        "probability": round(100 * float(entry.probability), 1),
        "prompts": round(prompts, 1),
        "shares": [round(share, 2) for share in shares.tolist()],
    }


def even_shares(attention: Float[np.ndarray, " J"]) -> tuple[float, Float[np.ndarray, " V"]]:
    """The attention that goes to the joint prompts, in per cent, and that of each joint: 1 where it has the mean's."""
    prompts, joints = np.split(attention.astype(np.float64), [len(attention) - len(JOINT_NAMES)])
    return 100 * float(prompts.sum()), joints / max(float(joints.mean()), 1e-12)


def most_looked_at(attention: Float[np.ndarray, " J"], most: int = 3) -> str:
    """The joints with the largest attention and how many even shares each has."""
    _, shares = even_shares(attention)
    return ", ".join(f"{JOINT_NAMES[k]} {shares[k]:.1f}" for k in np.argsort(-shares, kind="stable")[:most])
