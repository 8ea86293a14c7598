"""One forward pass and one training step of Shift-GCN, ours beside the published formulation, against the machine.

    python -m benchmarks.pretrain_step                                    the paper's sizes and the demo's, on the CPU
    python -m benchmarks.pretrain_step --device cuda --batch 64           on a GPU
    python -m benchmarks.pretrain_step --device cuda --batch 64 --precision tf32

*Ours* is `scople.backbone`, *published* `benchmarks.published_backbone`: the same parameters, `B C T V` maps and shifts
by index. Both must give the same logits and gradients before anything is timed. They take turns, so that a pair of
times shares what else the machine does; the ratio is the median over the pairs. `processor s` is the time that each
thread was busy, which other programs do not lengthen much. A step is forward, backward and
the optimiser, on random sequences; reading samples is no part of it. Arithmetic is that of `params.yaml`.

`arithmetic` and `traffic` are what a sample would take if the products ran as fast as a bare product of large matrices
and everything else as fast as a copy, both measured in the same run: GFLOP of the products are counted, and GB that all
operations read and write. The second table says where the time goes (torch.profiler): linear maps, norms, moves
(copies, reads by index), and the rest, element by element.
"""

import stages  # noqa: F401, I001  how to compute has to be settled before torch is loaded

import argparse
import functools
import statistics
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext

import torch
from tabulate import tabulate
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from benchmarks.limits import copy_rate, counted, peak_memory, processor_seconds, product_rate, seconds
from benchmarks.published_backbone import published_logits
from scople.backbone.pretraining import parameter_groups
from scople.backbone.shift_gcn import ShiftGCN
from scople.base.arithmetic import settle
from scople.base.params import load_params
from scople.base.seeding import seeded
from scople.base.shapes import JOINTS, PERSONS

CLASSES = 55
TOLERANCE = 1e-3
"""Largest difference between both formulations; their float32 logits on random weights differ by some 1e-5."""

SMALL_FRAMES = 40
"""Of the step whose gradients are compared: the package shifts longer maps than `temporal_shift.SHORT` in another way,
and the blocks after the first stride have half of the frames, so both ways are in it."""

PRODUCTS = {"aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm"}
MOVES = ("copy_", "index", "gather", "scatter", "cat", "clone")
PARTS = ("linear maps", "norms", "moves", "element by element")

Logits = Callable[[ShiftGCN, Tensor], Tensor]


def ours(model: ShiftGCN, x: Tensor) -> Tensor:
    """The package's way."""
    return model(x)


class Step:
    """What is timed: a model at given sizes, forward only or a whole training step, by either formulation."""

    def __init__(self, frames: int, width: int, batch: int, device: torch.device, precision: str) -> None:
        with seeded(1, "benchmark"):
            self.model = ShiftGCN(CLASSES, width, "true").to(device)
            self.x = torch.randn(batch, 3, frames, JOINTS, PERSONS).to(device)
            self.targets = torch.randint(CLASSES, (batch,)).to(device)
        self.optimiser = torch.optim.SGD(parameter_groups(self.model), 0.0, momentum=0.9, nesterov=True)
        half = precision == "bfloat16"
        self.autocast = torch.autocast(device.type, torch.bfloat16) if half else nullcontext()

    def forward(self, logits: Logits) -> Tensor:
        """Logits in evaluation mode, as the features stage has them."""
        self.model.eval()
        with torch.no_grad(), self.autocast:
            return logits(self.model, self.x)

    def train(self, logits: Logits) -> dict[str, Tensor]:
        """A step at learning rate 0, so that every step is the same; its gradients."""
        self.model.train()
        with self.autocast:
            loss = torch.nn.functional.cross_entropy(logits(self.model, self.x).float(), self.targets)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return {name: parameter.grad for name, parameter in self.model.named_parameters()}


