"""Do the locks belong to this code, and did a forced re-run give what is committed?

`make lock` calls `lock`: without data and in seconds. `make verify` re-runs everything and calls `check`: bytes on the
type of machine that made the results, metrics within bounds elsewhere. `record` writes that machine down beside results
that are about to be committed.
"""

import json
import math
import platform
import re
import subprocess
from pathlib import Path

import torch

from scople.errors import ScopleError
from scople.files import whole
from scople.params import Params
from stages.running import device, run

TRACKED = ("dvc.lock", "datasets/demo/dvc.lock", "ablations/dvc.lock", "results")
BOUNDS = {"zsl": 20.0, "seen": 35.0, "unseen": 40.0, "harmonic": 30.0}
"""Bounds in percentage points of one number where rounding differs; a mean over n splits may be off by bound / sqrt(n).

They are wide, for the demo has 50 to 240 unseen test samples a split and a gate that a few of them turn: three standard
deviations of what AVX2 in place of AVX-512 did to eight of its splits."""


def main(params: Params, verb: str) -> str:
    """Say whether it holds, in one sentence."""
    if verb not in (verbs := {"lock": lock, "record": record, "check": check}):
        raise ScopleError(f"verify was asked to '{verb}', but knows {', '.join(verbs)}: choose one of them.")
    return verbs[verb](params)


def lock(params: Params) -> str:
    """Whether the committed locks are those of this code, these settings and these data files.

    Raises:
        ScopleError: a stage would run.
    """
    words = ("dvc", "repro", "--all-pipelines", "--allow-missing", "--dry")
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    # Without the data a stage that would run can not even be looked at: DVC then fails on it.
    if stale := re.findall(r"(?:Running stage|failed to reproduce) '(.+?)'", done.stdout + done.stderr):
        raise ScopleError(
            f"the locks are older than the code or the settings, stage {stale[0]} would run: call `make repro` and "
            "`make ablations` and commit what they write."
        )
    if done.returncode:
        raise ScopleError(f"`{' '.join(words)}` failed ({done.stderr.strip().splitlines()[-1]}): mend that first.")
    return f"nothing would run in profile {params.profile}: the locks belong to this code"


def record(params: Params) -> str:
    """Write down the machine that made the results."""
    here = machine(params)
    with whole(_recorded(params)) as beside:
        beside.write_text(json.dumps(here, indent=2) + "\n")
    return f"{_recorded(params)} names this machine: {', '.join(here.values())}"


def check(params: Params) -> str:
    """Compare the working tree with the last commit.

    Raises:
        ScopleError: bytes differ on the machine type that made them, or metrics by too much on another one.
    """
    if not _recorded(params).exists():
        raise ScopleError(f"{_recorded(params)}, which names the machine of the results, is missing: restore it.")
    here, there = machine(params), json.loads(_recorded(params).read_text())
    changed = [line[3:] for line in call("git", "status", "--porcelain", "--", *TRACKED).splitlines()]
    if not changed:
        return f"compared bytes: {', '.join(TRACKED)} are identical to the last commit"
    if here == there:
        raise ScopleError(
            f"{len(changed)} files differ from the last commit on the machine type that made them, {changed[0]} first: "
            "see `git diff` and commit what the code now gives, or mend what is not deterministic."
        )
    differing = ", ".join(
        f"{key} {there.get(key)} there, {here[key]} here" for key in here if here[key] != there.get(key)
    )
    said = []
    for metric, differences in metric_differences(changed).items():
        bound = BOUNDS[metric.removesuffix("_std")]
        bound_of_mean = bound / math.sqrt(len({split for split, _ in differences}))
        worst = max(abs(difference) for _, difference in differences)
        mean = abs(sum(difference for _, difference in differences) / len(differences))
        if worst > bound or mean > bound_of_mean:
            raise ScopleError(
                f"{metric} differs by up to {worst:.1f} points and by {mean:.1f} in the mean, more than the "
                f"{bound:g} and {bound_of_mean:.1f} that another machine ({differing}) explains: see `git diff`."
            )
        said.append(f"{metric} at most {worst:.1f} (bound {bound:g}), in the mean {mean:.1f} ({bound_of_mean:.1f})")
    return f"compared metrics, not bytes, as the machine is another one ({differing}); differences in points: " + (
        "; ".join(said) or "none"
    )


def machine(params: Params) -> dict[str, str]:
    """What decides the rounding of floating-point numbers."""
    where = device(params)
    cpu = next(
        (line.split(":")[1].strip() for line in _cpu_lines() if line.startswith("model name")), platform.processor()
    )
    return {
        "device": cpu if where.type == "cpu" else torch.cuda.get_device_name(where),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "threads": str(params.machine.threads),
    }


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def metric_differences(changed: list[str]) -> dict[str, list[tuple[str, float]]]:
    """Metric → split and difference to the committed number, in percentage points, for each file that changed.

    Raises:
        ScopleError: a metric file is new, or has other metrics than the committed one.
    """
    differences: dict[str, list[tuple[str, float]]] = {}
    for name in (name for name in changed if "/metrics/" in name):
        now, committed = json.loads(Path(name).read_text()), json.loads(call("git", "show", f"HEAD:{name}"))
        if now.keys() != committed.keys():
            raise ScopleError(f"{name} has other metrics than the committed one: commit it, or restore it from git.")
        for metric in now:
            differences.setdefault(metric, []).append((Path(name).stem, now[metric] - committed[metric]))
    return differences


def call(*words: str) -> str:
    """What a command prints.

    Raises:
        ScopleError: it failed, for instance outside of a repository.
    """
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().splitlines()[-1]
        raise ScopleError(f"`{' '.join(words)}` failed ({reason}): mend that first.")
    return done.stdout


def _recorded(params: Params) -> Path:
    return Path("results") / params.profile / "machine.json"


if __name__ == "__main__":
    run(main)
