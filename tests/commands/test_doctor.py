"""`doctor`: what it finds in good, short, broken and missing archives, and that it always says everything."""

import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import raw_files
import yaml

from scople.base.params import SplitEntry, load_params
from scople.commands import checkup, doctor, environment
from scople.formats.datasets import DataSet, Expected
from scople.text.minilm import _package_folder

NAMES = [f"S001C001P001R001A{i:03d}" for i in range(1, 8)]
LISTED = NAMES[:2]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def described(tmp_path):
    """Seven recordings of which the missing list names two, and three videos, as files describe them."""
    (tmp_path / "classes.csv").write_text("id,label,two_person\n" + "".join(f"{i},action {i},0\n" for i in range(1, 8)))
    (tmp_path / "missing.txt").write_text("\n".join(LISTED))
    (tmp_path / "seven.yaml").write_text(
        "format: ntu-skeleton\narchives: [one.zip]\nclasses: classes.csv\ntrain_subjects: [1]\nmissing: missing.txt\n"
        "expected: {recordings: 7, missing: 2, gigabytes: 3.5}\n"
    )
    (tmp_path / "three.yaml").write_text(
        "format: pku-mmd\nskeletons: skeletons\nlabels: labels\nsubjects: list.txt\nfirst_frame: 1\n"
        "classes: classes.csv\nexpected: {recordings: 3}\n"
    )
    return tmp_path


def examine(described, name, *, is_synthetic=False):
    return checkup.examine_archives(
        DataSet.load(described / f"{name}.yaml"),
        described / "raw",
        is_synthetic=is_synthetic,
        method=load_params(ROOT / "params.yaml").method,
    )


def put(described, names):
    raw_files.write_zip(described / "raw" / "one.zip", {f"inside/{name}.skeleton": b"never read" for name in names})


@pytest.mark.parametrize(("names", "listed"), [(NAMES, 2), (NAMES[2:], 0)], ids=["with", "without"])
def test_a_whole_archive_with_or_without_the_missing_ones(described, names, listed):
    put(described, names)
    finding, plan = examine(described, "seven")
    assert plan.recordings == 5
    assert finding.advice == ""
    assert str(finding) == (
        f"ok    recordings of seven: 5 to read in {described / 'raw'}, besides {listed} of the 2 officially missing; "
        "expected 5 (7 less 2)"
    )


@pytest.mark.parametrize(
    ("names", "found", "advice"),
    [
        (NAMES[:-1], "4 to read", "get the archives again, 1 are not in them"),
        ([*NAMES, "S002C001P001R001A001"], "6 to read", "take 1 foreign ones out"),
        (
            [*NAMES[1:], "notes"],
            "1 unusable (first inside/notes.skeleton: the name",
            "get the archive again or raise max_broken",
        ),
        (["notes"], "1 unusable (first inside/notes.skeleton: the name", "put the recordings there"),
    ],
    ids=["one short", "one too many", "foreign name", "no recording"],
)
def test_other_counts(described, names, found, advice):
    put(described, names)
    finding, _ = examine(described, "seven")
    assert found in finding.found
    assert finding.advice.startswith(advice)
    assert bool(finding.advice) == bool(advice)


def test_strangers_and_a_second_archive_are_named_and_nothing_is_to_do(described):
    put(described, NAMES)
    raw_files.write_folder(described / "raw/one", {"README.txt": b""})
    with zipfile.ZipFile(described / "raw/one.zip", "a") as file:
        file.writestr("README.txt", b"about")
    finding, plan = examine(described, "seven")
    assert (plan.members, finding.advice) == (7, "")
    assert "1 no recordings (first README.txt: no recording)" in finding.found
    assert "1 not used (first one: one.zip is read instead)" in finding.found


