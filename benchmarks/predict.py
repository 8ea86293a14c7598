"""How fast a model folder answers: from the start to the first answer, and recordings a second.

Two sizes, each a model folder of random weights, which take as long as trained ones: `demo` (16 frames, width 16, 55
seen classes, MiniLM) and `paper` (300 frames, width 64, 110 seen classes; MiniLM takes the place of CLIP, whose weights
cannot be random in a folder that names them by their digest). Run it from the repository's root as

    python -m benchmarks.predict --threads 2

`first answer` is a new process: Python, torch, the folder, the text encoder, ten labels, one recording. `labels` is
the time to encode ten new labels beside the seen classes, which is spent once for a list. A recording has 90 frames.
"""

import stages  # noqa: F401, I001
import argparse
import statistics
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from scople.backbone.shift_gcn import ShiftGCN
from scople.base.arithmetic import settle
from scople.base.params import load_params
from scople.base.seeding import numpy_generator, seeded
from scople.data.class_names import load_classes
from scople.data.joints import JOINT_NAMES
from scople.pipeline.assembly import build_model
from scople.prediction.model_folder import ModelConfig, described_encoder, save_model_folder
from scople.prediction.recogniser import Recogniser
from scople.text.loading import load_tower

FRAMES = 90
LABELS = ["wave", "clap", "sit down", "stand up", "kick", "bow", "drink", "read", "jump", "fall"]
SEEN = {"demo": 55, "paper": 110}

FIRST = """
import sys, stages
import numpy as np
import scople
from scople.base.arithmetic import settle
settle("portable", int(sys.argv[2]))
sequence = np.random.default_rng(1).normal(size=(1, 90, 25, 3)).astype(np.float32)
scople.load(sys.argv[1]).predict([sequence], sys.argv[3:])
"""


def make_folder(size: str, folder: Path) -> None:
    """Write a model folder of random weights."""
    params = load_params()
    scale, method, tower = params.profiles[size], params.method, load_tower("minilm", "package")
    names = [entry.name for entry in load_classes("datasets/classes/ntu120.csv")]
    with seeded(1, "benchmark"):
        backbone = ShiftGCN(SEEN[size], scale.pretrain.width)
    config = ModelConfig(
        split="benchmark",
        dataset="none",
        profile=size,
        variant=params.variant,
        repeat=1,
        is_synthetic=True,
        frames=scale.frames,
        joints=list(JOINT_NAMES),
        width=scale.pretrain.width,
        method=asdict(method),
        batches={"features": scale.features.batch_size, "scores": scale.evaluate.batch_size},
        text_encoder=described_encoder("minilm", "package", tower),
        seen=names[: SEEN[size]],
        unseen=[],
        thresholds={"entropy": 0.0, "stacking": 0.0, "none": 0.0},
        computed_by={"threads": "1"},
        versions={},
        made_from="",
    )
    save_model_folder(folder, config, backbone, build_model(method, tower, backbone.fc.in_features, seed=1), "")


def seconds(action, *words: object) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    action(*words)
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--recordings", type=int, default=64)
    arguments = parser.parse_args()
    settle("portable", arguments.threads)
    print(f"{'size':8}{'first answer s':>16}{'labels s':>10}{'recordings/s':>14}   least-largest")
    with TemporaryDirectory() as place:
        for size in SEEN:
            folder = Path(place) / size
            make_folder(size, folder)
            call = [sys.executable, "-c", FIRST, str(folder), str(arguments.threads), *LABELS]
            first = [seconds(lambda: subprocess.run(call, check=True)) for _ in range(arguments.rounds)]  # noqa: B023
            recogniser = Recogniser.load(folder)
            generator = numpy_generator(1, "benchmark")
            sequences = list(generator.normal(size=(arguments.recordings, 1, FRAMES, 25, 3)).astype(np.float32))
            recogniser.predict(sequences[:1], LABELS)  # what is done once only
            labels = [seconds(recogniser.encode, [f"{k} {name}" for name in LABELS]) for k in range(arguments.rounds)]
            recogniser.encode(LABELS)
            rates = [len(sequences) / seconds(recogniser.predict, sequences, LABELS) for _ in range(arguments.rounds)]
            median = statistics.median
            print(
                f"{size:8}{median(first):16.1f}{median(labels):10.2f}{median(rates):14.1f}   "
                f"{min(rates):.1f}-{max(rates):.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
