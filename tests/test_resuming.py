"""A stage that is killed goes on, ends with the same bytes, and never with the state of something else."""

import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from test_stages import SPLIT, assert_one_sentence, call, contents, inside, workplace  # noqa: F401

from scople.base import artefacts
from scople.base.errors import ScopleError
from scople.base.params import load_params
from scople.pipeline import resuming, running
from scople.pipeline.resuming import resumable
from stages import features, parse, preflight, pretrain

pytestmark = pytest.mark.usefixtures("inside")

INPUT = Path("work/input/rows.npy")


def kept(params, *words, parts=("part",)):
    """Interrupt a stage after one more epoch of each training; the epoch that is kept, and the interrupt."""
    try:
        with resumable(params, *words, inputs=[INPUT.parent]) as checkpoint:
            for part in parts:
                found = checkpoint(part)
                history = found.restore({})
                found.save({}, [*history, {"epoch": len(history) + 1}], is_last=True)
            raise KeyboardInterrupt
    except KeyboardInterrupt as interrupt:
        return found.epoch, interrupt


@pytest.fixture
def params():
    INPUT.parent.mkdir(parents=True)
    INPUT.write_bytes(b"rows")
    return load_params()


def test_the_same_stage_goes_on(params):
    assert [kept(params, "pretrain", SPLIT)[0] for _ in range(3)] == [1, 2, 3]
    _, stopped = kept(params, "pretrain", SPLIT, parts=("gates", "training"))
    (note,) = stopped.__notes__
    assert note == "called again, it goes on after epoch 1 of gates and epoch 1 of training"  # the newest two


def test_how_fast_it_runs_does_not_matter(params):
    assert kept(params, "pretrain", SPLIT)[0] == 1
    assert kept(replace(params, machine=replace(params.machine, threads=7)), "pretrain", SPLIT)[0] == 2


@pytest.mark.parametrize("what", ["setting", "seed", "input", "split", "code", "torch", "another file"])
def test_nothing_else_meets_the_checkpoint(params, what, monkeypatch, tmp_path):
    for package in ("scople", "stages"):
        (tmp_path / "code" / package).mkdir(parents=True)
        (tmp_path / "code" / package / "module.py").write_text("one")
    monkeypatch.setattr(resuming, "CODE", tmp_path / "code")
    assert [kept(params, "pretrain", SPLIT)[0] for _ in range(2)] == [1, 2]
    if what == "setting":
        params = replace(params, method=replace(params.method, position_gradient="true"))
    elif what == "seed":
        params = replace(params, seed=2)
    elif what == "input":
        INPUT.write_bytes(b"sows")
    elif what == "another file":
        (INPUT.parent / "more").write_bytes(b"")
    elif what == "split":
        Path(f"datasets/splits/{SPLIT}.yaml").write_text("unseen: [3, 6]\n")
    elif what == "code":
        (tmp_path / "code/scople/module.py").write_text("two")
    else:
        monkeypatch.setattr(resuming.torch, "__version__", "0.0")
    assert kept(params, "pretrain", SPLIT)[0] == 1
    # Of the abandoned one nothing stays.
    assert len(list(Path(f".resume/pretrain/{SPLIT}").iterdir())) == 1


def test_what_ended_well_leaves_nothing(params):
    kept(params, "train", SPLIT, "scople")
    kept(params, "train", SPLIT, "no_prompts")
    with resumable(params, "train", SPLIT, "scople", inputs=[INPUT]):
        pass
    assert [path.name for path in Path(f".resume/train/{SPLIT}").iterdir()] == ["no_prompts"]


def test_a_full_disk_gives_one_sentence_and_leaves_the_outputs_of_before(monkeypatch, capsys):
    params = load_params()
    preflight.main(params)
    parse.main(params, "tiny")
    pretrain.main(params, SPLIT)
    before = contents(Path("work"))

    def full(tensors, path, metadata):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artefacts, "save_file", full)
    monkeypatch.setattr(sys, "argv", ["pretrain.py", SPLIT])
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit, match="1"):
        running.run(pretrain.main)
    signal.signal(signal.SIGTERM, handler)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    line = said.splitlines()[-1]  # lines of progress may stand before it
    assert re.fullmatch(r"error: pretrain: work/demo/backbone/\S+ cannot be written, the disk is full: free .*\.", line)
    assert contents(Path("work")) == before


