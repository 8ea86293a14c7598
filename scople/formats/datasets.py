"""A data set as files: `datasets/<name>.yaml` names the recordings, the classes and the training subjects.

    format: ntu-skeleton                            # or pku-mmd, below
    classes: classes/ntu60.csv                      # id,label,two_person; ids from 1 without gaps
    archives: [nturgbd_skeletons_s001_to_s017.zip]  # in the raw folder; zips, or folders unpacked from them
    train_subjects: [1, 2, 4]                       # performers; all others are test subjects
    missing: ntu_missing.txt                        # optional: names to leave out, one a line
    expected: {recordings: 56880, missing: 302}     # optional: what the archives hold as distributed, see `Expected`

    format: pku-mmd
    classes: classes/pku.csv
    skeletons: PKU_Skeleton_Renew                   # in the raw folder, zip or folder
    labels: Train_Label_PKU_final
    subjects: cross-subject.txt
    first_frame: 1                                  # number of a video's first frame in the labels, 1 or 0

    format: pyskl                                   # kennymckormick/pyskl, see `scople.formats.pyskl`
    classes: classes/ntu60.csv
    file: ntu60_3danno.pkl                          # in the raw folder
    train_subjects: [1, 2, 4]                       # by the names SsssCcccPpppRrrrAaaa, or
    training: xsub_train                            # by a list of the file; with both, the two are compared
    missing: ntu_missing.txt                        # optional

    format: ctr-npz                                 # Uason-Chen/CTR-GCN, see `scople.formats.ctr_npz`
    classes: classes/ntu60.csv
    file: NTU60_CS.npz
    expected: {recordings: 56578, training: 40091}  # optional; another number of training rows is noted as a loss

Class and missing lists lie beside the yaml file. A description may offer the same recordings in other forms. If
params.yaml names one (`source: pyskl`), its keys come before the others, of which only those count that its format has:

    sources:
      pyskl: {format: pyskl, file: ntu60_3danno.pkl}
"""

import math
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from scople.base.documents import listed, quoted, read_document, read_text
from scople.base.errors import ScopleError
from scople.base.parallel import ordered_map
from scople.base.progress import progress
from scople.data.class_names import ClassEntry, load_classes
from scople.data.packing import write_corpus
from scople.data.samples import BROKEN, Note, Sample
from scople.data.skeletons import BODY_CHOICES
from scople.formats.archive import find_archive
from scople.formats.ctr_npz import CtrNpz
from scople.formats.prepared import merged
from scople.formats.pyskl import PysklAnnotations
from scople.formats.recordings import NtuSkeletons, PkuVideos

Recordings = NtuSkeletons | PkuVideos | PysklAnnotations | CtrNpz

SHARED = {
    "pyskl": ("classes", "train_subjects", "missing"),
    "ctr-npz": ("classes",),
    "ntu-skeleton": ("classes", "train_subjects", "missing"),
    "pku-mmd": ("classes",),
}
"""Keys that a source takes from its description, by its format."""


@dataclass(frozen=True)
class Expected:
    """What the archives of a data set hold as distributed.

    Attributes:
        recordings: number of recordings; for PKU-MMD, of videos.
        missing: how many of them the missing list names.
        gigabytes: size of the archives together.
        training: how many are for training; only `ctr-npz` needs it, which has no subjects.
    """

    recordings: int
    missing: int = 0
    gigabytes: float = 0.0
    training: int = 0


