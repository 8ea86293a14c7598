"""How long the pipeline of the active profile will take on this machine: `scople doctor --time`.

`scople.commands.rates` times a few steps of each stage; the number of samples does the rest. Stages of one split come
one after the other, splits do not wait for each other.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil
import torch

from scople.backbone.feeding import is_kept, step_memory
from scople.base.documents import read_document
from scople.base.errors import ScopleError
from scople.base.params import Params, Profile
from scople.base.shapes import JOINTS, PERSONS
from scople.commands.checkup import INSTANCES
from scople.commands.rates import STEPS, Rates, measure, seconds_of
from scople.commands.spread import cores, share_out_gpus
from scople.formats.datasets import DataSet
from scople.formats.ntu import parse_name
from scople.formats.recordings import NtuSkeletons, PkuVideos, Plan
from scople.pipeline.layout import DATASETS, Layout, load_problem
from scople.pipeline.running import device

TRAINING_SHARE = 0.7
"""Samples by training subjects where nothing can be counted or is told; PKU-MMD has 87 %."""


@dataclass(frozen=True)
class Counted:
    """Samples of a data set by training and by test subjects, and where their number comes from."""

    training: int
    test: int
    source: str


def estimate(params: Params) -> Iterator[str]:
    """The lines of `doctor --time`, one at a time, as they are known."""
    counted, parsing = {}, 0.0
    for name in params.datasets:
        line, spent, counted[name] = estimate_parse(params, name)
        parsing += spent
        yield line
    rates = measure(params)
    load, cores = psutil.getloadavg()[0], os.cpu_count() or 1
    busy = f"; the machine is busy (load {load:.1f} on {cores} cores), an idle one is faster" if load > cores else ""
    yield f"time  {_where(params)}: extrapolated from {STEPS} steps of each stage at the sizes of this profile{busy}"
    stages = {split: split_seconds(params, split, counted[params.dataset_of(split)], rates) for split in params.splits}
    for split, spent in stages.items():
        parts = ", ".join(f"{stage} {shown(seconds)}" for stage, seconds in spent.items())
        yield f"time  {split}: {shown(sum(spent.values()))} ({parts})"
    yield from _in_all(params, parsing, [sum(spent.values()) for spent in stages.values()])


def estimate_parse(params: Params, name: str) -> tuple[str, float, Counted]:
    """A data set's line, the seconds of its parse stage (0 where they are not known) and its samples."""
    layout, dataset = Layout(params.profile), DataSet.load(DATASETS / f"{name}.yaml", params.datasets[name].source)
    folder = layout.raw(params.raw_folder_of(name))
    plan = None
    if not dataset.missing_archives(folder):
        try:
            plan = dataset.recordings.plan(folder, classes=len(dataset.classes), body_choice=params.method.body_choice)
        except ScopleError:  # the checks have said so
            plan = None
    counted = count(params, dataset, plan, layout.corpus(name) / "index.csv")
    samples = f"{counted.training:,} training and {counted.test:,} test samples ({counted.source})"
    if plan is None or not plan.tasks:
        return f"time  parse {name}: not timed, its archives are not there; {samples}", 0.0, counted
    # Of a stream only the first tasks are near.
    few = plan.tasks[:: 1 if plan.is_stream else max(1, len(plan.tasks) // STEPS)][:STEPS]
    seconds = seconds_of(lambda: [plan.read(task) for task in few]) / len(few)
    jobs = params.machine.jobs or os.cpu_count() or 1
    jobs = 1 if plan.is_stream else jobs
    whole = seconds * len(plan.tasks) / jobs
    return f"time  parse {name}: {shown(whole)} in {jobs} processes; {samples}", whole, counted


def count(params: Params, dataset: DataSet, plan: Plan | None, index: Path) -> Counted:
    """Samples by training and test subjects: of the packed corpus, else by the archives' names, else as expected."""
    if index.is_file():
        is_training = pd.read_csv(index)["is_training"]
        return Counted(int(is_training.sum()), int((~is_training).sum()), "as packed")
    recordings = dataset.recordings
    if plan is not None:
        if plan.training is not None:
            return Counted(plan.training, plan.recordings - plan.training, "as the file says")
        if isinstance(recordings, NtuSkeletons):
            names = (parse_name(copies[0].name) for task in plan.tasks for copies in task)
            is_training = [name is not None and name.performer in recordings.train_subjects for name in names]
            return Counted(sum(is_training), len(is_training) - sum(is_training), "by their names")
        training = sum(INSTANCES for *_, is_training in plan.tasks if is_training)
        return Counted(training, INSTANCES * len(plan.tasks) - training, f"{INSTANCES} a video")
    if Layout(params.profile).is_synthetic(params.raw_folder_of(dataset.name)):
        classes = len(dataset.classes)
        return Counted(classes * params.demo.training_samples, classes * params.demo.test_samples, "to be written")
    expected = dataset.expected.recordings - dataset.expected.missing if dataset.expected else 0
    samples = expected * (INSTANCES if isinstance(recordings, PkuVideos) else 1)
    if 0 < (told := expected_training(dataset.name)) <= samples:
        return Counted(told, samples - told, "as expected")
    training = round(TRAINING_SHARE * samples)
    return Counted(training, samples - training, f"as expected, {TRAINING_SHARE:.0%} for training")


def expected_training(name: str) -> int:
    """Training samples that a data set's description expects, of whichever source; 0 where none says so."""
    path = DATASETS / f"{name}.yaml"
    sources = ("", *read_document(path).get("sources", ()))
    expected = (DataSet.load(path, source).expected for source in sources)
    return next((each.training for each in expected if each and each.training), 0)


def split_seconds(params: Params, split_name: str, counted: Counted, rates: Rates) -> dict[str, float]:
    """Stage → seconds; the classes of a data set count as equally large."""
    scale = params.scale
    split, classes = load_problem(params, split_name)
    seen, inner = len(split.seen), len(split.without_pseudo_unseen.seen)
    training, test = round(counted.training * seen / len(classes)), counted.test
    size = 4 * 3 * scale.frames * JOINTS * PERSONS  # bytes of a normalised sample
    step = step_memory(scale.pretrain.batch_size, scale.frames, scale.pretrain.width)

    reading = 0.0 if params.machine.workers else rates.reading_sample  # workers read while the device computes
    backbones, epochs = len(params.backbone_seeds), scale.pretrain.epochs
    readings = 1 if is_kept(training * size, device(params), step) else epochs
    pretrained = training * (epochs * rates.training_sample + readings * reading)
    if params.splits[split_name].backbone_weights:  # they only say what they make of the training part
        pretrained = training * (rates.forward_sample + reading)
    extracted = (training + test) * (rates.forward_sample + reading)

    learned = round(training * inner / seen * (1 - params.method.gate_holdout))
    steps = {each: math.ceil(each / scale.train.batch_size) * scale.train.epochs for each in (training, learned)}
    calibration = steps[learned] * rates.at(rates.step, inner) + scored(training - learned, inner, scale, rates)
    trained = steps[training] * rates.at(rates.step, seen) + calibration
    # The model as it began, every test sample, then the attention of each class.
    evaluated = 2 * scored(test, seen, scale, rates) + rates.at(rates.text, seen)
    repeats = len(params.seeds)
    return {
        "pretrain": rates.start + backbones * pretrained,
        "features": rates.start + backbones * extracted,
        "train": repeats * (rates.start + trained),
        "evaluate": rates.start + repeats * evaluated,
    }


def scored(samples: int, classes: int, scale: Profile, rates: Rates) -> float:
    """Seconds of scoring samples against all candidates once."""
    batches = math.ceil(samples / scale.evaluate.batch_size)
    return rates.at(rates.text, classes) + batches * rates.at(rates.scored_batch, classes)


def _where(params: Params) -> str:
    where, machine = device(params), params.machine
    return torch.cuda.get_device_name(where) if where.type == "cuda" else f"CPU, machine.threads {machine.threads}"


def _in_all(params: Params, parsing: float, splits: list[float]) -> Iterator[str]:
    """Everything one after the other, and beside each other by as many workers as there is room for, and one more."""
    yield f"time  in all: {shown(parsing + sum(splits))}, one stage at a time; tables and pictures take seconds more"
    if device(params).type == "cuda":
        here, what = len(share_out_gpus(params)), "GPU" if params.machine.processes == 1 else "group of GPUs"
    else:
        here, what = cores(params), "worker of as many threads"
    for workers in (here, here + 1) if here > 1 else (here + 1,):
        lasts = parsing + makespan(splits, workers)
        more = f"; one more {what}" if workers > here else ""
        yield f"time  beside each other{more}: {shown(lasts)} with {workers} at a time (`scople spread`)"


def makespan(times: list[float], workers: int) -> float:
    """Seconds until the last of some independent jobs is done, the longest begun first; nothing slows down another."""
    ends = [0.0] * workers
    for each in sorted(times, reverse=True):
        ends[ends.index(min(ends))] += each
    return max(ends)


def shown(seconds: float) -> str:
    """Two digits and a unit that a person would choose: 4.1 s, 37 s, 12 min, 5.3 h, 11 days; three from 99.5 on."""
    units = ((86400, "days"), (3600, "h"), (60, "min"), (1, "s"))
    size, unit = next((each for each in units if seconds >= 2 * each[0]), units[-1])
    value = seconds / size
    return f"{value:.2g} {unit}" if value < 99.5 else f"{value:.0f} {unit}"
