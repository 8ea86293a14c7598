"""The checks of `doctor` that need the packages: archives, given weights, device, memory and disk.

Archives are judged by their tables of contents alone. Memory and disk are estimates from the settings of the active
profile, meant to tell a machine that will do from one that will not.
"""

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import psutil
import torch

from scople.backbone.feeding import step_memory
from scople.base.arithmetic import why_not
from scople.base.errors import ScopleError
from scople.base.params import MethodSettings, Params, Profile
from scople.base.shapes import JOINTS
from scople.commands.environment import Finding
from scople.data.joint_features import INTERVALS
from scople.data.samples import BROKEN, Note
from scople.formats.datasets import DataSet
from scople.formats.recordings import STRANGER, UNUSED, PkuVideos, Plan
from scople.pipeline.given import load_given
from scople.pipeline.layout import DATASETS, Layout, load_problem
from scople.pipeline.running import device
from scople.text.loading import find_weights, random_tower

GB = 1e9

INSTANCES = 20
"""Samples of a PKU-MMD video: 21,545 in 1,076."""

PACKED = 40e3
"""Bytes of a packed sample: NTU's usual 107 frames, and a second person in a quarter of the samples."""

SYNTHETIC = 80e3
"""Bytes of a synthetic recording in its zip."""

PROGRAM = 0.5e9
"""Bytes of a process with torch and the other libraries."""

CLASSES = 110
"""Classes of the largest training of the text side: NTU RGB+D 120's 110/10."""

STATES = {True: 5, False: 13}
"""Whether an encoder is causal, so that texts share their beginning → tokens of a class with the phrase before it."""

TEXT_ACTIVATIONS = 30
"""Memory of a training step of the text side, in states of all layers; measured with MiniLM, ViT-B/32 and ViT-L/14."""


def examine(params: Params) -> Iterator[Finding]:
    """Everything that the active profile needs."""
    layout = Layout(params.profile)
    samples, wanted = {}, defaultdict(float)
    for name, entry in params.datasets.items():
        folder = layout.raw(entry.raw)
        try:
            dataset = DataSet.load(DATASETS / f"{name}.yaml", entry.source)
        except ScopleError as error:
            yield _refused(name, error, f"a description in {DATASETS}")
            continue
        is_synthetic = layout.is_synthetic(entry.raw)
        finding, plan = examine_archives(dataset, folder, is_synthetic=is_synthetic, method=params.method)
        yield finding
        if is_synthetic:
            samples[name] = len(dataset.classes) * (params.demo.training_samples + params.demo.test_samples)
            size = samples[name] * SYNTHETIC
        else:
            recordings = plan.recordings if plan else dataset.expected.recordings if dataset.expected else 0
            samples[name] = recordings * (INSTANCES if isinstance(dataset.recordings, PkuVideos) else 1)
            size = dataset.expected.gigabytes * GB if dataset.expected else 0.0
        wanted[folder] = max(wanted[folder], size)  # data sets may share a folder
    for name, entry in params.splits.items():
        if entry.backbone_weights:
            yield examine_backbone(params, name)
    yield examine_weights(params.scale)
    yield examine_device(params)
    yield examine_arithmetic(params)
    per_split = {split: samples.get(entry.dataset, 0) for split, entry in params.splits.items()}
    yield from examine_memory(params, max(per_split.values(), default=0))

    outputs = _outputs(samples.values(), per_split.values(), params.scale)
    left = max(0.0, outputs - _size(Path("work") / params.profile))
    needs = {Path("work"): left, dvc_cache(): left}
    needs[Path("data")] = sum(max(0.0, size - _size(folder)) for folder, size in wanted.items())
    yield from examine_disk(needs)