def allow_tf32(allowed: bool) -> None:
    """Whether CUDA's products may read float32 numbers with 10 bits; PyTorch lets convolutions unless it is told."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed


def require_equal(step: Step, device: torch.device) -> None:
    """Stop unless the formulations agree: logits of a step in float32, gradients of a small one in float64."""
    difference = (step.forward(ours) - step.forward(published_logits)).abs().max().item()
    small = Step(SMALL_FRAMES, 5, 3, device, "float32")
    small.model.double()
    small.x = small.x.double()
    expected = {name: gradient.clone() for name, gradient in small.train(published_logits).items()}
    for name, gradient in small.train(ours).items():
        difference = max(difference, (gradient - expected[name]).abs().max().item())
    if difference > TOLERANCE:
        raise SystemExit(f"error: the two formulations differ by {difference:.1e}, more than {TOLERANCE}.")


def shares(call: Callable[[], object], device: torch.device) -> list[float | str]:
    """Per cent of a call's time in each of `PARTS`; empty where the profiler has no times of the device."""
    on_gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities) as profiler:
        call()
    parts = Counter(dict.fromkeys(PARTS, 0.0))
    for entry in profiler.key_averages():
        if entry.key.startswith("aten::"):
            spent = entry.self_device_time_total if on_gpu else entry.self_cpu_time_total
            parts[part_of(entry.key)] += spent
    total = parts.total()
    return [100 * parts[part] / total if total else "" for part in PARTS]


def part_of(operation: str) -> str:
    """The part that an operation belongs to."""
    if "norm" in operation:
        return "norms"
    if operation in PRODUCTS or "conv" in operation:
        return "linear maps"
    return "moves" if any(word in operation for word in MOVES) else "element by element"


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=4, help="samples a step at the paper's size (default 4)")
    parser.add_argument("--precision", choices=("float32", "tf32", "bfloat16"), default="float32")
    parser.add_argument(
        "--profile", nargs="+", choices=("demo", "paper"), default=("demo", "paper"), help="whose sizes"
    )
    arguments = parser.parse_args()
    params, device = load_params(), torch.device(arguments.device)
    settle(params.machine.arithmetic, arguments.threads)
    allow_tf32(False)  # both formulations are compared in float32

    speed, bandwidth = product_rate(device), copy_rate(device)
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {arguments.threads} threads"
    print(f"{where}, {params.machine.arithmetic} arithmetic, {arguments.precision}: ", end="")
    print(f"a bare float32 product {speed:.0f} GFLOP/s, a copy {bandwidth:.1f} GB/s\n", flush=True)
    rows, parts = [], []
    for profile_name in arguments.profile:
        scale = params.profiles[profile_name]
        batch = scale.pretrain.batch_size if profile_name == "demo" else arguments.batch
        step = Step(scale.frames, scale.pretrain.width, batch, device, "float32")
        require_equal(step, device)
        step = Step(scale.frames, scale.pretrain.width, batch, device, arguments.precision)
        allow_tf32(arguments.precision == "tf32")
        for what, call in (("forward", step.forward), ("training", step.train)):
            ways = {"ours": functools.partial(call, ours), "published": functools.partial(call, published_logits)}
            for way in ways.values():  # what is done once only
                way()
            pairs = [[seconds(way, device) / batch for way in ways.values()] for _ in range(arguments.pairs)]
            ratio = statistics.median(theirs / own for own, theirs in pairs)
            size = f"{scale.frames} frames, width {scale.pretrain.width}"
            for column, (name, way) in enumerate(ways.items()):
                times = [pair[column] for pair in pairs]
                gigaflop, gigabytes = (count / batch for count in counted(way))
                busy = processor_seconds(way, arguments.threads) / batch if device.type == "cpu" else ""
                rows.append(
                    [size, batch, what, name, statistics.median(times), min(times), busy]
                    + [
                        ratio if name == "ours" else "",
                        gigaflop,
                        gigaflop / speed,
                        gigabytes,
                        gigabytes / bandwidth,
                        peak_memory(way, device),
                    ]
                )
                parts.append([size, what, name, *shares(way, device)])
        allow_tf32(False)
    heads = ["size", "batch", "what", "way", "s a sample", "least", "processor s", "published / ours", "GFLOP"]
    heads += ["arithmetic s", "GB", "traffic s", "peak GB"]
    print(tabulate(rows, heads, tablefmt="github", floatfmt=".3g"), end="\n\n")
    print(tabulate(parts, ["size", "what", "way", *(f"{part} %" for part in PARTS)], tablefmt="github", floatfmt=".0f"))


if __name__ == "__main__":
    main()
