"""The backbone's training at the size of NTU RGB+D 120, split 110/10, as the pretrain stage feeds it, in a few steps.

    python -m benchmarks.paper_epoch --device cuda --workers 8           57,767 sequences of 300 frames, batches of 64
    python -m benchmarks.paper_epoch --samples 40 --steps 2 --profile demo

The packed corpus is generated in memory: noise, in lengths from 40 to 174 frames, every fifth recording with two
persons. *Filling* is what comes before the first epoch: all sequences normalised and put where the steps read them, or
0 where they are read step by step. The steps are the stage's own, batches and all, on a clock that stops when the
device has finished. Epochs and runs are extrapolated from them. *Features* is a sample's part of a batch of the
features stage, reading included.
"""

import stages  # noqa: F401, I001  how to compute has to be settled before torch is loaded

import argparse
import os
import time
from collections.abc import Iterator
from itertools import chain, islice, repeat

import numpy as np
import pandas as pd
import torch
from tabulate import tabulate

from benchmarks.limits import GIGA, wait
from benchmarks.training_time import SAMPLES
from scople.backbone.feeding import Feed, Order
from scople.backbone.pretraining import extract, parameter_groups, train_epoch
from scople.backbone.shift_gcn import ShiftGCN
from scople.base.arithmetic import settle
from scople.base.params import load_params
from scople.base.seeding import numpy_generator, seeded, torch_generator
from scople.base.shapes import JOINTS
from scople.data.corpus import Corpus, NormalisedSequences

CLASSES = 110
LENGTHS = (40, 175)
"""Frames of a recording; their mean is that of NTU's."""

WARM = 3
"""Steps that are not timed."""


def generated(samples: int, seed: int) -> Corpus:
    """A packed corpus of noise in NTU's lengths."""
    generator = numpy_generator(seed, "benchmark")
    index = pd.DataFrame(
        {"frames": generator.integers(*LENGTHS, size=samples), "bodies": 1 + (np.arange(samples) % 5 == 4)}
    )
    rows = int((index["frames"] * index["bodies"]).sum())
    return Corpus(index, generator.standard_normal((rows, JOINTS, 3), dtype="float32"))


def main() -> None:
    """Print a row for each precision as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--profile", choices=("demo", "paper"), default="paper", help="whose frames, width and batch")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--precision", nargs="+", choices=("float32", "tf32", "bfloat16"), default=["float32"])
    arguments = parser.parse_args()
    params, device = load_params(), torch.device(arguments.device)
    settle(params.machine.arithmetic, params.machine.threads)
    torch.use_deterministic_algorithms(True)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    scale = params.profiles[arguments.profile]
    batch_size, epochs = min(scale.pretrain.batch_size, arguments.samples), scale.pretrain.epochs

    sequences = NormalisedSequences(
        generated(arguments.samples, params.seed), np.arange(arguments.samples), scale.frames
    )
    targets = torch.arange(arguments.samples) % CLASSES
    order = Order(arguments.samples, batch_size, torch_generator(params.seed, "benchmark", "order"))
    start = time.perf_counter()
    feed = Feed(sequences, targets, order, device, workers=arguments.workers)
    wait(device)
    filling = time.perf_counter() - start if feed.kept is not None else 0.0
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {params.machine.threads} threads"
    kept = "kept" if feed.kept is not None else "read step by step"
    print(
        f"{where}: {arguments.samples} sequences of {scale.frames} frames {kept}, filling {filling:.1f} s\n", flush=True
    )

    rows = []
    for precision in arguments.precision:
        with seeded(params.seed, "benchmark"):
            model = ShiftGCN(CLASSES, scale.pretrain.width).to(device)
        optimiser = torch.optim.SGD(parameter_groups(model), 0.01, momentum=0.9, nesterov=True)
        batches: Iterator = chain.from_iterable(repeat(feed))
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        train_epoch(model, islice(batches, WARM), optimiser, device, precision)
        start = time.perf_counter()
        train_epoch(model, islice(batches, arguments.steps), optimiser, device, precision)
        sample = (time.perf_counter() - start) / arguments.steps / batch_size
        memory = torch.cuda.max_memory_allocated() / GIGA if device.type == "cuda" else ""
        few = torch.utils.data.Subset(sequences, range(min(arguments.samples, arguments.steps * batch_size)))
        extract(model, torch.utils.data.Subset(sequences, range(batch_size)), batch_size, device, precision)
        start = time.perf_counter()
        extract(model, few, batch_size, device, precision, arguments.workers)
        features = (time.perf_counter() - start) / len(few)
        epoch = sample * arguments.samples
        rows.append([precision, 1000 * sample, epoch, (filling + epochs * epoch) / 3600, 1000 * features, memory])
    heads = ["precision", "ms a sample", "s an epoch", f"h for {epochs} epochs", "features, ms a sample", "peak GB"]
    print(tabulate(rows, heads, tablefmt="github", floatfmt=".3g"))


if __name__ == "__main__":
    main()