def examine_archives(
    dataset: DataSet, folder: Path, *, is_synthetic: bool, method: MethodSettings
) -> tuple[Finding, Plan | None]:
    """Look through a data set's archives.

    Args:
        dataset: what to look for.
        folder: its raw folder.
        is_synthetic: does the demo stage write the recordings? Then they may be absent, and in any number.
        method: how recordings are read, and how many may be broken.

    Returns:
        The finding; and what would be read, None if an archive is missing or not readable.
    """
    expected = None if is_synthetic else dataset.expected
    if expected is None:
        wish = "what `dvc repro` writes there" if is_synthetic else f"any number, {dataset.name}.yaml names none"
    elif expected.missing:
        wish = f"{expected.recordings - expected.missing:,} ({expected.recordings:,} less {expected.missing})"
    else:
        wish = f"{expected.recordings:,}"
    subject = f"recordings of {dataset.name}"
    missing = dataset.missing_archives(folder)
    if missing:
        names = " and ".join(path.name for path in missing)
        advice = "" if is_synthetic else f"put {names} there as distributed, or take {dataset.name} out of params.yaml"
        return Finding(subject, f"{folder} lacks {names}", wish, advice), None
    try:
        plan = dataset.recordings.plan(folder, classes=len(dataset.classes), body_choice=method.body_choice)
    except ScopleError as error:
        return _refused(subject, error, wish), None
    found = f"{plan.recordings:,} to read in {folder}"
    listed = plan.counts.get("missing_list", 0)
    if expected and expected.missing:
        found += f", besides {listed} of the {expected.missing} officially missing"
    notes: dict[str, list[Note]] = defaultdict(list)
    for note in plan.notes:
        notes[note.kind].append(note)
    for kind, what in ((BROKEN, "unusable"), (STRANGER, "no recordings"), (UNUSED, "not used")):
        if kind in notes:
            first = notes[kind][0]
            found += f", {len(notes[kind]):,} {what} (first {first.file}: {first.reason})"
    advice = ""
    if plan.recordings == 0:
        advice = "put the recordings there"
    elif expected and plan.recordings != expected.recordings - expected.missing:
        more = plan.recordings - (expected.recordings - expected.missing)
        advice = f"take {more:,} foreign ones out" if more > 0 else f"get the archives again, {-more:,} are not in them"
        advice += f" (or correct `expected` in {dataset.name}.yaml)"
    elif len(notes[BROKEN]) > method.max_broken * plan.members:
        advice = f"get the archive again or raise max_broken, which is {method.max_broken:g} of {plan.members:,} files"
    return Finding(subject, found, wish, advice), plan


def examine_backbone(params: Params, split_name: str) -> Finding:
    """Load the backbone that takes the place of a split's pre-training, as the stages will."""
    subject, wish = f"backbone of {split_name}", f"a Shift-GCN of width {params.scale.pretrain.width} for its classes"
    try:
        split, classes = load_problem(params, split_name)
        given = load_given(params, split, len(classes))
    except ScopleError as error:
        return _refused(subject, error, wish)
    return Finding(subject, f"{params.splits[split_name].backbone_weights}, {given.note}", wish)


def examine_weights(scale: Profile) -> Finding:
    """Look for the text encoder's weights."""
    wish = f"the published weights of {scale.text_encoder}"
    try:
        path, has_digest = find_weights(scale.text_encoder, scale.text_weights)
    except ScopleError as error:
        return _refused("text weights", error, wish)
    checked = "its digest is right" if has_digest else "names and shapes are checked when it is loaded"
    return Finding("text weights", f"{path}, {checked}", wish)


def text_bytes(scale: Profile) -> float:
    """Memory of the text encoder and of a training step through it; 0 where nothing says its sizes yet."""
    try:
        with torch.device("meta"):
            tower = random_tower(scale.text_encoder, scale.text_weights)
    except ScopleError:  # `examine_weights` says so
        return 0.0
    parameters = sum(weights.numel() for weights in tower.parameters())
    return 4.0 * (parameters + TEXT_ACTIVATIONS * CLASSES * STATES[tower.causal] * tower.width * tower.depth)