@dataclass(frozen=True)
class DataSet:
    """The description of a data set.

    Attributes:
        name: name of its yaml file.
        classes: by label, from 0.
        recordings: the raw format and where it lies.
        expected: None if the file does not say; parsing uses its `training` only.
    """

    name: str
    classes: list[ClassEntry]
    recordings: Recordings
    expected: Expected | None = None

    @classmethod
    def load(cls, path: str | Path, source: str = "") -> "DataSet":
        """Read `datasets/<name>.yaml` and the lists it names.

        Args:
            path: the file.
            source: one of its `sources`; empty for the recordings that the description itself names.

        Raises:
            ScopleError: a key is unknown, missing or of the wrong kind, or a list is invalid; or no such source.
        """
        path = Path(path)
        entries = _Entries(path)
        sources = entries.sources() if "sources" in entries.left else {}
        if source:
            entries.choose(source, sources)
        raw_format = entries.text("format")
        classes = load_classes(path.parent / entries.text("classes"))
        expected = entries.expected() if "expected" in entries.left else None
        missing = path.parent / entries.text("missing") if "missing" in entries.left else None
        recordings: Recordings
        if raw_format == "ntu-skeleton":
            recordings = NtuSkeletons(
                archives=tuple(entries.several("archives", str)),
                train_subjects=frozenset(entries.several("train_subjects", int)),
                missing=frozenset(read_text(missing).split()) if missing else frozenset(),
            )
        elif raw_format == "pku-mmd":
            recordings = PkuVideos(
                skeletons=entries.text("skeletons"),
                labels=entries.text("labels"),
                subjects=entries.text("subjects"),
                first_frame=entries.one_of("first_frame", 0, 1),
            )
        elif raw_format == "pyskl":
            has_subjects = "train_subjects" in entries.left
            recordings = PysklAnnotations(
                file=entries.text("file"),
                train_subjects=frozenset(entries.several("train_subjects", int) if has_subjects else ()),
                training=entries.text("training") if "training" in entries.left or not has_subjects else "",
                missing=frozenset(read_text(missing).split()) if missing else frozenset(),
            )
        elif raw_format == "ctr-npz":
            recordings = CtrNpz(file=entries.text("file"), training=expected.training if expected else 0)
        else:
            raise ScopleError(
                f"format {quoted(raw_format)} in {path} is neither ntu-skeleton nor pku-mmd, pyskl or ctr-npz: "
                "correct it."
            )
        if missing and not isinstance(recordings, NtuSkeletons | PysklAnnotations):
            raise ScopleError(f"{path} has a list 'missing', which format {raw_format} cannot use: take it out.")
        if entries.left:
            raise ScopleError(f"{path} has the unknown key {quoted(next(iter(entries.left)))}: take it out.")
        return cls(path.stem, classes, recordings, expected)

    @property
    def archive_names(self) -> list[str]:
        """What the raw folder must hold."""
        return list(self.recordings.archive_names)

    def missing_archives(self, raw_folder: str | Path) -> list[Path]:
        """Those of `archive_names` that the raw folder holds neither as a zip nor as a folder."""
        raw_folder = Path(raw_folder)
        return [raw_folder / name for name in self.archive_names if find_archive(raw_folder, name) is None]


def parse(
    dataset: DataSet,
    raw_folder: str | Path,
    out_folder: str | Path,
    *,
    jobs: int = 0,
    max_broken: float = 0.01,
    body_choice: str = "energy",
) -> dict[str, int]:
    """Raw archives to a packed corpus.

    The result has the same bytes for any `jobs`, for any order of a zip's members, and for a zip and the folder
    unpacked from it.

    Args:
        dataset: what to look for.
        raw_folder: where its archives lie.
        out_folder: see `scople.data.packing`; what it held before is replaced.
        jobs: processes; 0 for one per core.
        max_broken: fraction of the members that may be broken.
        body_choice: a key of `BODY_CHOICES`; without effect on PKU-MMD.

    Returns:
        The corpus's summary, with the number of members found. For NTU it also counts the members that are left out
        unread: those on the missing list, and those whose class is not in the class list.

    Raises:
        ScopleError: an archive is missing or unreadable, more than `max_broken` of the members are broken, or no
            sample is left. `out_folder` is then untouched.
    """
    if body_choice not in BODY_CHOICES:
        raise ScopleError(f"body choice '{body_choice}' is none of {', '.join(BODY_CHOICES)}: correct it.")
    for path in dataset.missing_archives(raw_folder):
        raise ScopleError(f"{path} is missing: put {path.name} there, as the zip or as the folder unpacked from it.")
    plan = dataset.recordings.plan(Path(raw_folder), classes=len(dataset.classes), body_choice=body_choice)
    with closing(ordered_map(plan.read, plan.tasks, jobs=1 if plan.is_stream else jobs)) as results:
        shown = progress(results, f"parse {dataset.name}", total=len(plan.tasks), unit="task")
        counts = {"members": plan.members, **plan.counts}
        outcomes = merged(chain(plan.notes, chain.from_iterable(shown)), counts)
        return write_corpus(out_folder, _checked(outcomes, dataset.name, plan.members, max_broken), counts)


