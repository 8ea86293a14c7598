"""Joint maps: from the joints of a sensor or a data set to the 25 of Kinect v2. `datasets/joints/` holds them as files.

    source: where the order of the joints is documented
    left_and_right: own               # left is the person's own left; seen: left is what lies left in the picture
    joints: [hip, chest, ...]         # names of the source joints, in the order of the recordings
    targets:                          # each of the 25 joints: a source joint, or a weighted mean of some
      spine base: hip
      left hand: {left_wrist: 1.3, left_elbow: -0.3}      # weights sum to 1 and may reach beyond
      ...
    estimated:                        # the targets that no source joint stands for, and where they are put instead
      - joints: [left hand, right hand]
        how: on the line of the forearm, beyond the wrist
    from_ntu25:                       # optional, for benchmarks/joint_maps.py: each source joint from the 25, as above
      hip: spine base
      ...

A map is linear: the same weights in every frame. What a linear map cannot give, such as a foot's direction where there
is only an ankle, is not invented.
"""

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from scople.base.documents import listed, quoted, read_document
from scople.base.errors import ScopleError, printable
from scople.data.joints import JOINT_NAMES

FOLDER = Path(__file__).resolve().parents[2] / "datasets" / "joints"
"""The maps of this repository."""

HEAVIEST = 5.0
"""Largest weight believed; one more multiplies the tremble of a joint."""

_KEYS = ("source", "left_and_right", "joints", "targets", "estimated", "from_ntu25")

Weights = tuple[tuple[int, float], ...]
"""A weighted mean: joints by their numbers, from 0, with their weights."""


@dataclass(frozen=True)
class JointMap:
    """How the 25 joints are made of others.

    Attributes:
        name: of its file.
        source: where the order of the joints is documented.
        joints: names of the source joints, in order.
        targets: of each of the 25 joints its weighted mean of source joints.
        estimated: the joints that are estimated and how, as (numbers, how).
        from_ntu25: of each source joint its weighted mean of the 25; empty where the file does not tell.
    """

    name: str
    source: str
    joints: tuple[str, ...]
    targets: tuple[Weights, ...]
    estimated: tuple[tuple[tuple[int, ...], str], ...]
    from_ntu25: tuple[Weights, ...]

    @property
    def needed(self) -> tuple[int, ...]:
        """The source joints that a target is made of."""
        return tuple(sorted({joint for weights in self.targets for joint, _ in weights}))

    def sentences(self) -> tuple[str, ...]:
        """What is estimated, a sentence each."""
        return tuple(
            f"{_spoken([JOINT_NAMES[joint] for joint in joints])} estimated: {how}." for joints, how in self.estimated
        )


def load_map(name: str) -> JointMap:
    """A map of this repository by its name, or a yaml file by its path.

    Raises:
        ScopleError: there is none, or the file is not of the form above.
    """
    is_path = name.endswith((".yaml", ".yml")) or "/" in name
    known = sorted(path.stem for path in FOLDER.glob("*.yaml"))
    if not is_path and name not in known:
        raise ScopleError(
            f"joint map {quoted(name)} is none of {listed(known)}: take one of them or the path of a yaml file."
        )
    path = Path(name) if is_path else FOLDER / f"{name}.yaml"
    try:
        changed = path.stat().st_mtime_ns
    except (OSError, ValueError):  # a ValueError: the path holds a null character
        changed = 0
    return _load(path, changed)


@lru_cache(maxsize=32)
def _load(path: Path, changed: int) -> JointMap:
    """A map is read once for many recordings, and again when its file has changed."""
    return _Reader(path).joint_map(read_document(path))


def weighted(
    positions: Float[np.ndarray, "*frames V C"], means: tuple[Weights, ...]
) -> Float[np.ndarray, "*frames K C"]:
    """Weighted means of joints, one after the other, so that the sums have the same bytes everywhere."""
    result = np.empty((*positions.shape[:-2], len(means), positions.shape[-1]), positions.dtype)
    for target, weights in enumerate(means):
        (joint, weight), *others = weights
        result[..., target, :] = positions[..., joint, :] if weight == 1 else weight * positions[..., joint, :]
        for joint, weight in others:
            result[..., target, :] += weight * positions[..., joint, :]
    return result