def examine_device(params: Params) -> Finding:
    """Say what would be computed on."""
    machine, cores = params.machine, os.cpu_count() or 1
    wish = f"machine.device {machine.device} and at most {cores} threads"
    try:
        chosen = device(params)
    except ScopleError as error:
        return _refused("device", error, wish)
    name = f"CUDA {torch.cuda.get_device_name(chosen)}" if chosen.type == "cuda" else "CPU"
    found = f"{name}, {cores} cores, machine.threads {machine.threads}"
    return Finding("device", found, wish, f"set machine.threads to {cores}" if machine.threads > cores else "")


def examine_arithmetic(params: Params) -> Finding:
    """Say whether the results will have the bytes that other machines get; nothing stops a run that cannot."""
    kind, reason = params.machine.arithmetic, why_not()
    if kind == "portable" and not reason and device(params).type == "cuda":
        reason = "a GPU rounds otherwise"
    found = f"{kind}, but {reason}: results will differ in bytes from other machines'" if reason else kind
    return Finding("arithmetic", found, "portable for the same bytes everywhere")


def examine_memory(params: Params, samples: int) -> Iterator[Finding]:
    """Compare free memory with a training step of the backbone and with the features of the largest split."""
    scale = params.scale
    step = step_memory(scale.pretrain.batch_size, scale.frames, scale.pretrain.width)
    features = PROGRAM + samples * _feature_bytes(scale) + text_bytes(scale)
    advice = f"use a larger machine, or lower batch_size in profiles.{params.profile}.pretrain"
    on_cuda = params.machine.device != "cpu" and torch.cuda.is_available()
    if on_cuda:
        yield _room("memory of the device", torch.cuda.mem_get_info()[0], step, "the backbone's training", advice)
    free = psutil.virtual_memory().available
    if on_cuda or features > PROGRAM + step:
        yield _room(
            "memory", free, features, "the text encoder and one split's features", "free memory or use a larger machine"
        )
    else:
        yield _room("memory", free, PROGRAM + step, "the backbone's training", advice)


def examine_disk(needs: Mapping[Path, float]) -> Iterator[Finding]:
    """Compare the free room of each disk with what is to be written to all its places.

    Args:
        needs: bytes by place; a place need not be there yet.
    """
    disks: dict[int, list[Path]] = defaultdict(list)
    for place in needs:
        disks[_existing(place).stat().st_dev].append(place)
    for places in disks.values():
        purpose = ", ".join(f"{place} {needs[place] / GB:.1f}" for place in places)
        free = shutil.disk_usage(_existing(places[0])).free
        yield _room("disk", free, sum(needs[place] for place in places), purpose, "free some or use a larger disk")


def dvc_cache() -> Path:
    """Where DVC keeps its copies; its default outside of a DVC repository."""
    done = subprocess.run([sys.executable, "-m", "dvc", "cache", "dir"], capture_output=True, text=True, check=False)
    return Path(done.stdout.strip() or ".dvc/cache")


def _room(subject: str, free: float | int, needed: float | int, purpose: str, advice: str) -> Finding:
    return Finding(
        subject,
        f"{free / GB:.1f} GB free",
        f"about {needed / GB:.1f} GB ({purpose})",
        advice if free < needed else "",
    )


def _refused(subject: str, error: ScopleError, expected: str) -> Finding:
    return Finding(subject, str(error).removesuffix("."), expected, "do so and call this again")


def _feature_bytes(scale: Profile) -> int:
    """One sample's joint and interval features, float32; four times as wide as the backbone's first blocks."""
    return (1 + INTERVALS) * JOINTS * 4 * scale.pretrain.width * 4


def _outputs(corpora: Iterable[int], splits: Iterable[int], scale: Profile) -> float:
    """Bytes of all packed corpora and features; everything else is small beside them."""
    return sum(corpora) * PACKED + sum(splits) * _feature_bytes(scale)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _existing(path: Path) -> Path:
    path = path.absolute()
    return next(parent for parent in (path, *path.parents) if parent.exists())
