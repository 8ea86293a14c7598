"""Memory of the host in the train stage at the size of NTU RGB+D 120, split 110/10, on random features.

    python -m benchmarks.train_memory                    57,767 samples of width 256, ViT-B/32's sizes, three steps
    python -m benchmarks.train_memory --samples 500      says nothing

Features are written, loaded and trained on by the stage's own functions, with the settings of `profile: paper` and
random text weights. Another process writes them, so the peak is that of loading and training. More steps take no more.
The peak counts the pages of the file that is read, which the system can take back, and on a CPU the copy that would lie
on the GPU.
"""

import argparse
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from benchmarks.limits import GIGA, resident
from benchmarks.training_time import FEATURE_WIDTH, SAMPLES, SPLIT, paper_model
from scople.base.params import load_params
from scople.base.seeding import numpy_generator
from scople.base.shapes import JOINTS
from scople.data.joint_features import TrainingFeatures, load_features
from scople.methods.fitting import fit
from scople.methods.method import ClassTexts
from scople.methods.scople import Scople, ScopleSettings
from scople.pipeline.assembly import Inputs
from scople.pipeline.layout import load_problem

STEPS = 3


def write(path: Path, samples: int) -> None:
    """Features of noise, as the features stage saves a split's training part."""
    params = load_params()
    split, _ = load_problem(params, SPLIT)
    generator = numpy_generator(params.seed, "benchmark")
    TrainingFeatures(
        features=generator.standard_normal((samples, JOINTS, FEATURE_WIDTH), dtype="float32"),
        labels=np.array(split.seen)[generator.integers(len(split.seen), size=samples)],
        backbone_scores=generator.standard_normal((samples, len(split.seen)), dtype="float32"),
    ).save(path)


def main() -> None:
    """Print what the program takes before it loads anything, and at most."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    arguments = parser.parse_args()
    params = load_params()
    torch.set_num_threads(params.machine.threads)
    model, class_names = paper_model("clip")
    train, method = params.profiles["paper"].train, params.method
    settings = ScopleSettings(
        epochs=train.epochs,
        batch_size=train.batch_size,
        learning_rate=train.learning_rate,
        training_query=method.training_query,
        text_weight=method.text_weight,
        autocast=train.autocast,
    )
    before = resident("VmRSS")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "features.safetensors"
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
            other.submit(write, path, arguments.samples).result()
        training = load_features(TrainingFeatures, path)
    split, _ = load_problem(params, SPLIT)
    features = Inputs.of_joints(training).features[np.arange(len(training.labels))]  # a copy, as the stage makes one
    targets = np.searchsorted(split.seen, training.labels)
    recipe = replace(settings.recipe(), epochs=0, steps=STEPS)
    running = {"seed": params.seed, "device": torch.device(arguments.device)}
    fit(Scople(settings, model), recipe, features, targets, ClassTexts(tuple(class_names), {}), **running)
    used = f"{before / GIGA:.1f} GB before, {resident('VmHWM') / GIGA:.1f} GB at most"
    print(f"{arguments.samples} samples on {arguments.device}, {STEPS} steps: {used}")


if __name__ == "__main__":
    main()
