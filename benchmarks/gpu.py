"""Everything that this repository wants to know of a GPU, in one command of about ten minutes and one folder.

    python -m benchmarks.gpu --out FOLDER

It needs one CUDA device, a few CPU cores, no network, no archives and no weights: data and weights are generated.
Processes that read sequences pass them on through /dev/shm: eight of them, two batches of 11.5 MB each. A container has
64 MB there unless it is started with more, as by `docker run --shm-size 1g`.

FOLDER gets

- `machine.json`: the device, its driver, the host, the packages and the commit;
- for each measurement `<name>.txt`, the command and what it printed, and `<name>.err.txt` if it said anything else;
- `summary.md`: how each ended, and in how many seconds.

The measurements run one after the other, the most wanted first. Each has a limit of its own and fails alone; when
`--minutes` are over, what runs is ended and what has not begun is left out. No measurement was ever timed on a GPU. By
what is counted, `full_run`, the fifth, takes about four minutes; it says after some seconds what it will come to. So
9.5 minutes are for the first five, perhaps the sixth; expect the others to be left out. All of them begin with
`--minutes 27`, the sum of the limits; `--only` names those that are wanted.

`doctor` ends with 1, as it misses the archives; its times come all the same. With `--device cpu` the same commands run
at tiny sizes, which tests this file and measures nothing.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
import torch
import yaml
from tabulate import tabulate

from scople.base.errors import ScopleError

ROOT = Path(__file__).resolve().parents[1]

GB_A_SAMPLE = 1.0
"""Of the device, in a training step at the paper's sizes, either formulation; with some room."""

LONG = 600.0
"""Seconds after which a measurement that measures nothing is ended."""

SHORTEST = 5.0
"""Seconds that must be left for a measurement to begin."""


@dataclass(frozen=True)
class Measurement:
    """A command.

    Attributes:
        name: of its files.
        words: its arguments after `python -m`.
        limit: seconds after which it is ended.
        precision: if given, it runs in a folder with `profile: paper` at this precision, else in the repository.
    """

    name: str
    words: tuple[str, ...]
    limit: float
    precision: str = ""


def on_gpu(batch: int, workers: int) -> list[Measurement]:
    """The measurements, the most wanted first.

    Those before `full_run` leave it a minute of the 9.5 even if each takes its limit. Its own is 1.7 times the 232 s
    that `measured/methods_cpu.csv` counts for it.
    """
    cuda = ("--device", "cuda")
    step = ("benchmarks.pretrain_step", *cuda, "--batch", str(batch))
    epoch = ("benchmarks.paper_epoch", *cuda, "--workers", str(workers), "--precision", "float32", "tf32", "bfloat16")
    tests = ("pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider")
    return [
        Measurement("paper_epoch", epoch, 150),
        Measurement("gpu_tests", (*tests, "--ignore", "tests/test_gpu.py"), 60),
        Measurement("byte_tests", (*tests, "tests/test_gpu.py"), 180),  # apart, as it starts processes with the device
        Measurement("pretrain_step_float32", step, 90),
        Measurement("full_run", ("benchmarks.full_run", *cuda), 400),
        Measurement("doctor_float32", ("scople", "doctor", "--time"), 90, "float32"),
        Measurement("pretrain_step_bfloat16", (*step, "--pairs", "1", "--precision", "bfloat16"), 60),
        Measurement("pretrain_step_tf32", (*step, "--pairs", "1", "--precision", "tf32"), 60),
        Measurement("paper_run", ("benchmarks.paper_run",), 180),
        Measurement("full_run_bfloat16", ("benchmarks.full_run", *cuda, "--epochs", "5", "--autocast", "bfloat16"), 60),
        Measurement("training_time", ("benchmarks.training_time", *cuda), 90),
        Measurement("methods", ("benchmarks.methods", *cuda), 90),
        Measurement("doctor_bfloat16", ("scople", "doctor", "--time"), 90, "bfloat16"),
    ]


def in_small() -> list[Measurement]:
    """The same commands on a CPU, at sizes that say nothing."""
    few = ("--samples", "256", "--epochs", "1", "--encoder", "minilm")
    epoch = ("benchmarks.paper_epoch", "--samples", "40", "--steps", "2", "--profile", "demo")
    return [
        Measurement("paper_epoch", (*epoch, "--precision", "float32", "bfloat16"), LONG),
        Measurement("gpu_tests", ("pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", "tests/backbone"), LONG),
        Measurement("pretrain_step_float32", ("benchmarks.pretrain_step", "--profile", "demo", "--pairs", "1"), LONG),
        Measurement("full_run", ("benchmarks.full_run", *few), LONG),
        Measurement("paper_run", ("benchmarks.paper_run", "--small", "--splits", "1"), LONG),
    ]


