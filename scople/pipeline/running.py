"""What every stage does around its own work: check the call, fix the threads, say the outcome in one line."""

import inspect
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from scople.base.arithmetic import settle, why_not
from scople.base.errors import ScopleError
from scople.base.params import Params, load_params


def run(main: Callable[..., str], *, shares: bool = False) -> None:
    """Call a stage's `main(params, *names)` with the words of the command line and print its outcome.

    Exits with code 1 and one sentence, without a traceback, on bad input; with code 2 on a wrong call; with 130 when
    interrupted and 143 when terminated.

    Args:
        main: the stage.
        shares: whether the stage may be one of several processes that share its work.
    """
    stage = Path(sys.argv[0]).stem
    names = list(inspect.signature(main).parameters.values())[1:]
    least = sum(name.default is name.empty for name in names)
    words = sys.argv[1:]
    if not least <= len(words) <= len(names):
        shown = (name.name.upper() if name.default is name.empty else f"[{name.name.upper()}]" for name in names)
        usage = " ".join([f"python -m stages.{stage}", *shown])
        count = f"{least} to {len(names)}" if least < len(names) else f"{least}"
        sys.exit(_fail(f"{stage} takes {count} names but got {len(words)}: call `{usage}`.", 2))
    signal.signal(signal.SIGTERM, _interrupt)
    start = time.monotonic()
    try:
        params = load_params()
        if params.machine.processes > 1 and shares and not under_torchrun():
            os.environ.setdefault("OMP_NUM_THREADS", str(params.machine.threads))  # torchrun wants it said
            _become_torchrun(params.machine.processes, f"stages.{stage}", *words)
        if under_torchrun() and not shares:
            raise ScopleError("this stage works in one process: call it without torchrun.")
        settle(params.machine.arithmetic, params.machine.threads)
        if params.machine.arithmetic == "portable" and (reason := why_not()) and is_first_process():
            print(f"note: {reason}, so the results will differ in bytes from those of other machines.", file=sys.stderr)
        torch.use_deterministic_algorithms(True)
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # CUDA's matrix products need it for that
        outcome = main(params, *words)
    except ScopleError as error:
        sys.exit(_fail(f"{stage}: {error}", 1))
    except KeyboardInterrupt as interrupt:
        notes = getattr(interrupt, "__notes__", ["nothing half-written is left"])
        sys.exit(_fail(f"{stage}: interrupted; {'; '.join(notes)}.", *interrupt.args or (130,)))
    if is_first_process():
        title = " ".join([stage, *words])
        print(f"{title}: {outcome} ({time.monotonic() - start:.1f} s, {_peak_memory():.0f} MB)", flush=True)


def under_torchrun() -> bool:
    """Whether this is one of several processes that share a stage."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_first_process() -> bool:
    """Whether this process writes: the only one, or the first of those that torchrun started."""
    return os.environ.get("RANK", "0") == "0"


def device(params: Params) -> torch.device:
    """The device that params.yaml asks for.

    Raises:
        ScopleError: it asks for CUDA and there is none.
    """
    wanted = params.machine.device
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ScopleError("machine.device is 'cuda', but torch finds no CUDA device: set it to auto or cpu.")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def _become_torchrun(processes: int, *command: str) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    os.execv(sys.executable, [*torchrun, "-m", *command])


def _interrupt(number: int, _: object) -> None:
    # A polite end is an exception, so that half-written outputs are cleaned away.
    raise KeyboardInterrupt(128 + number)


def _fail(sentence: str, code: int) -> int:
    print(f"error: {sentence}", file=sys.stderr, flush=True)
    return code


def _peak_memory() -> float:
    """Largest resident size of this process or of one of its children, in MB."""
    kilobytes = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return kilobytes / 1024 if sys.platform != "darwin" else kilobytes / 1024**2
