"""What each method costs at the paper's scale: time of a step and of scoring here, and counted work for any machine.

    python -m benchmarks.methods > benchmarks/measured/methods_cpu.csv
    python -m benchmarks.methods --device cuda > benchmarks/measured/methods_cuda.csv

Every method has its published settings for NTU-120 and trains on random features of the split 110/10: 57,767 samples,
D = 256, E = 512, 110 classes. SCoPLe has a text tower in the shapes of CLIP ViT-B/32; the texts of the others are
frozen and computed once. `docs/comparison.md` shows the tables, so call `scople results` afterwards.

- `seconds_per_step`: median of some steps near the end of the training, where every term of the loss counts; `least`
  and `largest` beside it. On a CPU they are processor time of one core, so that a busy machine does not matter much.
- `training_minutes`: `begin` and all steps, extrapolated. A split takes twice that: its gates train a second model.
- `scoring_minutes`: 50,919 test samples with 120 candidates, from one batch of 256, extrapolated.
- `gigaflop`, `gigabytes`, `operations`: what one step asks for, counted: products of matrices, what all operations
  read and write, and how many there are.
- `counted_minutes`: the training on a GPU that does 15 TFLOP of products a second, moves 1.5 TB and starts an
  operation every 8 microseconds, whichever of the three takes longest. These rates are assumed, not measured.
- `device_gigabytes`: the features of all samples with weights, gradients and what a step takes on top.
"""

import argparse
import csv
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, astuple, dataclass, fields, replace

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.limits import GIGA, ByteCounter, peak_memory, processor_seconds, seconds
from benchmarks.training_time import FEATURE_WIDTH, SAMPLES, paper_model
from scople.base.params import load_params
from scople.base.shapes import JOINTS
from scople.data.joint_features import interval_lengths
from scople.methods.method import ClassTexts, Method, Progress, Samples
from scople.methods.recipe import Recipe
from scople.methods.registry import METHODS, build, intervals_of, settings_of
from scople.methods.scople import Scople, ScopleSettings
from scople.methods.sizes import Sizes
from scople.methods.texts import FIELDS

TEXT_WIDTH, CLASSES, CANDIDATES = 512, 110, 120
TEST_SAMPLES, SCORED = 50_919, 256
TIME_STEPS = 75
"""Of the backbone's last map for 300 frames."""

SOME = 2_048
"""Samples that are made; steps draw from these, and `begin` is extrapolated from them."""

FLOP_A_SECOND, BYTES_A_SECOND, SECONDS_AN_OPERATION = 15e12, 1.5e12, 8e-6


@dataclass(frozen=True)
class Cost:
    """A row of the table; see the module."""

    method: str
    device: str
    parameters: int
    batch_size: int
    steps: int
    seconds_per_step: float
    least: float
    largest: float
    training_minutes: float
    scoring_minutes: float
    gigaflop: float
    gigabytes: float
    operations: int
    counted_minutes: float
    device_gigabytes: float


def at_paper_scale(name: str) -> tuple[Method, Recipe]:
    """A method and how it is trained, as published, on NTU-120."""
    params = replace(load_params(), profile="paper")
    if name == "scople":
        model, _ = paper_model("clip")
        train, method = asdict(params.scale.train), params.method
        settings = ScopleSettings(**train, training_query=method.training_query, text_weight=method.text_weight)
        return Scople(settings, model), settings.recipe()
    settings = settings_of(name, params.own_settings(name, "ntu120"))
    lengths = interval_lengths(TIME_STEPS, intervals_of(name, settings))
    return build(name, settings, Sizes(FEATURE_WIDTH, TEXT_WIDTH, CLASSES, lengths), seed=1), settings.recipe()


