"""Run the stages of the pipeline several at a time, on one machine or through a cluster's program.

DVC runs one stage after another. The splits do not depend on each other, so workers share them out: each calls
`dvc repro --single-item` for the stages of one chain (a split from its backbone to its metrics) as soon as DVC's own
graph allows it. DVC's locks keep the workers apart. The results have the same bytes as those of `dvc repro`.
"""

import io
import os
import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from scople.base.errors import ScopleError
from scople.base.params import Params, load_params

Needs = dict[str, set[str]]
"""Stage → the stages that it needs at once."""

ATTEMPTS = 2
"""How often a chain is begun when something kills it; stages go on from their checkpoints."""

NAMED = 3
"""How many stages a sentence names."""

PACE = 0.05
"""Seconds between two looks at the workers."""

ENDINGS = ((signal.SIGINT, 30), (signal.SIGTERM, 10), (signal.SIGKILL, 5))
"""Signals that end workers, one after the other, and the seconds that each gives them to clean up."""


def main(targets: Sequence[str], workers: int = 0, force: bool = False, through: Sequence[str] = ()) -> str:
    """Run what the targets need and say what was done.

    Args:
        targets: stages or `dvc.yaml` files, as `dvc repro` takes them.
        workers: chains at a time; 0 = one for every `machine.processes` GPUs, or as many as the cores give threads to,
            or all that are ready where another program shares them out.
        force: run every stage again, nothing from a cache.
        through: the program that starts each worker, with its options (`srun`, say): it chooses machine and GPU.

    Raises:
        ScopleError: a target is unknown, the GPUs are too few for `machine.processes`, a stage failed, or `through` did
            not wait for them.
    """
    started = time.monotonic()
    params = load_params()
    needs = collect(targets, all_of_them=force)
    gpus = [] if through else share_out_gpus(params)
    chains = to_chains(needs)
    workers = workers or (len(chains) if through else len(gpus) or cores(params))
    forced = ["--force", "--no-run-cache"] if force else []
    command = [*through, "dvc", "--wait-for-lock", "repro", "--quiet", "--single-item", *forced]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"spread: {len(needs)} stages to run, {min(workers, len(chains))} at a time", flush=True)
    Spread(needs, chains, command, workers, gpus).run()
    if through and (left := unfinished(needs)):
        more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
        raise ScopleError(
            f"`{' '.join(through)}` returned before {', '.join(left[:NAMED])}{more} of {len(needs)} stages had run: "
            "let --through name a program that waits for what it starts (srun, not sbatch) and call it again."
        )
    if subprocess.run(["dvc", "repro", "--quiet", *targets], check=False).returncode:  # nothing is left to run
        raise ScopleError(
            f"`dvc repro {' '.join(targets)}` does not agree that all is done, see above: call it itself."
        )
    return f"everything is up to date, {len(needs)} stages ran ({time.monotonic() - started:.0f} s)"


def collect(targets: Sequence[str], *, all_of_them: bool = False) -> Needs:
    """The stages that have to run for the targets, in the order of the files that describe them.

    Args:
        targets: as `main` takes them.
        all_of_them: also the stages that are up to date.

    Raises:
        ScopleError: DVC knows no such target, or this is no DVC repository.
    """
    import networkx
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            graph = repo.index.graph
            wanted = {stage for target in targets for stage in repo.stage.collect(target, with_deps=True, graph=graph)}
            stale = set()
            with repo.lock:
                for stage in reversed(list(networkx.topological_sort(graph.subgraph(wanted)))):
                    if all_of_them or stale & set(graph.successors(stage)) or stage.changed():
                        stale.add(stage)
            order = {stage: place for place, stage in enumerate(repo.index.stages)}
            return {
                stage.addressing: {each.addressing for each in stale & set(graph.successors(stage))}
                for stage in sorted(stale, key=order.__getitem__)
            }
    except DvcException as error:
        raise ScopleError(f"DVC says: {error}.") from error


