"""Synthetic PKU-MMD: skeleton folder, label folder and cross-subject list, named and laid out as distributed.

A video shows about ten actions with idle gaps, by one person or by two, from one of the three views. Every video has
its own random generator, derived from the seed and the video's name.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scople.base.files import whole
from scople.base.parallel import ordered_map
from scople.base.progress import progress
from scople.base.seeding import numpy_generator
from scople.data.class_names import ClassEntry
from scople.demo.body import standing
from scople.demo.kinect import jitter, pku_text, sightings
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

TRAIN_SUBJECTS, TEST_SUBJECTS = range(1001, 1058), range(1058, 1067)
"""PKU-MMD has 66 subjects, none of them NTU's; 57 of them are training subjects."""

ACTIONS = 10
"""Most actions in one video."""

GAP = (12, 30)
"""Frames between two actions, least and most."""

FIRST_VIDEO = 90
"""Later than the real videos 0043 and 0089, in which the parser skips instances that are known to be damaged."""


@dataclass(frozen=True)
class Video:
    """One video to be written; `actions` are its class numbers and programs, in order."""

    name: str
    people: tuple[int, ...]
    view: float
    actions: tuple[tuple[int, Program], ...]
    frames: tuple[int, int]
    seed: int


def write_pku(
    folder: Path,
    classes: Sequence[ClassEntry],
    programs: Mapping[str, Program],
    *,
    training_samples: int,
    test_samples: int,
    frames: tuple[int, int],
    seed: int,
    jobs: int = 0,
) -> Path:
    """Write `PKU_Skeleton_Renew/`, `Train_Label_PKU_final/` and `cross-subject.txt` in one folder.

    Args:
        folder: where to write; whatever is there is replaced.
        classes: rows of PKU-MMD's class list, or some of them.
        programs: the program of each class, by class name.
        training_samples: instances of a class in training videos.
        test_samples: instances of a class in test videos.
        frames: least and most frames of an instance, at 30 a second.
        seed: root seed.
        jobs: processes; 0 takes one for each core.

    Returns:
        `folder`.

    Raises:
        ScopleError: a class has no program, or `frames` is out of bounds.
    """
    require_programs(classes, programs)
    require_frames(frames)
    playlists = [
        (side, *playlist)
        for side, samples, subjects in (
            ("train", training_samples, TRAIN_SUBJECTS),
            ("test", test_samples, TEST_SUBJECTS),
        )
        for playlist in _playlists(classes, samples, subjects, numpy_generator(seed, "pku", side))
    ]
    numpy_generator(seed, "pku", "order").shuffle(playlists)
    videos, names = [], {"train": [], "test": []}
    for number, (side, people, entries) in enumerate(playlists, start=FIRST_VIDEO):
        camera = number % len(VIEWS)
        name = f"{number:04d}-{'LMR'[camera]}"
        actions = tuple((entry.number, programs[entry.name]) for entry in entries)
        videos.append(Video(name, people, VIEWS[camera], actions, frames, seed))
        names[side].append(name)
    with whole(folder) as beside:
        (beside / "PKU_Skeleton_Renew").mkdir(parents=True)
        (beside / "Train_Label_PKU_final").mkdir()
        with closing(ordered_map(_texts, videos, jobs=jobs)) as texts:
            for video, (skeletons, labels) in zip(progress(videos, folder.name, unit="video"), texts, strict=True):
                (beside / "PKU_Skeleton_Renew" / f"{video.name}.txt").write_bytes(skeletons)
                (beside / "Train_Label_PKU_final" / f"{video.name}.txt").write_bytes(labels)
        lists = f"Training videos:\n{', '.join(names['train'])}\nTest videos:\n{', '.join(names['test'])}\n"
        (beside / "cross-subject.txt").write_bytes(lists.encode())
    return folder


def _playlists(
    classes: Sequence[ClassEntry], samples: int, subjects: Sequence[int], rng: np.random.Generator
) -> list[tuple[tuple[int, ...], list[ClassEntry]]]:
    """People and classes of each video of one side; actions of one person and of two are in separate videos."""
    playlists = []
    for two_person in (False, True):
        entries = [entry for entry in classes if entry.two_person == two_person for _ in range(samples)]
        rng.shuffle(entries)
        for start in range(0, len(entries), ACTIONS):
            people = rng.choice(subjects, 2 if two_person else 1, replace=False)
            playlists.append((tuple(map(int, people)), entries[start : start + ACTIONS]))
    return playlists


def _texts(video: Video) -> tuple[bytes, bytes]:
    """The bytes of one video's skeleton file and of its label file.

    A label row is `class,start,end,confidence`; frames count from 1, and `end` is the action's last frame.
    """
    rng = numpy_generator(video.seed, "pku", video.name)
    subjects = [Subject.draw(video.seed, number) for number in video.people]
    parts = [np.stack([standing(subject.build, 1) + subject.habits for subject in subjects])]
    labels, written = [], 1
    for number, program in video.actions:
        posed = action(program, subjects, take_length(subjects[0], video.frames, rng), rng)
        last, gap = parts[-1][:, -1:], int(rng.integers(*GAP, endpoint=True))
        passed = np.linspace(0.0, 1.0, gap + 2)[1:-1, None, None]
        parts += [last + (posed[:, :1] - last) * passed, posed]
        start, written = written + gap + 1, written + gap + posed.shape[1]
        labels.append(f"{number},{start},{written},{rng.integers(1, 3)}\n")
    parts.append(np.repeat(parts[-1][:, -1:], int(rng.integers(*GAP, endpoint=True)), axis=1))
    posed = sway(np.concatenate(parts, axis=1), rng)
    bodies = jitter(seen_by_camera(scene(posed, subjects), video.view, rng), rng)
    return pku_text(sightings(bodies, rng)).encode(), "".join(labels).encode()
