"""What a recording loses in a joint map: real NTU files down to each map's joints and back to the 25.

    python -m benchmarks.joint_maps --raw FOLDER [--weights FILE]

`--raw` has NTU RGB+D `.skeleton` files with their own names; `--weights` the published Shift-GCN of NTU-60
(cross-subject). Each file goes through `from_ntu25` of a map and then through its `targets`. Errors are distances in
centimetres over all frames and bodies; "estimated cm" is the mean over the joints that the map calls estimated.
"recognised" counts the files whose action the published weights still name, "own class %" is the mean probability that
they give it. "warned" counts the files that `scople.recordings.plausibility` doubts, "mirrored, warned" those whose
mirror image it doubts. With `--weights` there are two more rows: all 25 joints with z = 0 (2-D), and left and right
swapped, which show what a wrong map costs.

What this cannot see: another tracker puts the same joint elsewhere, and trembles in its own way. It measures only what
fewer joints lose.
"""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from tabulate import tabulate

from scople.backbone.shift_gcn import ShiftGCN
from scople.data.joints import JOINT_NAMES
from scople.data.skeletons import normalise
from scople.formats.ntu import parse_name
from scople.recordings.clips import Clip, Reading, find_files, read_clips
from scople.recordings.joint_maps import FOLDER, JointMap, load_map, weighted
from scople.recordings.motion import is_present
from scople.recordings.plausibility import doubts

FRAMES = 300
COLUMNS = (
    "map", "joints", "estimated", "mean cm", "estimated cm", "worst joint", "its mean cm", "max cm",
    "warned", "mirrored, warned", "recognised", "own class %",
)  # fmt: skip

Change = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    """Read the command line and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw", type=Path, required=True, help="folder with .skeleton files")
    parser.add_argument("--weights", type=Path, help="published Shift-GCN, NTU-60 cross-subject")
    options = parser.parse_args()
    files = find_files([str(options.raw)])
    sequences = [read_clips(path, Reading())[0].sequence for path in files]
    actions = [parse_name(path.name).action for path in files]
    maps = [load_map(path.stem) for path in sorted(FOLDER.glob("*.yaml"))]
    rows = [row(joint_map, sequences) for joint_map in maps]
    if options.weights:
        model = published(options.weights)
        rows += [["ntu25 without depth (2-D)", *[""] * 9], ["ntu25, left and right swapped", *[""] * 9]]
        for line, change in zip(rows, [*map(there_and_back, maps), flat, swapped], strict=True):
            line += recognised(model, map(change, sequences), actions)
    columns = COLUMNS if options.weights else COLUMNS[:-2]
    print(tabulate(rows, columns, tablefmt="github", disable_numparse=True))


def there_and_back(joint_map: JointMap) -> Change:
    """Down to the map's joints and back; a map's own recordings are all that it gets."""
    return lambda sequence: weighted(weighted(sequence, joint_map.from_ntu25), joint_map.targets)


def flat(sequence: np.ndarray) -> np.ndarray:
    """Without depth."""
    return sequence * np.float32([1, 1, 0])


def swapped(sequence: np.ndarray) -> np.ndarray:
    """With the names of left and right exchanged."""
    other = {"left": "right", "right": "left"}
    names = [" ".join([other.get(first, first), *rest]) for first, *rest in map(str.split, JOINT_NAMES)]
    return sequence[:, :, [JOINT_NAMES.index(name) for name in names]]


def row(joint_map: JointMap, sequences: list[np.ndarray]) -> list[str]:
    """Errors of a map in centimetres."""
    errors = []
    for sequence in sequences:
        distance = np.linalg.norm(there_and_back(joint_map)(sequence) - sequence, axis=3)
        errors.append(100 * distance[is_present(sequence)])
    error = np.concatenate(errors)  # frames of all bodies, joint
    by_joint = error.mean(axis=0)
    estimated = [joint for joints, _ in joint_map.estimated for joint in joints]
    return [
        joint_map.name,
        str(len(joint_map.joints)),
        str(len(estimated)),
        f"{error.mean():.1f}",
        f"{by_joint[estimated].mean():.1f}" if estimated else "-",
        JOINT_NAMES[by_joint.argmax()] if estimated else "-",
        f"{by_joint.max():.1f}",
        f"{error.max():.1f}",
        *(str(warned(map(change, map(there_and_back(joint_map), sequences)))) for change in (np.asarray, mirrored)),
    ]


def mirrored(sequence: np.ndarray) -> np.ndarray:
    """As in a mirror."""
    return sequence * np.float32([-1, 1, 1])


def warned(sequences: Iterable[np.ndarray]) -> int:
    """How many recordings are called implausible."""
    return sum(bool(doubts(Clip("", sequence, ()))) for sequence in sequences)


def published(path: Path) -> ShiftGCN:
    """The published weights."""
    return ShiftGCN.from_published(torch.load(path, weights_only=True)).eval()


def recognised(model: ShiftGCN, sequences: Iterable[np.ndarray], actions: list[int]) -> list[str]:
    """How many of the recordings the weights put into their own class, and its mean probability in per cent."""
    x = torch.from_numpy(np.stack([normalise(sequence, FRAMES) for sequence in sequences]))
    with torch.no_grad():
        probability = model(x).softmax(1)
    own = torch.tensor(actions) - 1
    right = int((probability.argmax(1) == own).sum())
    return [f"{right} of {len(own)}", f"{100 * probability[range(len(own)), own].mean():.0f}"]


if __name__ == "__main__":
    main()