def unfinished(stages: Collection[str]) -> list[str]:
    """Those of the stages that have yet to run; not those that DVC runs at every call.

    Raises:
        ScopleError: DVC cannot read its files.
    """
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.repo import Repo
    from dvc.stage import Stage

    def is_left(stage: Stage) -> bool:
        try:
            return not (stage.always_changed or stage.is_callback) and stage.changed()
        except LockError:  # it is running
            return True

    try:
        with Repo() as repo, repo.lock:
            return [stage.addressing for stage in repo.index.stages if stage.addressing in stages and is_left(stage)]
    except LockError:  # so is another
        return list(stages)
    except DvcException as error:
        raise ScopleError(f"DVC says: {error}.") from error


def to_chains(needs: Needs) -> list[list[str]]:
    """The stages in chains that one worker runs through: each stage but the first waits for the one before it only.

    Of what a stage needs, what another of its needs brings along anyway does not count.
    """
    import networkx

    reduced = networkx.transitive_reduction(networkx.DiGraph({stage: list(needs[stage]) for stage in needs}))
    follows = {
        next(iter(reduced.successors(stage))): stage
        for stage in needs
        if reduced.out_degree(stage) == 1 and reduced.in_degree(next(iter(reduced.successors(stage)))) == 1
    }
    chains = []
    for first in needs:
        if first not in follows.values():
            chain = [first]
            while chain[-1] in follows:
                chain.append(follows[chain[-1]])
            chains.append(chain)
    return chains


