"""Synthetic NTU RGB+D: the two skeleton zips, named and laid out as distributed.

Every recording has its own random generator, derived from the seed and the recording's name, so the bytes do not
depend on how many processes write them.
"""

import itertools
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from scople.base.errors import ScopleError
from scople.base.files import whole
from scople.base.parallel import ordered_map
from scople.base.progress import progress
from scople.base.seeding import numpy_generator
from scople.data.class_names import ClassEntry
from scople.demo.kinect import jitter, sightings, skeleton_text
from scople.demo.programs import Program, require_programs
from scople.demo.recordings import (
    VIEWS,
    Subject,
    action,
    require_frames,
    scene,
    seen_by_camera,
    sway,
    take_length,
)


class Archive(NamedTuple):
    """One of NTU's zips and its contents."""

    name: str
    setups: range
    performers: range
    classes: range


ARCHIVES = (
    Archive("nturgbd_skeletons_s001_to_s017.zip", range(1, 18), range(1, 41), range(1, 61)),
    Archive("nturgbd_skeletons_s018_to_s032.zip", range(18, 33), range(41, 107), range(61, 121)),
)


@dataclass(frozen=True)
class Take:
    """One recording to be written: `name` without suffix, and the people's numbers with the actor first."""

    name: str
    people: tuple[int, ...]
    view: float
    program: Program
    frames: tuple[int, int]
    seed: int


def write_ntu_archives(
    folder: Path,
    classes: Sequence[ClassEntry],
    programs: Mapping[str, Program],
    *,
    train_subjects: Sequence[int],
    training_samples: int,
    test_samples: int,
    frames: tuple[int, int],
    seed: int,
    skip: Collection[str] = (),
    jobs: int = 0,
) -> list[Path]:
    """Write NTU RGB+D's skeleton zips: classes 1-60 in the first, 61-120 in the second.

    A zip without any of the classes is not written.

    Args:
        folder: where the zips go.
        classes: rows of NTU's class list, or some of them.
        programs: the program of each class, by class name.
        train_subjects: official cross-subject training performers; an archive's other performers are test subjects.
        training_samples: recordings of each class by training performers.
        test_samples: recordings of each class by the other performers.
        frames: least and most frames of a recording, at 30 a second.
        seed: root seed.
        skip: recordings that are never written, such as those on the official list of missing skeletons.
        jobs: processes; 0 takes one for each core.

    Returns:
        The written zips.

    Raises:
        ScopleError: a class has no program, `frames` is out of bounds, or an archive has fewer combinations of
            performer, camera and replication than the samples asked for.
    """
    require_programs(classes, programs)
    require_frames(frames)
    contents = {}
    for archive in ARCHIVES:
        training = [number for number in archive.performers if number in train_subjects]
        test = [number for number in archive.performers if number not in train_subjects]
        takes = [
            Take(name, people, view, programs[entry.name], frames, seed)
            for entry in classes
            if entry.number in archive.classes
            for performers, count in ((training, training_samples), (test, test_samples))
            for name, people, view in _samples(archive, entry, performers, count, seed, skip)
        ]
        if takes:
            contents[folder / archive.name] = sorted(takes, key=lambda take: take.name)
    everything = list(itertools.chain.from_iterable(contents.values()))
    with closing(ordered_map(_text, everything, jobs=jobs)) as texts:
        for path, takes in contents.items():
            _write(path, takes, texts)
    return list(contents)


def _samples(
    archive: Archive, entry: ClassEntry, performers: Sequence[int], count: int, seed: int, skip: Collection[str]
) -> Iterator[tuple[str, tuple[int, ...], float]]:
    """Name, people and view of `count` recordings of a class by the given performers; each performer has one setup."""
    choices = []
    for performer, camera, replication in itertools.product(performers, (1, 2, 3), (1, 2)):
        place = (performer - archive.performers.start) * len(archive.setups) // len(archive.performers)
        name = f"S{archive.setups[place]:03d}C{camera:03d}P{performer:03d}R{replication:03d}A{entry.number:03d}"
        if name not in skip:
            choices.append((name, performer, VIEWS[camera - 1]))
    if count > len(choices):
        raise ScopleError(
            f"{count} recordings of class {entry.number} by one side of the subjects were asked for, but "
            f"{archive.name} has room for {len(choices)}: ask for fewer samples."
        )
    rng = numpy_generator(seed, "takes", entry.number, *performers)
    for chosen in rng.permutation(len(choices))[:count]:
        name, performer, view = choices[chosen]
        partner = performers[(performers.index(performer) + 1) % len(performers)]
        yield name, (performer, partner) if entry.two_person else (performer,), view


def _write(path: Path, takes: Sequence[Take], texts: Iterator[bytes]) -> None:
    """Write one zip, taking as many of the texts as it has members."""
    with (
        whole(path) as beside,
        zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target,
    ):
        for take, text in zip(progress(takes, path.name, unit="file"), texts, strict=False):
            # Without a date, a ZipInfo has the date 1980-01-01, so the same recordings give the same bytes.
            member = zipfile.ZipInfo(f"nturgb+d_skeletons/{take.name}.skeleton")
            target.writestr(member, text, zipfile.ZIP_DEFLATED, compresslevel=1)


def _text(take: Take) -> bytes:
    """The bytes of one `.skeleton` file."""
    rng = numpy_generator(take.seed, "ntu", take.name)
    subjects = [Subject.draw(take.seed, number) for number in take.people]
    posed = action(take.program, subjects, take_length(subjects[0], take.frames, rng), rng)
    bodies = jitter(seen_by_camera(scene(sway(posed, rng), subjects), take.view, rng), rng)
    return skeleton_text(sightings(bodies, rng), rng).encode()