def test_a_broken_and_a_missing_archive(described):
    finding, plan = examine(described, "seven")
    assert plan is None
    assert finding.found == f"{described / 'raw'} lacks one.zip"
    assert finding.advice.startswith("put one.zip there as distributed")
    put(described, NAMES)
    whole = (described / "raw/one.zip").read_bytes()
    (described / "raw/one.zip").write_bytes(whole[: len(whole) // 2])
    finding, plan = examine(described, "seven")
    assert plan is None
    assert "one.zip is no readable zip" in finding.found
    assert finding.expected == "5 (7 less 2)"
    assert finding.advice != ""


def test_synthetic_recordings_may_be_absent_or_of_any_number(described):
    assert examine(described, "seven", is_synthetic=True)[0].advice == ""
    put(described, NAMES[:4])
    finding, plan = examine(described, "seven", is_synthetic=True)
    assert (plan.recordings, finding.advice) == (2, "")


def test_videos_need_their_labels_and_a_place_in_the_list(described):
    videos = {f"{name}.txt": b"" for name in ("0002-L", "0003-M", "0005-R")}
    raw_files.write_folder(described / "raw", {"list.txt": b"training\n0002-L, 0003-M\ntest\n0005-R\n"})
    raw_files.write_folder(described / "raw/labels", videos)
    raw_files.write_folder(described / "raw/skeletons", videos)
    finding, plan = examine(described, "three")
    assert (plan.recordings, finding.advice, finding.expected) == (3, "", "3")
    (described / "raw/labels/0003-M.txt").unlink()
    finding, _ = examine(described, "three")
    assert "(first 0003-M.txt: has no label file)" in finding.found
    assert finding.advice.startswith("get the archives again, 1 are not in them")
    (described / "raw/list.txt").write_text("nothing")
    assert "line 2" in examine(described, "three")[0].found


def test_a_data_set_without_a_known_count(described):
    path = described / "seven.yaml"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith("expected")))
    put(described, NAMES[:6])
    finding, _ = examine(described, "seven")
    assert (finding.found.split(" in ")[0], finding.advice) == ("4 to read", "")
    assert finding.expected == "any number, seven.yaml names none"


@pytest.mark.parametrize("name", ["ntu60", "ntu120"])
def test_official_counts_fit_the_missing_list(root, name):
    dataset = DataSet.load(root / f"datasets/{name}.yaml")
    setups = {"ntu60": 17, "ntu120": 32}[name]
    assert dataset.expected.missing == sum(int(entry[1:4]) <= setups for entry in dataset.recordings.missing)
    assert (
        dataset.expected
        == {
            "ntu60": Expected(56880, 302, 5.8),
            "ntu120": Expected(114480, 535, 10.3),
        }[name]
    )