def cores(params: Params) -> int:
    """How many stages the cores have threads for, when each uses all of its processes."""
    return max(1, (os.cpu_count() or 1) // (params.machine.threads * params.machine.processes))


def share_out_gpus(params: Params) -> list[str]:
    """The GPUs of each worker, as CUDA_VISIBLE_DEVICES names them; empty where the stages compute on the CPU.

    Raises:
        ScopleError: there are fewer GPUs than `machine.processes`.
    """
    if params.machine.device == "cpu":
        return []
    import torch

    count, share = torch.cuda.device_count(), params.machine.processes
    if 0 < count < share:
        raise ScopleError(
            f"machine.processes is {share}, but the GPUs that may be used are {count}: set it to at most {count}, or "
            "name more GPUs in CUDA_VISIBLE_DEVICES."
        )
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")  # numbers or UUIDs; torch counts up to the first one that is none
    names = [str(number) for number in range(count)] if visible is None else visible.replace(" ", "").split(",")
    return [",".join(names[first : first + share]) for first in range(0, count - share + 1, share)]


class Spread:
    """Workers that run chains until none is left or one has failed.

    Args:
        needs: see `Needs`.
        chains: all stages of `needs`, in chains.
        command: runs the stages that are named after it.
        workers: chains at a time.
        gpus: what CUDA_VISIBLE_DEVICES is set to, for each worker in turn; empty to leave it alone.
    """

    def __init__(
        self, needs: Needs, chains: list[list[str]], command: list[str], workers: int, gpus: Sequence[str]
    ) -> None:
        self.needs, self.waiting, self.command, self.workers, self.gpus = needs, deque(chains), command, workers, gpus
        self.done: set[str] = set()
        self.failed: list[str] = []
        self.running: dict[int, Worker] = {}
        self.attempts: dict[str, int] = {}
        self.alone = min(workers, len(chains)) <= 1

    def run(self) -> None:
        """Run all chains.

        Raises:
            ScopleError: a stage failed; the chains that were running have ended, no other was started.
            KeyboardInterrupt: it was interrupted; so were the workers.
        """
        with kept_signals() as signals:
            try:
                while (self.running or (self.waiting and not self.failed)) and not signals:
                    for seat in range(self.workers):
                        if seat in self.running and self.running[seat].has_ended():
                            self._settle(self.running.pop(seat))
                        if seat not in self.running and not self.failed and (chain := self._next()):
                            self.attempts[chain[0]] = self.attempts.get(chain[0], 0) + 1
                            label = "" if self.alone else f"{chain[0]} | "
                            self.running[seat] = Worker(self.command, chain, self._environment(seat), label)
                    time.sleep(PACE)
            finally:
                end(self.running.values())
        if signals:
            raise KeyboardInterrupt
        if self.failed:
            raise ScopleError(
                f"{' and '.join(self.failed)} failed, see above; {len(self.done)} of {len(self.needs)} stages are "
                "done: correct what is said there and call it again, it goes on from here."
            )

    def _next(self) -> list[str] | None:
        """The first chain whose needs outside of itself are met, taken from those that wait."""
        for chain in self.waiting:
            if set().union(*(self.needs[stage] for stage in chain)) <= self.done | set(chain):
                self.waiting.remove(chain)
                return chain
        return None

    def _settle(self, worker: "Worker") -> None:
        if worker.succeeded():
            self.done.update(worker.chain)
            print(f"spread: {len(self.done)} of {len(self.needs)} stages done", flush=True)
        elif worker.was_killed() and self.attempts[worker.chain[0]] < ATTEMPTS:
            print(f"spread: {worker.chain[0]} was killed, it is begun once more", flush=True)
            self.waiting.appendleft(worker.chain)
        else:
            self.failed.append(worker.chain[0])

    def _environment(self, seat: int) -> Mapping[str, str]:
        return os.environ | ({"CUDA_VISIBLE_DEVICES": self.gpus[seat % len(self.gpus)]} if self.gpus else {})


class Worker:
    """One chain under DVC, in a process group of its own; what it prints is passed on line by line, after the label."""

    def __init__(self, command: list[str], chain: list[str], environment: Mapping[str, str], label: str) -> None:
        self.chain, self._label = chain, label
        self._stage_was_killed = False
        self._process = subprocess.Popen(
            [*command, *chain],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # not a terminal: bars of several workers would overwrite each other
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._pass_on, daemon=True)
        self._reader.start()

    def has_ended(self) -> bool:
        """Whether it has ended and all it printed was passed on."""
        return self._process.poll() is not None and not self._reader.is_alive()

    def succeeded(self) -> bool:
        """Whether all of its stages are up to date."""
        return self._process.returncode == 0

    def was_killed(self) -> bool:
        """Whether a signal ended it, one of its stages, or what another program started for it."""
        return tells_of_signal(self._process.returncode) or self._stage_was_killed

    def send(self, number: int) -> None:
        """Send a signal to it and to all that it has started in its group."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def _pass_on(self) -> None:
        # Lines end with \n only: what a bar draws over, a carriage return before it, is dropped.
        with io.TextIOWrapper(self._process.stdout, errors="backslashreplace", newline="\n") as lines:
            for drawn in lines:
                line = drawn.rstrip("\r\n").rpartition("\r")[2]
                if code := re.search(r"failed to run: .*exited with (-?\d+)", line):  # DVC; others may speak after it
                    self._stage_was_killed = tells_of_signal(int(code[1]))
                print(f"{self._label}{line}\n", end="", flush=True)


def tells_of_signal(code: int) -> bool:
    """Whether a signal ended the program that has this exit code, or the one that it passes it on for, as shells do.

    DVC's own 255 for any failure is none of these.
    """
    return code < 0 or 128 < code <= 128 + max(signal.valid_signals())


def end(workers: Collection[Worker]) -> None:
    """End all workers at the same time, first as Ctrl-C does, and wait until they have cleaned up."""
    for number, patience in ENDINGS:
        for worker in workers:
            if not worker.has_ended():
                worker.send(number)
        until = time.monotonic() + patience
        while time.monotonic() < until and not all(worker.has_ended() for worker in workers):
            time.sleep(PACE)


@contextmanager
def kept_signals() -> Iterator[list[int]]:
    """Ctrl-C and SIGTERM break into nothing while this is open: their numbers are kept in the list."""
    numbers: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # a shell without job control has its background jobs ignore Ctrl-C
            signal.signal(number, lambda number, _: numbers.append(number))
    try:
        yield numbers
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
