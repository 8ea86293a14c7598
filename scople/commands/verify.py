"""Do the locks belong to this code, and did a forced re-run give what is committed?

`make lock` calls `lock`: without data and in seconds. `make verify` re-runs everything and calls `check`: it compares
bytes where portable arithmetic holds on both sides, otherwise means over the splits.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd

from scople.base.arithmetic import PORTABLE_DEVICE, machine
from scople.base.artefacts import load_flat_json, load_table
from scople.base.errors import ScopleError
from scople.base.params import Params
from scople.judging.certainty import Mean, paired_difference
from scople.pipeline.layout import Layout
from scople.pipeline.running import device

RESTORE = "run `dvc repro`, or restore it with git"
LOSSES = {"split": str, "backbone_loss": float, "backbone_accuracy": float, "loss": float}
"""Columns of losses.csv with their types."""

PIPELINES = ("dvc.yaml", "datasets/demo/dvc.yaml", "ablations/dvc.yaml", "baselines/dvc.yaml")
TRACKED = (*(pipeline.replace(".yaml", ".lock") for pipeline in PIPELINES), "results")
ERRORS = 4.0
"""By how many standard errors a mean may differ where rounding does; by chance one mean in 600 does, of 13 splits."""

EXACT = ("test_samples", "chance", "texts")
"""What lies beside a metrics file and depends on no rounding."""

UNTRAINED = 0.002
"""By how many nats `untrained_loss` may differ: a hundred times what other rounding does before any training."""


def main(params: Params, verb: str) -> str:
    """Say whether it holds, in one sentence."""
    if verb not in (verbs := {"lock": lock, "check": check}):
        raise ScopleError(f"verify was asked to '{verb}', but knows {', '.join(verbs)}: choose one of them.")
    return verbs[verb](params)


def lock(params: Params) -> str:
    """Whether the committed locks are those of this code, these settings and these data files.

    A pipeline without a lock was never run. There is nothing to check then, and the sentence says so.

    Raises:
        ScopleError: a stage would run.
    """
    never = [pipeline for pipeline, path in zip(PIPELINES, TRACKED, strict=False) if not Path(path).exists()]
    words = ("dvc", "repro", "--allow-missing", "--dry", *(each for each in PIPELINES if each not in never))
    done = _called(*words)
    # Without the data DVC cannot look at a stage that would run, and fails on it.
    if stale := re.findall(r"(?:Running stage|failed to reproduce) '(.+?)'", done.stdout + done.stderr):
        raise ScopleError(
            f"the locks are older than the code or the settings, stage {stale[0]} would run: call `make repro`, `make "
            "ablations` and `make baselines` and commit what they write."
        )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["without a word"])[-1]
        raise ScopleError(f"`{' '.join(words)}` failed ({reason[:80]}): mend that first.")
    without = f"; never run: {', '.join(never)}" if never else ""
    return f"nothing would run in profile {params.profile}: the locks belong to this code{without}"


def check(params: Params) -> str:
    """Compare the working tree with the last commit.

    Raises:
        ScopleError: bytes differ where they have to be the same, or a mean by more than its standard error explains.
    """
    path = Layout(params.profile).machine
    here = machine(params.machine.arithmetic, params.machine.threads, device(params))
    there = load_flat_json(_committed(path), str, path, again=RESTORE)
    changed = [line[3:] for line in call("git", "status", "--porcelain", "--", *TRACKED).splitlines()]
    if not changed:
        return f"compared bytes: {', '.join(TRACKED)} are identical to the last commit"
    if here == there and here["device"] == PORTABLE_DEVICE:
        raise ScopleError(
            f"{len(changed)} files differ from the last commit although both were computed in portable arithmetic, "
            f"{changed[0]} first: see `git diff` and commit what the code now gives, or mend what is not deterministic."
        )
    differing = ", ".join(
        f"{key} {there.get(key)} there, {here[key]} here" for key in here if here[key] != there.get(key)
    )
    for split in params.splits:
        path = Layout(params.profile).provenance(split)
        then, now = (_rounding_free(text(path), path) for text in (_committed, _present))
        for name in (name for name in EXACT if then[name] != now[name]):
            raise ScopleError(
                f"{name} of split {split} is {now[name]} and was {then[name]}, though no rounding can change it: see "
                "`git diff`."
            )
        was, became = then["untrained_loss"], now["untrained_loss"]
        if not abs(became - was) <= UNTRAINED:
            raise ScopleError(
                f"the loss of split {split} before training is {became} and was {was}, more than the {UNTRAINED} nats "
                "that rounding explains: see `git diff`."
            )
    said = []
    for name, found in differences(params).items():
        if found.splits == 1:
            raise ScopleError(f"{name} is of one split, which gives no standard error: run at least two splits.")
        if abs(found.value) > ERRORS * found.error:
            raise ScopleError(
                f"{name} differs by {found.value:+.3g} in the mean over {found.splits} splits, which is more than "
                f"{ERRORS:g} standard errors of {found.error:.2g}, the most that other rounding "
                f"({differing or here['device']}) explains: see `git diff`."
            )
        said.append(f"{name} {found.value:+.3g} (standard error {found.error:.2g})")
    return f"compared means over splits, not bytes ({differing or here['device']}): {'; '.join(said)}"


def differences(params: Params) -> dict[str, Mean]:
    """What the pipeline now measures, less what is committed: the paired mean over the splits, with its standard error.

    Of every metric and of what the trainings ended with. Splits differ by tens of points and other rounding is another
    training, so only means say something; in paired differences what makes a split hard falls out.

    Raises:
        ScopleError: other splits or metrics than the committed ones.
    """
    layout = Layout(params.profile)
    paths = [layout.metrics(split) for split in params.splits]
    then, now = (
        pd.DataFrame([load_flat_json(text(path), float, path, again=RESTORE) for path in paths], list(params.splits))
        for text in (_committed, _present)
    )
    losses = layout.tables / "losses.csv"
    then, now = (
        metrics.join(load_table(losses, LOSSES, again=RESTORE, text=text(losses)).set_index("split"))
        for metrics, text in ((then, _committed), (now, _present))
    )
    if list(then) != list(now):
        raise ScopleError(f"{paths[0].parent} has other metrics than the committed ones: commit them, or restore them.")
    return {name: paired_difference(then[name].to_dict(), now[name].to_dict()) for name in now}


def _rounding_free(text: str, path: Path) -> dict[str, Any]:
    """What a provenance file has that other rounding leaves alone."""
    try:
        document = json.loads(text)
        return {name: document[name] for name in EXACT} | {"untrained_loss": float(document["untrained_loss"])}
    except (ValueError, RecursionError, LookupError, TypeError) as error:
        raise ScopleError(f"{path} does not say {', '.join(EXACT)} and untrained_loss: {RESTORE}.") from error


def _present(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScopleError(f"{path} cannot be read: {RESTORE}.") from error


def _committed(path: Path) -> str:
    return call("git", "show", f"HEAD:{path.as_posix()}")


def call(*words: str) -> str:
    """What a command prints.

    Raises:
        ScopleError: it is not installed, or failed, for instance outside of a repository.
    """
    done = _called(*words)
    if done.returncode:
        reason = ((done.stderr or done.stdout).strip().splitlines() or ["without a word"])[-1]
        raise ScopleError(f"`{' '.join(words)[:120]}` failed ({reason[:80]}): mend that first.")
    return done.stdout


def _called(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ScopleError(f"{words[0]} cannot be called ({error.strerror}): install it, or put it on PATH.") from error