def test_packages_against_the_lock_file(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("# numpy==0.1\nnumpy==0.1\nno-such-package==3\npytest==" + pytest.__version__ + "\n")
    finding = environment.examine_packages(lock)
    assert finding.found.startswith("1 of 3 as pinned, not numpy 2.")
    assert finding.found.endswith("(0.1), no-such-package missing (3)")
    assert "make setup" in finding.advice
    lock.write_text(f"pytest=={pytest.__version__}+some.build\n")
    assert environment.examine_packages(lock).advice == ""
    assert "restore" in environment.examine_packages(tmp_path / "none.lock").advice
    assert environment.examine_python((3, 10, 4)).advice != ""
    assert environment.examine_python((3, 14, 0)).advice == ""


def test_disks_are_shared_by_their_places(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: type("Usage", (), {"free": 5.5e9}))
    (finding,) = checkup.examine_disk({tmp_path / "work": 2e9, tmp_path / "data/raw": 3e9})
    assert finding.advice == ""
    assert finding.expected.startswith("about 5.0 GB")
    (finding,) = checkup.examine_disk({tmp_path / "work": 3e9, tmp_path / "data/raw": 3e9})
    assert finding.found == "5.5 GB free"
    assert finding.advice != ""


def test_memory_is_for_the_backbone_or_for_the_features(root, monkeypatch):
    params = load_params(root / "params.yaml")
    monkeypatch.setattr(checkup.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(checkup.psutil, "virtual_memory", lambda: type("Memory", (), {"available": 2e9}))
    (finding,) = checkup.examine_memory(params, 0)
    assert finding.advice == ""
    assert finding.expected == "about 1.0 GB (the text encoder and one split's features)"
    (finding,) = checkup.examine_memory(replace(params, profile="paper"), 0)
    assert finding.advice != ""
    assert finding.expected.endswith("GB (the backbone's training)")
    (finding,) = checkup.examine_memory(params, 10**7)
    assert finding.found == "2.0 GB free"
    assert finding.expected.endswith("GB (the text encoder and one split's features)")
    assert finding.advice == "free memory or use a larger machine"


def test_memory_of_each_text_encoder_is_known_without_its_weights(root, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    scale = load_params(root / "params.yaml").scale
    for encoder, weights, measured in (
        ("minilm", "package", 0.35e9 + 0.1e9),
        ("clip", "openai", 0.38e9 + 0.25e9),
        ("clip:ViT-L-14", "openai", 0.58e9 + 0.5e9),
        (f"sbert:{_package_folder()}", "folder", 0.35e9 + 0.1e9),
        ("sbert:nowhere", "folder", 0),
    ):
        found = checkup.text_bytes(replace(scale, text_encoder=encoder, text_weights=weights))
        assert found == pytest.approx(measured, rel=0.15), encoder


def test_threads_and_device(root):
    params = load_params(root / "params.yaml")
    object.__setattr__(params.machine, "threads", 100_003)
    assert checkup.examine_device(params).advice.startswith("set machine.threads to ")


def test_clip_weights_are_looked_for_but_not_fetched(root, tmp_path, monkeypatch):
    scale = load_params(root / "params.yaml").profiles["paper"]
    monkeypatch.setenv("HOME", str(tmp_path))
    finding = checkup.examine_weights(scale)
    assert str(tmp_path / ".cache/clip/ViT-B-32.pt") in finding.found
    assert finding.advice != ""
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".cache/clip").mkdir(parents=True)
    (tmp_path / ".cache/clip/ViT-B-32.pt").write_bytes(b"half a download")
    assert (
        "and not 40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"
        in checkup.examine_weights(scale).found
    )


def test_other_encoders_are_looked_for_by_their_names(root, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    scale = load_params(root / "params.yaml").profiles["paper"]
    for encoder, weights, words in (
        ("clip:ViT-L-14", "openai", ".cache/clip/ViT-L-14.pt"),
        ("clip:ViT-L-14-336", "openai", ".cache/clip/ViT-L-14-336px.pt"),
        ("clip:ViT-L-14", "laion9", "a tag of open_clip (openai, laion400m_e31"),
        ("sbert:models/nowhere", "folder", "no folder models/nowhere"),
    ):
        finding = checkup.examine_weights(replace(scale, text_encoder=encoder, text_weights=weights))
        assert words in finding.found
        assert encoder in finding.expected
        assert finding.advice != ""
    place = shutil.copytree(_package_folder(), tmp_path / "folder")
    finding = checkup.examine_weights(replace(scale, text_encoder=f"sbert:{place}", text_weights="folder"))
    assert finding.found == f"{place / 'model.safetensors'}, names and shapes are checked when it is loaded"
    assert finding.advice == ""


def test_a_given_backbone_is_loaded_and_a_bad_one_said_in_a_sentence(root, monkeypatch):
    monkeypatch.chdir(root)
    params = load_params()
    entry = SplitEntry("ntu60", backbone_weights="nowhere/given.pt")
    params = replace(params, splits={"ntu60_48_12": params.splits["ntu60_48_12"], "ntu60_55_5": entry})
    findings = [each for each in checkup.examine(params) if each.subject.startswith("backbone")]
    assert [(each.subject, each.advice) for each in findings] == [
        ("backbone of ntu60_55_5", "do so and call this again")
    ]
    assert findings[0].found.startswith("nowhere/given.pt, the backbone_weights of split 'ntu60_55_5', is no file: put")
    monkeypatch.setattr(checkup, "load_given", lambda *_: SimpleNamespace(note="its note"))
    finding = checkup.examine_backbone(params, "ntu60_55_5")
    assert str(finding) == (
        "ok    backbone of ntu60_55_5: nowhere/given.pt, its note; expected a Shift-GCN of width 16 for its classes"
    )


def call(place):
    return subprocess.run(
        [sys.executable, "-m", "scople", "doctor"], cwd=place, capture_output=True, text=True, check=False
    )


@pytest.fixture
def workplace(root, tmp_path, described):
    """A folder like the repository's root with two data sets in a profile of its own, and nothing in place."""
    place = tmp_path / "place"
    (place / "datasets").mkdir(parents=True)
    for name in ("classes.csv", "missing.txt", "seven.yaml", "three.yaml"):
        shutil.copy(described / name, place / "datasets")
    lines = (root / "requirements.lock").read_text().splitlines()
    (place / "requirements.lock").write_text("\n".join(line for line in lines if line.startswith("pytest==")))
    document = yaml.safe_load((root / "params.yaml").read_text())
    document |= {"profile": "own", "datasets": {"seven": {"raw": "a"}, "three": {"raw": "b"}}, "splits": {}}
    document["profiles"]["own"] = document["profiles"]["demo"]
    document["machine"] |= {"threads": 1, "device": "cpu"}
    (place / "params.yaml").write_text(yaml.safe_dump(document))
    return place


@pytest.mark.slow
def test_every_line_is_printed_and_the_exit_code_says_whether_something_is_to_be_done(workplace):
    done = call(workplace)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    subjects = [line[6:].split(":")[0] for line in lines]
    assert subjects == [
        "Python", "packages", "recordings of seven", "recordings of three", "text weights", "device", "arithmetic",
        "memory", "disk",
    ]  # fmt: skip
    assert [line[:6].strip() for line in lines] == ["ok", "ok", "TO DO", "TO DO", *["ok"] * 5]
    assert "data 3.5" in lines[-1]
    assert done.stderr == "error: doctor: 2 of 9 checks ask for something: see TO DO above.\n"


def test_all_is_well(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    raw = workplace / "data/raw/own"
    raw_files.write_zip(raw / "a/one.zip", {f"{name}.skeleton": b"never read" for name in NAMES})
    videos = {f"{name}.txt": b"" for name in ("0002-L", "0003-M", "0005-R")}
    raw_files.write_folder(raw / "b", {"list.txt": b"training\n0002-L, 0003-M\ntest\n0005-R\n"})
    raw_files.write_folder(raw / "b/labels", videos)
    raw_files.write_folder(raw / "b/skeletons", videos)
    findings = list(checkup.examine(load_params()))
    assert [finding.advice for finding in findings] == [""] * 7
    assert doctor.conclude(findings) == "all 7 checks are well"
    assert not (workplace / "work").exists()


def test_without_the_packages_the_versions_are_still_said(workplace):
    (workplace / "psutil.py").write_text("raise ModuleNotFoundError('none here', name='psutil')\n")
    done = call(workplace)
    assert done.returncode == 1
    assert [line[6:].split(":")[0] for line in done.stdout.splitlines()] == ["Python", "packages"]
    assert done.stderr.startswith("error: doctor: psutil is not installed")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("kind", "lacking", "said"),
    [("portable", "", "portable"), ("native", "", "native"), ("portable", "this CPU has no AVX2", "differ in bytes")],
)
def test_arithmetic_is_said_and_stops_nothing(root, monkeypatch, kind, lacking, said):
    params = load_params(root / "params.yaml")
    params = replace(params, machine=replace(params.machine, arithmetic=kind, device="cpu"))
    monkeypatch.setattr(checkup, "why_not", lambda: lacking)
    finding = checkup.examine_arithmetic(params)
    assert said in finding.found
    assert lacking in finding.found
    assert finding.advice == ""
