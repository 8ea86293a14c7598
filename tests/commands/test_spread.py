"""Stages beside each other: chains, order, failures, killed workers; the same bytes as one after the other."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from scople.base.errors import ScopleError
from scople.base.params import load_params
from scople.commands.spread import Spread, collect, cores, main, share_out_gpus, to_chains

NEEDS = {
    "raw": set(),
    "parse": {"raw"},
    "pretrain@a": {"parse"},
    "pretrain@b": {"parse"},
    "features@a": {"pretrain@a", "parse"},
    "features@b": {"pretrain@b", "parse"},
    "evaluate@a": {"features@a"},
    "evaluate@b": {"features@b"},
    "tables": {"evaluate@a", "evaluate@b"},
}

DVC = """#!{python}
import os, sys, time
stages = [word for word in sys.argv[1:] if not word.startswith("-") and word != "repro"]
for stage in stages:
    with open("log", "a") as log:
        log.write(f"{{time.monotonic()}} begin {{stage}} {{os.environ.get('CUDA_VISIBLE_DEVICES', '-')}}\\n")
    print("made", stage, flush=True)
    if os.path.exists(f"{{stage}}.fails"):
        sys.exit(open(f"{{stage}}.fails").read() or "no such luck")
    if os.path.exists(f"{{stage}}.dies"):
        os.remove(f"{{stage}}.dies")
        os.kill(os.getpid(), 9)
    time.sleep(0.2)
    with open("log", "a") as log:
        log.write(f"{{time.monotonic()}} end {{stage}} -\\n")
