"""The repository under DVC itself, at a tiny scale: what re-runs, what repeats, what a remote brings back."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

SPLITS = ["ntu60_55_5", "ntu60_48_12"]
TINY = {
    "datasets": {"ntu60": {"raw": "ntu"}},
    "splits": {name: {"dataset": "ntu60"} for name in SPLITS},
    "demo": {"training_samples": 2, "test_samples": 1, "shortest": 16, "longest": 18},
}
SCALE = {
    "frames": 12,
    "pretrain": {"width": 4, "epochs": 1, "batch_size": 32, "learning_rate": 0.1, "milestones": []},
    "train": {"epochs": 1, "batch_size": 64, "learning_rate": 0.003},
}
AUTHOR = {f"GIT_{who}_{what}": f"{who}@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def call(place, *words, **environment):
    """A command inside a project, with the project's own code; gives what it printed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        words,
        cwd=place,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(place)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make_project(root, place):
    """The repository's tracked files at a tiny scale, in a git repository of its own."""
    for name in subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=root, text=True).split(
        "\n"
    ):
        if (
            name
            and (root / name).is_file()
            and not name.startswith(("ablations/", "baselines/", "results/", "tests/"))
            and not name.endswith("dvc.lock")
        ):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, place / name)
    document = yaml.safe_load((place / "params.yaml").read_text()) | TINY
    demo = document["profiles"]["demo"]
    demo |= {key: demo[key] | value if isinstance(value, dict) else value for key, value in SCALE.items()}
    (place / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    call(place, "git", "init", "-q")
    commit(place)


def commit(place):
    call(place, "git", "add", "-A")
    call(place, "git", "commit", "-qm", "state", **AUTHOR)


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    """A project whose pipeline has run once."""
    place = tmp_path_factory.mktemp("finished")
    make_project(root, place)
    call(place, "dvc", "repro")
    commit(place)
    return place


@pytest.fixture
def project(finished, tmp_path):
    """A copy of it, to be changed."""
    place = tmp_path / "project"
    shutil.copytree(finished, place, symlinks=True)
    return place


def would_run(place, *words):
    """Names of the stages that `dvc repro` would run."""
    printed = call(place, "dvc", "repro", "--dry", *words)
    return set(re.findall(r"Running stage '([^']+)'", printed))


def edit(place, name, old, new):
    text = (place / name).read_text()
    assert old in text
    (place / name).write_text(text.replace(old, new))


def checkpoints(place):
    """Those that are written whole."""
    return [path for path in (place / ".resume").rglob("*.pt") if path.parent.suffix != ".partial"]


pytestmark = pytest.mark.slow


def test_second_run_does_nothing_and_git_is_clean(finished):
    assert "up to date" in call(finished, "dvc", "repro")
    assert call(finished, "git", "status", "--porcelain") == ""


def verify(place, verb):
    words = (sys.executable, "-m", "scople", "verify", verb)
    return subprocess.run(words, cwd=place, capture_output=True, text=True, check=False)


def test_verify_compares_bytes_where_they_have_to_be_the_same(project):
    assert "compared bytes" in verify(project, "check").stdout
    path = project / f"results/demo/metrics/{SPLITS[0]}.json"
    metrics = json.loads(path.read_text())
    path.write_text(json.dumps(metrics | {"seen": metrics["seen"] + 0.01}))
    here = verify(project, "check")
    assert here.returncode == 1
    assert "1 files differ" in here.stderr
    edit(project, "results/demo/machine.json", '"threads": "1"', '"threads": "3"')
    call(project, "git", "commit", "-qm", "another machine", "results/demo/machine.json", **AUTHOR)
    elsewhere = verify(project, "check")
    assert "compared means over splits, not bytes" in elsewhere.stdout
    assert "threads 3 there, 1 here" in elsewhere.stdout
    for split in SPLITS:  # the same step everywhere leaves no room for chance
        path = f"results/demo/metrics/{split}.json"
        committed = json.loads(call(project, "git", "show", f"HEAD:{path}"))
        (project / path).write_text(json.dumps(committed | {"seen": committed["seen"] + 1.5}))
    apart = verify(project, "check")
    assert apart.returncode == 1
    assert "seen differs by +1.5 in the mean over 2 splits" in apart.stderr


def test_layer_depth_runs_training_evaluation_export_and_tables_again(project):
    edit(project, "params.yaml", "layer_depth: 3", "layer_depth: 2")
    again = {name.split("@")[0] for name in would_run(project)}
    # A dry run cannot know that the pictures will get other numbers.
    assert again == {"preflight", "train", "evaluate", "export", "tables"}
    call(project, "dvc", "repro", f"evaluate@{SPLITS[0]}")
    path = f"results/demo/metrics/{SPLITS[0]}.json"
    shown = call(project, "dvc", "metrics", "diff", "--all", "--targets", path)
    assert all(re.search(rf"{path} +{metric} ", shown) for metric in ("zsl", "seen", "unseen", "harmonic")), shown
    rest = {f"train@{SPLITS[1]}-1", f"evaluate@{SPLITS[1]}", *(f"export@{split}" for split in SPLITS)}
    assert would_run(project) == rest | {"tables", "figures"}


def test_other_classes_of_a_split_run_that_split_alone(project):
    path = project / f"datasets/splits/{SPLITS[1]}.yaml"
    document = yaml.safe_load(path.read_text())
    document["unseen"][0] = next(i for i in range(1, 61) if i not in document["unseen"])
    document.pop("pseudo_unseen", None)
    path.write_text(yaml.safe_dump(document))
    stages = would_run(project) - {"preflight"}  # which reads every split, and changes nothing that others read
    assert {name for name in stages if SPLITS[1] not in name} == set()
    assert f"pretrain@{SPLITS[1]}" in stages


def test_a_setting_of_the_other_profile_runs_nothing(project):
    document = yaml.safe_load((project / "params.yaml").read_text())
    document["profiles"]["paper"]["train"]["epochs"] += 1
    document["machine"]["jobs"] = 1
    (project / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    assert would_run(project) == set()


def test_same_bytes_whatever_the_surroundings(root, finished, tmp_path):
    """Another folder, hash seed and number of threads in the environment; no cache to take anything from."""
    place = tmp_path / "elsewhere" / "deeper"
    place.mkdir(parents=True)
    make_project(root, place)
    call(place, "dvc", "repro", PYTHONHASHSEED="4711", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", TZ="Asia/Tokyo")
    # DVC writes a new lock in the order in which it ran the stages, and that does depend on the hash seed.
    locks = [yaml.safe_load((folder / "dvc.lock").read_text()) for folder in (place, finished)]
    assert locks[0] == locks[1]
    for path in sorted((finished / "results").rglob("*.*")):
        assert (place / path.relative_to(finished)).read_bytes() == path.read_bytes(), path


def test_a_remote_brings_everything_back(project, tmp_path):
    call(project, "dvc", "remote", "modify", "demo", "url", str(tmp_path / "remote"))
    commit(project)
    call(project, "dvc", "push")
    call(project, "git", "tag", "-a", "ntu60-55-5@v0.1.0", "-m", "a version", **AUTHOR)
    call(tmp_path, "git", "clone", "-q", str(project), "clone")
    clone = tmp_path / "clone"
    call(clone, "dvc", "artifacts", "get", ".", "ntu60-55-5", "-o", str(tmp_path / "model"))
    model = project / "work/demo/models/ntu60_55_5"
    for path in (model / "model.safetensors", model / "config.json", model / "README.md"):
        assert (tmp_path / "model" / path.name).read_bytes() == path.read_bytes()
    assert "nothing would run" in verify(clone, "lock").stdout  # the lock alone says so
    edit(clone, "params.yaml", "alpha: 0.5", "alpha: 0.4")
    stale = verify(clone, "lock")
    assert stale.returncode == 1
    assert "stage preflight would run" in stale.stderr  # it checks every setting, so it is the first to tell
    call(clone, "git", "checkout", "-q", "params.yaml")
    call(clone, "dvc", "pull")
    assert "up to date" in call(clone, "dvc", "repro")
    assert (clone / "work/demo/corpus/ntu60/index.csv").exists()
    assert call(clone, "git", "status", "--porcelain") == ""


def test_what_a_profile_makes_goes_to_no_other_remote(project, tmp_path):
    call(project, "dvc", "remote", "add", "-d", "lab", str(tmp_path / "lab"))
    call(project, "dvc", "push")
    assert not (tmp_path / "lab").exists()
    assert (project / ".dvc/remotes/demo").is_dir()  # a folder of the clone, until somebody names another place
    assert call(project, "git", "status", "--porcelain", "work", "results") == ""


def test_experiment_leaves_the_workspace_of_git_alone(project):
    printed = call(project, "dvc", "exp", "run", "--temp", "--name", "deep", "-S", "layer_depth=2")
    assert "deep" in printed
    ran = set(re.findall(r"Running stage '(\w+)", printed))
    assert ran <= {"preflight", "train", "evaluate", "export", "tables", "figures"}
    assert call(project, "git", "status", "--porcelain") == ""
    shown = call(project, "dvc", "metrics", "diff", "HEAD", "deep", "--all", "--no-path")
    assert "zsl" in shown


def test_ctrl_c_stops_the_pipeline_within_seconds_and_it_goes_on(project):
    document = yaml.safe_load((project / "params.yaml").read_text())
    document["profiles"]["demo"]["train"]["epochs"] = 15
    (project / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    words = ("dvc", "repro", f"train@{SPLITS[0]}-1")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    process = subprocess.Popen(
        words,
        cwd=project,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(project)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    while process.poll() is None and not any(checkpoints(project)):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # a terminal's Ctrl-C reaches DVC and the stage alike
    said, _ = process.communicate(timeout=20)
    assert process.returncode != 0
    assert re.search(r"error: train: interrupted; called again, it goes on after epoch \d+ of training\.", said), said
    assert "Traceback" not in said
    assert any(checkpoints(project))
    assert "train ntu60_55_5 1: loss" in call(project, *words)
    assert not any(checkpoints(project))