def _checked(outcomes: Iterable[Sample | Note], name: str, members: int, max_broken: float) -> Iterator[Sample | Note]:
    """Pass the outcomes on; raise at one broken member too many, and at the end if there was no sample."""
    broken = samples = 0
    for outcome in outcomes:
        if isinstance(outcome, Sample):
            samples += 1
        elif outcome.kind == BROKEN:
            broken += 1
            if broken > max_broken * members:
                reason = outcome.reason if len(outcome.reason) <= 50 else outcome.reason[:47] + "..."
                raise ScopleError(
                    f"{name} has {broken} broken files among {members}, the last {outcome.file}, line {outcome.line} "
                    f"({reason}), and max_broken is {max_broken:g}: get the archive again or raise max_broken."
                )
        yield outcome
    if not samples:
        raise ScopleError(f"none of the {members} files of {name} gave a sample: check archives and class list.")


class _Entries:
    """The keys of a yaml file, each to be taken once; `left` holds those not taken yet."""

    def __init__(self, path: Path):
        entries = read_document(path)
        if not isinstance(entries, dict):
            raise ScopleError(f"{path} holds no keys: it needs lines such as 'format: ntu-skeleton'.")
        self.path, self.left = path, entries

    def text(self, key: str) -> str:
        value = self._take(key)
        if not isinstance(value, str):
            raise ScopleError(f"'{key}' in {self.path} is {quoted(value)} and must be a text: correct it.")
        return value

    def several(self, key: str, kind: type) -> list:
        values = self._take(key)
        if not (isinstance(values, list) and values and all(type(value) is kind for value in values)):
            raise ScopleError(
                f"'{key}' in {self.path} is {quoted(values)} and must be a list of {kind.__name__}: correct it."
            )
        return values

    def one_of(self, key: str, *choices: int) -> int:
        value = self._take(key)
        if type(value) is not int or value not in choices:
            allowed = " or ".join(map(str, choices))
            raise ScopleError(f"'{key}' in {self.path} is {quoted(value)} and must be {allowed}: correct it.")
        return value

    def sources(self) -> dict[str, dict]:
        value = self._take("sources")
        if not (isinstance(value, dict) and all(isinstance(each, dict) for each in value.values())):
            raise ScopleError(
                f"'sources' in {self.path} is {quoted(value)} and must be descriptions such as "
                "{pyskl: {format: pyskl, file: ntu60_3danno.pkl}}: correct it."
            )
        return value

    def choose(self, source: str, sources: dict[str, dict]) -> None:
        """Let a source's keys take the place of the description's."""
        if source not in sources:
            offered = f"offers {listed(sources)}" if sources else "offers none"
            raise ScopleError(f"{self.path} has no source {quoted(source)}, it {offered}: correct it in params.yaml.")
        shared = SHARED.get(str(sources[source].get("format")), ())
        self.left = {key: self.left[key] for key in shared if key in self.left} | sources[source]

    def expected(self) -> Expected:
        value = self._take("expected")
        kinds = {"recordings": (int,), "missing": (int,), "gigabytes": (int, float), "training": (int,)}
        if not (
            isinstance(value, dict)
            and "recordings" in value
            and all(type(number) in kinds.get(key, ()) and 0 <= number < math.inf for key, number in value.items())
        ):
            raise ScopleError(
                f"'expected' in {self.path} is {quoted(value)} and must be numbers such as "
                "{recordings: 56880, missing: 302, gigabytes: 5.8}: correct it."
            )
        return Expected(**value)

    def _take(self, key: str) -> object:
        if key not in self.left:
            raise ScopleError(f"{self.path} lacks the key '{key}': add it.")
        return self.left.pop(key)