class _Reader:
    """Checks one file; every refusal names it."""

    def __init__(self, path: Path):
        self.path = printable(str(path), 150)
        self.name = path.stem

    def refusal(self, what: str, advice: str = "correct it") -> ScopleError:
        return ScopleError(f"joint map {self.path}: {what}: {advice}.")

    def joint_map(self, document: Any) -> JointMap:
        if not isinstance(document, dict):
            raise self.refusal("it is no group of keys", f"give {', '.join(_KEYS[:5])}")
        for key in document:
            if key not in _KEYS:
                raise self.refusal(f"the key {quoted(key)} is unknown", "take it out")
        for key in _KEYS[:5]:
            if key not in document:
                raise self.refusal(f"the key {key} is missing", "add it")
        source, side = document["source"], document["left_and_right"]
        if not (isinstance(source, str) and source.strip()):
            raise self.refusal(f"source is {quoted(source)}", "say where the order of the joints is documented")
        if side not in ("own", "seen"):
            raise self.refusal(f"left_and_right is {quoted(side)}", "write own or seen")
        joints = document["joints"]
        if not (isinstance(joints, list) and joints and all(isinstance(name, str) and name for name in joints)):
            raise self.refusal("joints is no list of names", "list the source joints in their order")
        doubles = [name for name in joints if joints.count(name) > 1 or len(plain(name)) == 0]
        doubles += [name for name in joints if [plain(other) for other in joints].count(plain(name)) > 1]
        if doubles:
            raise self.refusal(f"the joint {quoted(doubles[0])} has no name of its own", "give each joint one")
        targets = self.means(document["targets"], "targets", JOINT_NAMES, joints)
        if side == "seen":
            targets = tuple(targets[JOINT_NAMES.index(_other_side(name))] for name in JOINT_NAMES)
        return JointMap(
            name=self.name,
            source=printable(source, 200),
            joints=tuple(joints),
            targets=targets,
            estimated=self.estimates(document["estimated"]),
            from_ntu25=self.means(document["from_ntu25"], "from_ntu25", joints, JOINT_NAMES)
            if "from_ntu25" in document
            else (),
        )

    def means(self, given: Any, key: str, names: Any, of: Any) -> tuple[Weights, ...]:
        """One weighted mean of the joints `of` for each of `names`."""
        if not isinstance(given, dict):
            raise self.refusal(f"{key} is no group of joints", "give one line for each joint")
        for name in given:
            if name not in names:
                raise self.refusal(f"{key} has the unknown joint {quoted(name)}", f"the names are {listed(names, 600)}")
        missing = [name for name in names if name not in given]
        if missing:
            raise self.refusal(f"{key} does not fill {listed(missing, 200)}", "add a line for each")
        return tuple(self.mean(given[name], f"{key}, {name}", of) for name in names)

    def mean(self, given: Any, where: str, of: Any) -> Weights:
        weights = {given: 1} if isinstance(given, str) else given
        if not (isinstance(weights, dict) and weights):
            raise self.refusal(f"{where} is {quoted(given)}", "give a joint, or a group of joints with weights")
        total = 0.0
        for name, weight in weights.items():
            if name not in of:
                raise self.refusal(
                    f"{where} names the unknown joint {quoted(name)}", f"the names are {listed(of, 600)}"
                )
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < abs(weight) <= HEAVIEST:
                raise self.refusal(
                    f"{where} has the weight {quoted(weight)}",
                    f"take a number other than 0, from -{HEAVIEST:g} to {HEAVIEST:g}",
                )
            total += weight
        if not math.isclose(total, 1, abs_tol=1e-6):
            raise self.refusal(f"the weights of {where} sum to {total:g}", "make them sum to 1")
        return tuple((of.index(name), float(weight)) for name, weight in weights.items())

    def estimates(self, given: Any) -> tuple[tuple[tuple[int, ...], str], ...]:
        if not isinstance(given, list):
            raise self.refusal("estimated is no list", "list joints and how, or write []")
        result, seen = [], set()
        for entry in given:
            if not (isinstance(entry, dict) and set(entry) == {"joints", "how"}):
                raise self.refusal("an entry of estimated has not just the keys joints and how")
            joints, how = entry["joints"], entry["how"]
            if not (isinstance(how, str) and how.strip() and isinstance(joints, list) and joints):
                raise self.refusal("an entry of estimated names no joint or does not say how")
            for name in joints:
                if name not in JOINT_NAMES:
                    raise self.refusal(
                        f"estimated has the unknown joint {quoted(name)}", f"the names are {listed(JOINT_NAMES, 600)}"
                    )
                if name in seen:
                    raise self.refusal(f"estimated names {quoted(name)} twice", "leave only one")
                seen.add(name)
            result.append((tuple(JOINT_NAMES.index(name) for name in joints), printable(how.strip().rstrip("."), 200)))
        return tuple(result)


def plain(name: str) -> str:
    """A joint's name as names are compared: small letters and digits only."""
    return re.sub("[^a-z0-9]", "", name.lower())


def _other_side(name: str) -> str:
    return {"left": "right", "right": "left"}.get(name.split()[0], name.split()[0]) + name[len(name.split()[0]) :]


def _spoken(names: list[str]) -> str:
    """Names as a sentence has them, both sides together: "both hands and the neck are"."""
    shown = []
    for name in names:
        side, _, rest = name.partition(" ")
        if side == "left" and f"right {rest}" in names:
            shown.append(f"both {rest}s".replace("foots", "feet"))
        elif not (side == "right" and f"left {rest}" in names):
            shown.append(f"the {name}")
    joined = ", ".join(shown[:-1]) + " and " + shown[-1] if len(shown) > 1 else shown[0]
    is_one = len(shown) == 1 and not shown[0].startswith("both")
    return joined[0].upper() + joined[1:] + (" is" if is_one else " are")
