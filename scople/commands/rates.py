"""Seconds of a few steps of each stage on this machine, for `scople.commands.durations`.

The stages' own functions are timed, at the frames, widths, batches and class names of the active profile, on random
samples and with random text weights where the real ones are a download.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from subprocess import run as call_program

import numpy as np
import torch
from jaxtyping import Float32
from torch.utils.data import Dataset

from scople.backbone.feeding import step_memory
from scople.backbone.pretraining import extract, pretrain
from scople.backbone.shift_gcn import ShiftGCN
from scople.base.params import Params, Profile
from scople.base.seeding import numpy_generator, seeded
from scople.base.shapes import JOINTS, PERSONS
from scople.data.class_names import names_of
from scople.data.skeletons import normalise
from scople.methods.fitting import fit, score
from scople.methods.recipe import constant
from scople.pipeline.assembly import Assembly
from scople.pipeline.layout import load_problem
from scople.pipeline.running import device
from scople.text.loading import random_tower
from scople.text.tower import TextTower

STEPS = 2
"""Steps of a stage that are timed at least."""

LONG = 1.0
"""Seconds after which a measurement ends; a call that takes longer is not repeated."""

ROOM = 2e9
"""Bytes that a timed step of the backbone may take on the CPU; its batch is made as small as that needs."""

USUAL_FRAMES = 107
"""Frames of NTU's usual recording."""


@dataclass(frozen=True)
class Rates:
    """Seconds on this machine.

    Attributes:
        start: of a process, until it can begin.
        training_sample: backbone, a sample's part of a training step.
        forward_sample: backbone, a sample's part of a batch of features.
        reading_sample: from the packed corpus to the network's input.
        step: SCoPLe, a training step, at the numbers of seen classes `classes`.
        text: SCoPLe, the embeddings of all candidates, at the same numbers.
        scored_batch: SCoPLe, a batch of test samples against all candidates, at the same numbers.
        classes: two numbers of classes, between which the above are interpolated.
    """

    start: float
    training_sample: float
    forward_sample: float
    reading_sample: float
    step: tuple[float, float]
    text: tuple[float, float]
    scored_batch: tuple[float, float]
    classes: tuple[int, int]

    def at(self, rates: tuple[float, float], classes: int) -> float:
        """A rate at a number of classes."""
        (low, high), (least, most) = rates, self.classes
        return low + (high - low) * (classes - least) / (most - least) if most > least else low


class Given(Dataset):
    """Sequences that are in memory already."""

    def __init__(self, sequences: Float32[torch.Tensor, "N C T V M"]):
        self.sequences = sequences

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, item: int) -> Float32[torch.Tensor, "C T V M"]:
        return self.sequences[item]


def measure(params: Params) -> Rates:
    """Time a few steps of each stage."""
    scale, where = params.scale, device(params)
    start = seconds_of(lambda: call_program([sys.executable, "-c", "import stages, scople.pipeline.assembly"]))
    batch = timed_batch(scale, where)
    generator = numpy_generator(params.seed, "durations")
    samples = torch.from_numpy(
        generator.standard_normal((STEPS * batch, 3, scale.frames, JOINTS, PERSONS), dtype="float32")
    )
    settings = {"width": scale.pretrain.width, "position_gradient": params.method.position_gradient}
    problems = {split: load_problem(params, split) for split in params.splits}
    seen = {len(split.seen): name for name, (split, _) in problems.items()}
    classes = (min(seen, default=0), max(seen, default=0))

    def train_backbone(samples: torch.Tensor) -> object:
        return pretrain(
            Given(samples),
            np.zeros(len(samples), np.int64),
            classes[1] or 1,
            epochs=1,
            batch_size=batch,
            learning_rate=1e-6,
            milestones=[],
            seed=params.seed,
            device=where,
            precision=scale.pretrain.precision,
            **settings,
        )

    train_backbone(samples[:2, :, :4])  # what a first step loads takes longer than a step of the demo
    training = seconds_of(lambda: train_backbone(samples))
    with seeded(params.seed, "durations"):
        backbone = ShiftGCN(classes[1] or 1, **settings)
    forward = seconds_of(lambda: extract(backbone, Given(samples), batch, where, scale.pretrain.precision))
    usual = generator.standard_normal((1, USUAL_FRAMES, JOINTS, 3), dtype="float32")
    reading = seconds_of(lambda: [normalise(usual, scale.frames) for _ in range(10)]) / 10
    tower, rows = timed_tower(params), []
    for number in classes if seen else ():
        split, entries = problems[seen[number]]
        names = names_of(entries, split.seen), names_of(entries, [*split.seen, *split.unseen])
        rows.append(measure_model(params, tower, *names))
    step, text, scored = zip(*rows, strict=True) if rows else [(0.0, 0.0)] * 3
    count = len(samples)
    return Rates(start, training / count, forward / count, reading, step, text, scored, classes)


def measure_model(
    params: Params, tower: TextTower, seen: list[str], candidates: list[str]
) -> tuple[float, float, float]:
    """Seconds of SCoPLe's training step, of the candidates' texts, and of a scored batch."""
    scale, where = params.scale, device(params)
    width = 4 * scale.pretrain.width
    assembly = Assembly.of_scople(params, params.method, "", tower)
    method = assembly.build(width, (1,), len(seen), params.seed)
    generator = numpy_generator(params.seed, "durations")
    largest = max(scale.train.batch_size, 3 * scale.evaluate.batch_size)
    features = generator.standard_normal((max(largest, STEPS * scale.train.batch_size), 1, JOINTS, width))
    features = features.astype("float32")
    trained = features[: STEPS * scale.train.batch_size]
    targets = generator.integers(len(seen), size=len(trained))
    recipe = replace(assembly.own.recipe(), epochs=1, rate=constant(1e-9))
    running = {"seed": params.seed, "device": where}
    texts, batch_size = assembly.texts(method, seen), scale.evaluate.batch_size
    step = seconds_of(lambda: fit(method, recipe, trained, targets, texts, **running)) / STEPS
    texts = assembly.texts(method, candidates)
    one, three = (
        seconds_of(lambda few=few: score(method, features[: few * batch_size], texts, batch_size=batch_size, **running))
        for few in (1, 3)
    )
    batch = max(0.0, (three - one) / 2)
    return step, max(0.0, one - batch), batch


def timed_batch(scale: Profile, where: torch.device) -> int:
    """Samples of a timed step of the backbone: the profile's batch, or as many of it as there is room for."""
    room = torch.cuda.mem_get_info()[0] / 2 if where.type == "cuda" else ROOM
    sample = step_memory(1, scale.frames, scale.pretrain.width)
    return max(2, min(scale.pretrain.batch_size, int(room / sample)))


def timed_tower(params: Params) -> TextTower:
    """The profile's text encoder with random weights, which take the time that real ones do and are no download."""
    with seeded(params.seed, "durations"):
        return random_tower(params.scale.text_encoder, params.scale.text_weights)


def seconds_of(call: Callable[[], object]) -> float:
    """Mean seconds of a call on the clock; the first one warms up, unless it is long enough to be the only one.

    Every call ends with its results on the host, so nothing is left in flight on a GPU.
    """
    start = time.perf_counter()
    call()
    if (spent := time.perf_counter() - start) >= LONG:
        return spent
    calls, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < LONG:
        call()
        calls += 1
    return spent / calls