def prepared(stage, epochs=41):
    """Everything before the stage, for trainings of a few seconds; the words to call it with."""
    document = yaml.safe_load(Path("params.yaml").read_text())
    document["profiles"]["demo"]["pretrain"]["epochs"] = epochs if stage == "pretrain" else 2
    document["profiles"]["demo"]["train"]["epochs"] = 211
    Path("params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    params = load_params()
    preflight.main(params)
    parse.main(params, "tiny")
    if stage == "train":
        pretrain.main(params, SPLIT)
        features.main(params, SPLIT)
        return ["stages.train", SPLIT, "1", "no_prompts"]
    return ["stages.pretrain", SPLIT]


OUTPUTS = {"pretrain": ["backbone", "history/backbone"], "train": ["ablations/model", "ablations/history/scople"]}


def taken(stage):
    """What the stage wrote, removed as DVC removes it before it calls the stage again."""
    found = {}
    for folder in OUTPUTS[stage]:
        if (path := Path("work/demo") / folder).exists():
            found |= {f"{folder}/{name}": content for name, content in contents(path).items()}
            shutil.rmtree(path)
    return found


def started(words):
    return subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def checkpoints():
    """Every checkpoint that is written whole and when that was, in nanoseconds."""
    found = {}
    with suppress(FileNotFoundError):  # the stage may be tidying up meanwhile
        whole = (path for path in Path(".resume").rglob("*.pt") if path.parent.suffix != ".partial")
        for path in whole:
            found[path] = path.stat().st_mtime_ns
    return found


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["pretrain", "train"])
def test_killed_at_ten_moments_it_ends_with_the_bytes_of_an_undisturbed_run(stage):
    words = prepared(stage)
    start = time.monotonic()
    done = call(Path.cwd(), *words)
    duration = time.monotonic() - start
    assert done.returncode == 0, done.stderr
    undisturbed = taken(stage)
    assert undisturbed
    moments = random.Random(1)
    killed = went_on = 0
    while killed < 10:
        before = checkpoints()
        process = started(words)
        seconds = moments.uniform(0.3, 1) * duration
        if killed % 2:  # not before it has got further, however slow the machine is today
            while process.poll() is None and checkpoints() == before:
                time.sleep(0.02)
            seconds *= 0.1
        try:
            process.communicate(timeout=seconds)
            taken(stage)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += 1
            went_on += bool(checkpoints())
    assert went_on >= 3
    assert call(Path.cwd(), *words).returncode == 0
    assert taken(stage) == undisturbed
    assert not checkpoints()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_it_within_seconds_and_says_where_it_goes_on(number, code):
    words = prepared("pretrain", epochs=4001)  # it must not end before the signal comes
    process = started(words)
    while process.poll() is None and not any(checkpoints()):
        time.sleep(0.05)
    process.send_signal(number)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Traceback" not in said
    sentence = r"error: pretrain: interrupted; called again, it goes on after epoch \d+ of backbone 1\."
    assert re.fullmatch(sentence, said.splitlines()[-1]), said
    assert taken("pretrain") == {}


@pytest.mark.slow
def test_a_stage_that_is_not_shared_refuses_torchrun(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert_one_sentence(call(Path.cwd(), "stages.parse", "tiny"), "one process", "without torchrun")


@pytest.mark.parametrize("place", [".resume", ".resume/pretrain"])
def test_a_file_in_the_place_of_the_checkpoints_is_refused(params, place):
    Path(place).parent.mkdir(exist_ok=True)
    Path(place).write_text("")
    with pytest.raises(ScopleError, match=f"^{place} is a file, but must be a folder of checkpoints: remove it"):
        kept(params, "pretrain", SPLIT)