"""


@pytest.fixture
def dvc(tmp_path, monkeypatch):
    """A stand-in for DVC that writes down which stage began and ended when."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "dvc"
    program.write_text(DVC.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def log():
    """(begin or end, stage, GPU) in the order of time."""
    return [
        line.split()[1:] for line in sorted(Path("log").read_text().splitlines(), key=lambda x: float(x.split()[0]))
    ]


def spread(workers=2, gpus=()):
    Spread(NEEDS, to_chains(NEEDS), ["dvc", "--wait-for-lock", "repro"], workers, gpus).run()


@pytest.fixture
def params(root):
    return load_params(root / "params.yaml")


def machine(params, **settings):
    return replace(params, machine=replace(params.machine, **({"device": "auto"} | settings)))


def test_a_chain_goes_on_while_nothing_else_waits_for_its_last_stage():
    assert to_chains(NEEDS) == [
        ["raw", "parse"],
        ["pretrain@a", "features@a", "evaluate@a"],
        ["pretrain@b", "features@b", "evaluate@b"],
        ["tables"],
    ]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_stage_runs_once_and_after_what_it_needs(dvc, workers):
    spread(workers)
    done = []
    for what, stage, _ in log():
        if what == "begin":
            assert NEEDS[stage] <= set(done)
        else:
            done.append(stage)
    assert sorted(done) == sorted(NEEDS)


def test_two_workers_work_at_the_same_time(dvc):
    spread(2)
    open_at_once, most = set(), 0
    for what, stage, _ in log():
        (open_at_once.add if what == "begin" else open_at_once.discard)(stage)
        most = max(most, len(open_at_once))
    assert most == 2


def test_each_worker_has_gpus_of_its_own(dvc):
    spread(2, gpus=["0,1", "2,3"])
    gpu = {stage: number for what, stage, number in log() if what == "begin"}
    assert {gpu["evaluate@a"], gpu["evaluate@b"]} == {"0,1", "2,3"}


@pytest.mark.parametrize(
    ("visible", "count", "processes", "shares"),
    [
        (None, 2, 1, ["0", "1"]),
        ("4,5,6,7", 4, 1, ["4", "5", "6", "7"]),
        ("GPU-8932f937, GPU-51a2", 2, 1, ["GPU-8932f937", "GPU-51a2"]),
        ("4,-1,5", 1, 1, ["4"]),  # CUDA stops at the first that is none
        (None, 4, 2, ["0,1", "2,3"]),
        ("4,5,6", 3, 2, ["4,5"]),
        (None, 0, 2, []),
    ],
)
def test_gpus_are_those_that_the_user_lets_be_seen(params, monkeypatch, visible, count, processes, shares):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    assert share_out_gpus(machine(params, processes=processes)) == shares
    assert share_out_gpus(machine(params, processes=processes, device="cpu")) == []


def test_too_few_gpus_for_one_backbone_are_one_sentence(params, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(ScopleError, match="^machine.processes is 2, but the GPUs that may be used are 1: set it to"):
        share_out_gpus(machine(params, processes=2))


def test_processes_that_share_a_backbone_share_the_cores(params, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    assert [cores(machine(params, threads=2, processes=number)) for number in (1, 4, 32)] == [8, 2, 1]


def test_lines_of_workers_beside_each_other_say_whose_they_are(dvc, capsys):
    spread(2)
    said = capsys.readouterr().out.splitlines()
    assert {"pretrain@a | made features@a", "pretrain@b | made features@b", "tables | made tables"} <= set(said)


def test_a_worker_alone_says_no_name(dvc, capsys):
    spread(1)
    assert "made features@a" in capsys.readouterr().out.splitlines()


def test_of_a_bar_the_last_state_is_passed_on(dvc, capsys):
    drawn = r"a:  0%%\ra: 99%%\ra: 100%%\r\nend \351\n"
    (dvc / "bin" / "dvc").write_text(f"#!/bin/sh\nprintf '{drawn}'\n")
    Spread({"a": set(), "b": set()}, [["a"], ["b"]], ["dvc"], 2, []).run()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("a |")]
    assert lines == ["a | a: 100%", r"a | end \xe9"]


def test_a_failure_is_named_and_nothing_new_begins(dvc):
    Path("features@a.fails").touch()
    with pytest.raises(ScopleError, match="^pretrain@a failed, see above; 5 of 9 stages are done"):
        spread()
    assert "tables" not in {stage for _, stage, _ in log()}


def test_a_killed_worker_is_replaced_once(dvc, capsys):
    Path("features@a.dies").touch()
    spread()
    begun = [stage for what, stage, _ in log() if what == "begin"]
    assert begun.count("pretrain@a") == 2  # DVC itself would skip it
    assert "pretrain@a was killed, it is begun once more" in capsys.readouterr().out


THROUGH = """#!/bin/sh
"$@"
code=$?
echo "srun: error: task 0: exited with code $code"
exit {}
"""


def through(place, code):
    """What the workers print and how they end is wrapped in a program, as Slurm does it."""
    program = place / "bin" / "srun"
    program.write_text(THROUGH.format(code))
    program.chmod(0o755)
    Spread(NEEDS, to_chains(NEEDS), ["srun", "dvc", "repro"], 2, []).run()


def test_a_worker_killed_under_another_program_is_replaced_once(dvc, capsys):
    Path("features@a.dies").touch()
    through(dvc, "$code")  # 137
    assert "pretrain@a was killed, it is begun once more" in capsys.readouterr().out


def test_a_failure_under_another_program_is_no_kill(dvc):
    Path("features@a.fails").touch()
    with pytest.raises(ScopleError, match="^pretrain@a failed"):
        through(dvc, "$((code ? 255 : 0))")  # DVC's code
    assert [stage for what, stage, _ in log() if what == "begin"].count("pretrain@a") == 1


@pytest.mark.parametrize(("code", "times"), [(-9, 2), (137, 2), (1, 1)])
def test_a_stage_killed_under_dvc_is_begun_once_more(dvc, code, times):
    Path("features@a.fails").write_text(f"ERROR: failed to reproduce 'x': failed to run: x, exited with {code}")
    with pytest.raises(ScopleError, match="^pretrain@a failed"):
        through(dvc, "$((code ? 255 : 0))")
    assert [stage for what, stage, _ in log() if what == "begin"].count("pretrain@a") == times


STUBBORN = """#!{python}
import os, signal, sys, time
def noted(number, _):
    open(f"{{sys.argv[-1]}}.told", "w").write(str(time.monotonic()))
signal.signal(signal.SIGINT, noted)
with open(f"{{sys.argv[-1]}}.pid", "w") as file:
    file.write(str(os.getpid()))
time.sleep(60)
"""


def test_interrupted_twice_all_workers_are_told_at_once_and_none_is_left_behind(dvc, monkeypatch):
    (dvc / "bin" / "dvc").write_text(STUBBORN.format(python=sys.executable))
    monkeypatch.setattr("scople.commands.spread.ENDINGS", ((signal.SIGINT, 3), (signal.SIGTERM, 30)))

    def interrupt():
        for wanted in ("*.pid", "*.told"):
            while len([each for each in Path().glob(wanted) if each.read_text()]) < 2 and not over.wait(0.05):
                pass
            os.kill(os.getpid(), signal.SIGINT)

    over = threading.Event()
    threading.Thread(target=interrupt).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            Spread({"a": set(), "b": set()}, [["a"], ["b"]], ["dvc"], 2, []).run()
        told = [float(Path(f"{stage}.told").read_text()) for stage in "ab"]
        assert abs(told[0] - told[1]) < 2
        left = [int(each.read_text()) for each in Path().glob("*.pid") if psutil.pid_exists(int(each.read_text()))]
        assert not left
    finally:
        over.set()
        for each in Path().glob("*.pid"):
            with suppress(ProcessLookupError):
                os.kill(int(each.read_text()), signal.SIGKILL)


def test_another_program_may_start_the_workers(dvc, monkeypatch):
    monkeypatch.setattr("scople.commands.spread.collect", lambda targets, all_of_them: NEEDS)
    monkeypatch.setattr("scople.commands.spread.unfinished", lambda stages: [])
    monkeypatch.setattr("scople.commands.spread.load_params", lambda: None)
    program = dvc / "bin" / "srun"
    program.write_text('#!/bin/sh\necho "$1" >> starts\nshift\nexec "$@"\n')
    program.chmod(0o755)
    assert main(["dvc.yaml"], through=["srun", "--gpus=1"]).startswith("everything is up to date, 9 stages ran")
    assert Path("starts").read_text() == "--gpus=1\n" * len(to_chains(NEEDS))


def test_a_program_that_does_not_wait_is_told_from_one_that_does(dvc, monkeypatch):
    monkeypatch.setattr("scople.commands.spread.collect", lambda targets, all_of_them: NEEDS)
    monkeypatch.setattr("scople.commands.spread.unfinished", lambda stages: list(NEEDS))
    monkeypatch.setattr("scople.commands.spread.load_params", lambda: None)
    with pytest.raises(ScopleError, match="^`true -x` returned before raw, parse, pretrain@a and 6 more of 9 stages"):
        main(["dvc.yaml"], through=["true", "-x"])
    assert not Path("log").exists()  # nothing is computed here instead


PIPELINE = """
stages:
  first:
    cmd: echo first > first.txt
    outs: [first.txt]
  work:
    foreach: [a, b, c]
    do:
      cmd: sleep 3 && cat first.txt > ${item}.txt && echo ${item} >> ${item}.txt
      deps: [first.txt]
      outs: ["${item}.txt"]
  gather:
    cmd: cat a.txt b.txt c.txt > all.txt
    deps: [a.txt, b.txt, c.txt]
    outs: [all.txt]
"""


def real(root, place):
    """A small DVC repository."""
    place.mkdir()
    for words in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        subprocess.run(words, cwd=place, check=True)
    (place / "params.yaml").write_text((root / "params.yaml").read_text())
    (place / "dvc.yaml").write_text(PIPELINE)
    return place


def begin(place):
    words = [sys.executable, "-m", "scople", "spread", "--workers", "2"]
    return subprocess.Popen(words, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.slow
def test_interrupted_killed_and_called_again_it_ends_with_the_bytes_of_dvc_repro(root, tmp_path):
    place = real(root, tmp_path / "spread")
    process = begin(place)
    time.sleep(12)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    process = begin(place)
    time.sleep(10)
    for worker in psutil.Process(process.pid).children():
        if "--single-item" in (words := worker.cmdline()) and words[-1].startswith("work@"):
            worker.kill()
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    said, _ = begin(place).communicate(timeout=60)
    assert "spread: 0 stages to run" in said
    alone = real(root, tmp_path / "alone")
    subprocess.run(["dvc", "repro", "-q"], cwd=alone, check=True)
    assert (place / "all.txt").read_bytes() == (alone / "all.txt").read_bytes()
    lines = [sorted((folder / "dvc.lock").read_text().splitlines()) for folder in (place, alone)]
    assert lines[0] == lines[1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # a library of DVC's
def test_what_a_program_has_left_undone_is_not_computed_here(root, tmp_path, monkeypatch):
    monkeypatch.chdir(real(root, tmp_path / "place"))
    with pytest.raises(ScopleError, match="^`true` returned before first, work@a, work@b and 2 more of 5 stages"):
        main(["dvc.yaml"], through=["true"])
    assert not Path("first.txt").exists()


ALWAYS = """
stages:
  stamp:
    cmd: date +%N > stamp.txt
    always_changed: true
    outs: [stamp.txt]
  call:
    cmd: echo called
  use:
    cmd: cp stamp.txt used.txt
    deps: [stamp.txt]
    outs: [used.txt]
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # a library of DVC's
def test_stages_that_always_run_do_not_count_as_left_undone(root, tmp_path, monkeypatch):
    place = real(root, tmp_path / "place")
    (place / "dvc.yaml").write_text(ALWAYS)
    monkeypatch.chdir(place)
    assert "3 stages ran" in main(["dvc.yaml"], through=["env"])


@pytest.mark.slow
def test_an_unknown_target_is_one_sentence(root, tmp_path):
    place = real(root, tmp_path / "place")
    words = [sys.executable, "-m", "scople", "spread", "nothing"]
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: spread: DVC says: ")
    assert "Traceback" not in done.stderr


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # a library of DVC's
def test_the_stages_of_this_repository_make_chains(root, monkeypatch):
    monkeypatch.chdir(root)
    needs = collect(["dvc.yaml"], all_of_them=True)
    chains = to_chains(needs)
    assert ["pretrain@pku_46_5_r1", "features@pku_46_5_r1", "train@pku_46_5_r1-1", "evaluate@pku_46_5_r1"] in chains
    assert sorted(stage for chain in chains for stage in chain) == sorted(needs)