def machine(gpu: Mapping[str, object]) -> dict[str, object]:
    """What the figures depend on; `gpu` is from `asked_of_gpu`."""
    found: dict[str, object] = {
        "cpu": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "shm_gb": round(shutil.disk_usage("/dev/shm").total / 1e9, 2) if Path("/dev/shm").is_dir() else "",
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in ("torch", "numpy", "open_clip_torch")},
        "commit": printed("git", "rev-parse", "HEAD"),
        "changed": printed("git", "status", "--porcelain").splitlines(),
        "nvidia-smi": printed("nvidia-smi", "--query-gpu=name,driver_version,memory.total,power.limit,clocks.max.sm,"
                              "temperature.gpu,utilization.gpu", "--format=csv"),
    }  # fmt: skip
    return found | ({"gpu": dict(gpu)} if gpu else {})


def asked_of_gpu() -> dict[str, Any]:
    """The first CUDA device; empty where torch finds none.

    A process of its own asks: where a device serves one process at a time, one that stays would keep the measurements
    from it.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        return other.submit(_gpu).result()


def _gpu() -> dict[str, Any]:
    if not torch.cuda.is_available():
        return {}
    device = torch.cuda.get_device_properties(0)
    free, total = torch.cuda.mem_get_info()
    return {
        "name": device.name,
        "capability": f"{device.major}.{device.minor}",
        "multiprocessors": device.multi_processor_count,
        "free_gb": round(free / 1e9, 1),
        "total_gb": round(total / 1e9, 1),
        "cuda": torch.version.cuda,
        "count": torch.cuda.device_count(),
    }


def printed(*words: str) -> str:
    """What a program prints; empty where there is no such program or it fails."""
    if shutil.which(words[0]) is None:
        return ""
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def measure(measurement: Measurement, out: Path, limit: float) -> tuple[str, float]:
    """Run a measurement and write its files.

    Args:
        measurement: what to run.
        out: folder of the files.
        limit: seconds.

    Returns:
        How it ended, in a few words, and its seconds.
    """
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as empty:
        place = paper_folder(Path(empty), measurement.precision) if measurement.precision else ROOT
        process = subprocess.Popen(
            [sys.executable, "-m", *measurement.words],
            cwd=place,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # so that what it started ends with it
        )
        try:
            said, complaints = process.communicate(timeout=limit)
            outcome = "done" if process.returncode == 0 else f"ended with {process.returncode}"
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, complaints = process.communicate()
            outcome = f"stopped after {limit:.0f} s"
    (out / f"{measurement.name}.txt").write_text(
        f"$ python -m {' '.join(measurement.words)}\n\n{said}", encoding="utf-8"
    )
    if complaints:
        (out / f"{measurement.name}.err.txt").write_text(complaints, encoding="utf-8")
    return outcome, time.monotonic() - start


def paper_folder(place: Path, precision: str) -> Path:
    """A folder with the settings and data sets of this repository, `profile: paper` and a precision."""
    shutil.copytree(ROOT / "datasets", place / "datasets")
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["profile"] = "paper"
    params["profiles"]["paper"]["pretrain"]["precision"] = precision
    (place / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    return place


def main() -> None:
    """Make the folder, run what there is time for, and print the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the results, made if it is not there")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--minutes", type=float, default=9.5)
    parser.add_argument("--only", nargs="+", default=[], help="names of measurements")
    arguments = parser.parse_args()
    end, out = time.monotonic() + 60 * arguments.minutes, arguments.out
    gpu = asked_of_gpu() if arguments.device == "cuda" else {}
    if arguments.device == "cuda" and not gpu:
        raise ScopleError(
            "torch finds no CUDA device: use another machine, or --device cpu for a try that says nothing."
        )
    out.mkdir(parents=True, exist_ok=True)
    (out / "machine.json").write_text(json.dumps(machine(gpu), indent=2) + "\n", encoding="utf-8")
    if arguments.device == "cuda":
        batch = max(2, min(64, int(gpu["free_gb"] / GB_A_SAMPLE)))
        measurements = on_gpu(batch, min(8, os.cpu_count() or 1))
    else:
        measurements = in_small()
    if unknown := set(arguments.only) - {each.name for each in measurements}:
        names = ", ".join(each.name for each in measurements)
        raise ScopleError(f"'{min(unknown)}' is no measurement: choose from {names}.")
    rows: list[list[object]] = []
    for each in measurements:
        if arguments.only and each.name not in arguments.only:
            continue
        left = end - time.monotonic()
        outcome, seconds = measure(each, out, min(each.limit, left)) if left > SHORTEST else ("not begun", 0.0)
        rows.append([each.name, outcome, f"{seconds:.0f}", f"`python -m {' '.join(each.words)}`"])
        table = tabulate(rows, ["measurement", "outcome", "s", "command"], tablefmt="github")
        (out / "summary.md").write_text(table + "\n", encoding="utf-8")  # each time, in case this is ended from outside
        print(f"{each.name}: {outcome} ({seconds:.0f} s)", flush=True)


if __name__ == "__main__":
    try:
        main()
    except ScopleError as error:
        sys.exit(f"error: {error}")
