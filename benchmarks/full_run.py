"""Seconds of the paper's whole 110/10 training on this machine, against the paper's 53 minutes on an A100.

    python -m benchmarks.full_run --device cuda [--autocast bfloat16]          57,767 samples, 100 epochs
    python -m benchmarks.full_run --samples 2560 --epochs 1                    ten steps, the rest extrapolated

The first line with a time comes after 500 steps, extrapolated, so that a run that is ended early has said something.
The last line is of the whole run.

It calls `scople.methods.fitting.fit` as the train stage does, with the settings of `params.yaml`, on random features of
the right shape and, for CLIP, random weights in the shapes of ViT-B/32; both take the time that real ones do.
"""

import argparse
import time
from dataclasses import replace

import torch

from benchmarks.training_time import FEATURE_WIDTH, PAPER_MINUTES, SAMPLES, paper_model
from scople.base.params import load_params
from scople.base.seeding import numpy_generator
from scople.base.shapes import JOINTS
from scople.methods.fitting import fit
from scople.methods.method import ClassTexts
from scople.methods.scople import Scople, ScopleSettings

FIRST = 500
"""Steps after which a first time is printed; on a GPU some seconds."""


def main() -> None:
    """Train a few steps to warm up, then some for a first time, then all."""
    params = load_params()
    train = params.profiles["paper"].train
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", choices=("clip", "minilm"), default="clip")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--epochs", type=int, default=train.epochs)
    parser.add_argument("--autocast", choices=("none", "bfloat16"), default=train.autocast)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    model, class_names = paper_model(arguments.encoder)
    generator = numpy_generator(params.seed, "benchmark")
    features = generator.standard_normal((arguments.samples, 1, JOINTS, FEATURE_WIDTH), dtype="float32")
    targets = generator.integers(len(class_names), size=arguments.samples)
    settings = ScopleSettings(
        epochs=arguments.epochs,
        batch_size=train.batch_size,
        learning_rate=train.learning_rate,
        training_query=params.method.training_query,
        text_weight=params.method.text_weight,
        autocast=arguments.autocast,
    )
    method, texts = Scople(settings, model), ClassTexts(tuple(class_names), {})
    running = {"seed": params.seed, "device": torch.device(arguments.device)}
    name = torch.cuda.get_device_name() if arguments.device == "cuda" else f"CPU, {arguments.threads} threads"
    print(f"{name}, {arguments.encoder}, {len(class_names)} classes, autocast {arguments.autocast}", flush=True)
    few = slice(2 * train.batch_size)
    fit(method, replace(settings.recipe(), epochs=1), features[few], targets[few], texts, **running)

    a_pass, whole = -(-arguments.samples // train.batch_size), train.epochs * -(-SAMPLES // train.batch_size)
    recipe, steps = settings.recipe(), arguments.epochs * a_pass
    parts = [(replace(recipe, epochs=0, steps=FIRST), FIRST)] if steps > FIRST else []
    for part, count in [*parts, (recipe, steps)]:
        start = time.perf_counter()
        fit(method, part, features, targets, texts, **running)  # ends with reading the losses: nothing is in flight
        print(told(time.perf_counter() - start, count, whole, train.batch_size), flush=True)


def told(seconds: float, steps: int, whole: int, batch_size: int) -> str:
    """A measured part of the training and what follows for the paper's `whole` steps."""
    measured = f"{seconds:.1f} s for {steps} steps of {batch_size} samples, {1000 * seconds / steps:.1f} ms a step"
    what = "the whole run" if steps == whole else f"extrapolated to the paper's {whole} steps"
    return (
        f"{measured}; {what}: {seconds * whole / steps:.0f} s (the paper: {60 * PAPER_MINUTES['scople']} s on an A100)"
    )


if __name__ == "__main__":
    main()
