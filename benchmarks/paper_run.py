"""`profile: paper` from archives to Tables 2 and 3 in one process, and the seconds of each stage.

    python -m benchmarks.paper_run                       13 splits at the paper's frames, widths and batch sizes
    python -m benchmarks.paper_run --small --splits 1    a backbone of width 4, one split

Archives, classes and text weights are those of `benchmarks.rehearsal`: all three data sets, a few classes, random
weights in the shapes of CLIP ViT-B/32. Every training has one epoch. So the times say what a stage takes before and
after its samples, and that every stage runs on this device; what the samples take is measured by
`benchmarks.paper_epoch` and `scople doctor --time`. Nothing is written outside a temporary folder.
"""

import stages  # noqa: F401, I001  how to compute has to be settled before torch is loaded

import argparse
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from tabulate import tabulate

from benchmarks.limits import GIGA
from benchmarks.rehearsal import SCALE, prepare
from scople.base.arithmetic import settle
from scople.base.params import load_params
from scople.pipeline.running import device
from stages import evaluate, features, figures, parse, preflight, pretrain, tables, train

WHOLE = {"pretrain": {"epochs": 1, "milestones": []}, "train": {"epochs": 1}}
"""What is changed in the profile if it is not to be small."""


def main() -> None:
    """Run the stages and print a table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--splits", type=int, help="only so many; without the tables, which need all of them")
    arguments = parser.parse_args()
    torch.use_deterministic_algorithms(True)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    spent: dict[str, list[float]] = defaultdict(list)

    def timed(stage: str, call: Callable[[], object]) -> None:
        start = time.perf_counter()
        call()
        spent[stage].append(time.perf_counter() - start)

    with tempfile.TemporaryDirectory() as place:
        timed("archives", lambda: prepare(Path(place), scale=SCALE if arguments.small else WHOLE))
        os.chdir(place)
        params = load_params()
        splits = dict(list(params.splits.items())[: arguments.splits])
        params = replace(params, splits=splits)
        settle(params.machine.arithmetic, params.machine.threads)
        timed("preflight", lambda: preflight.main(params))
        for name in sorted({entry.dataset for entry in splits.values()}):
            timed("parse", lambda name=name: parse.main(params, name))
        for split in splits:
            timed("pretrain", lambda split=split: pretrain.main(params, split))
            timed("features", lambda split=split: features.main(params, split))
            timed("train", lambda split=split: train.main(params, split, "1"))
            timed("evaluate", lambda split=split: evaluate.main(params, split))
        if not arguments.splits:
            timed("tables", lambda: tables.main(params, "main"))
            timed("figures", lambda: figures.main(params))
        os.chdir("/")
    where = device(params)
    name = torch.cuda.get_device_name() if where.type == "cuda" else "CPU"
    memory = f", peak {torch.cuda.max_memory_allocated() / GIGA:.1f} GB" if where.type == "cuda" else ""
    print(f"{name}, {len(splits)} splits of profile paper, one epoch each{memory}\n")
    rows = [[stage, len(each), sum(each), max(each)] for stage, each in spent.items()]
    rows.append(["in all", "", sum(map(sum, spent.values())), ""])
    print(tabulate(rows, ["stage", "calls", "s", "longest s"], tablefmt="github", floatfmt=".1f"))


if __name__ == "__main__":
    main()