def measure(
    name: str, method: Method, recipe: Recipe, samples: Samples, texts: ClassTexts, candidates: ClassTexts, rounds: int
) -> Cost:
    """Time and count some steps and the scoring of one batch.

    Args:
        name: of the method.
        method: untrained.
        recipe: how it is trained.
        samples: some of the training's, on the device.
        texts: of their classes.
        candidates: texts of the classes to score.
        rounds: steps that are timed, after one that warms up.
    """
    device = samples.features.device
    method.to(device).train()
    begun = _taken(lambda: method.begin(samples, texts), device) * SAMPLES / len(samples.targets)
    lengths = recipe.lengths(SAMPLES, method.smallest_batch)
    times, gigaflop, gigabytes, operations, taken = [], 0.0, 0.0, 0, 0.0
    if lengths:
        step = stepping(method, recipe, samples, texts, lengths)
        step()
        times = [_taken(step, device) for _ in range(rounds)]
        flops, traffic = FlopCounterMode(display=False), ByteCounter()
        with flops, traffic:
            step()
        gigaflop, gigabytes, operations = flops.get_total_flops() / GIGA, traffic.bytes / GIGA, traffic.operations
        taken = peak_memory(step, device)
    scored = _taken(scoring(method, samples.features[:SCORED], candidates), device)
    numbers = [each.numel() for each in method.parameters() if each.requires_grad]
    median = statistics.median(times or [0.0])
    longest = max(gigaflop * GIGA / FLOP_A_SECOND, gigabytes * GIGA / BYTES_A_SECOND, operations * SECONDS_AN_OPERATION)
    held = SAMPLES * samples.features[0].nbytes + 16 * sum(numbers)  # weights, gradients, two averages of Adam
    return Cost(
        name,
        device.type,
        sum(numbers),
        recipe.batch_size,
        sum(lengths),
        median,
        min(times, default=0.0),
        max(times, default=0.0),
        (begun + median * sum(lengths)) / 60,
        scored * TEST_SAMPLES / SCORED / 60,
        gigaflop,
        gigabytes,
        operations,
        longest * sum(lengths) / 60,
        held / GIGA + taken,
    )


def _taken(call: Callable[[], object], device: torch.device) -> float:
    return processor_seconds(call, 1) if device.type == "cpu" else seconds(call, device)


def stepping(
    method: Method, recipe: Recipe, samples: Samples, texts: ClassTexts, lengths: list[int]
) -> Callable[[], None]:
    """One step after the other as `scople.methods.fitting.fit` makes them, near the end of the training."""
    optimisers = recipe.optimisers(method.groups())
    generator = torch.Generator().manual_seed(1)
    steps = iter(range(int(0.99 * sum(lengths)), sum(lengths)))

    def step() -> None:
        number = next(steps)
        at = Progress(number, sum(lengths), min(number // lengths[0], len(lengths) - 1), len(lengths))
        rows = torch.randperm(len(samples.targets), generator=generator)[: recipe.batch_size]
        rows = rows.to(samples.features.device)
        batch = Samples(samples.features[rows], samples.targets[rows])
        for update in method.updates(batch, texts, at, generator):
            optimiser = optimisers[update.group]
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate(at)
            optimiser.zero_grad()
            update.loss.backward()
            optimiser.step()

    return step


def scoring(method: Method, features: torch.Tensor, candidates: ClassTexts) -> Callable[[], torch.Tensor]:
    """One batch scored, once before the clock runs; the candidates are prepared already."""
    method.eval()
    prepared = method.prepare(candidates, torch.Generator().manual_seed(1))

    @torch.no_grad()
    def scored() -> torch.Tensor:
        return method.scores(features, prepared)

    scored()
    return scored


def random_samples(intervals: int, device: torch.device) -> Samples:
    """As many samples as `SOME`, not negative, as the backbone's features are."""
    generator = torch.Generator().manual_seed(1)
    features = torch.rand(SOME, intervals, JOINTS, FEATURE_WIDTH, generator=generator)
    return Samples(features, torch.randint(CLASSES, (SOME,), generator=generator)).to(device)


def random_texts(classes: int, device: torch.device) -> ClassTexts:
    """Every field of so many classes."""
    names = tuple(f"action {k}" for k in range(classes))
    generator = torch.Generator().manual_seed(1)
    rows = {field: F.normalize(torch.randn(classes, TEXT_WIDTH, generator=generator), dim=-1) for field in FIELDS}
    return ClassTexts(names, rows).to(device)


def costs(names: list[str], device: torch.device, rounds: int) -> Iterator[Cost]:
    """One row a method."""
    texts, candidates = random_texts(CLASSES, device), random_texts(CANDIDATES, device)
    for name in names:
        method, recipe = at_paper_scale(name)
        yield measure(name, method, recipe, random_samples(method.intervals, device), texts, candidates, rounds)


def main() -> None:
    """Measure and print the table as CSV."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("methods", nargs="*", default=[*METHODS, "scople"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow([field.name for field in fields(Cost)])
    for cost in costs(arguments.methods, torch.device(arguments.device), arguments.rounds):
        table.writerow([f"{value:.4g}" if isinstance(value, float) else value for value in astuple(cost)])
        sys.stdout.flush()


if __name__ == "__main__":
    main()
