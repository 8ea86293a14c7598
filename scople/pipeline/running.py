"""What every stage does around its own work: check the call, set the threads, print the outcome in one line."""

import errno
import inspect
import json
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from scople.base.arithmetic import settle, why_not
from scople.base.errors import ScopleError, printable
from scople.base.params import Params, load_params


def run(main: Callable[..., str], *, shares: bool = False) -> None:
    """Call a stage's `main(params, *names)` with the words of the command line and print its outcome.

    Exits with code 1 and one sentence, without a traceback, on bad input; with code 2 on a wrong call; with 130 when
    interrupted and 143 when terminated.

    Args:
        main: the stage.
        shares: whether several processes may share the work of this stage.
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
    with told(stage):
        params = load_params()
        if params.machine.processes > 1 and shares and not under_torchrun():
            os.environ.setdefault("OMP_NUM_THREADS", str(params.machine.threads))  # torchrun warns without it
            sys.exit(_call_torchrun(params.machine.processes, f"stages.{stage}", *words))
        if under_torchrun() and not shares:
            raise ScopleError("this stage works in one process: call it without torchrun.")
        settle(params.machine.arithmetic, params.machine.threads)
        if params.machine.arithmetic == "portable" and (reason := why_not()) and is_first_process():
            print(f"note: {reason}, so the results will differ in bytes from those of other machines.", file=sys.stderr)
        torch.use_deterministic_algorithms(True)
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # CUDA's matrix products need it for that
        outcome = main(params, *words)
        if is_first_process():
            title = " ".join([stage, *words])
            print(f"{title}: {outcome} ({time.monotonic() - start:.1f} s, {_peak_memory():.0f} MB)", flush=True)


@contextmanager
def told(stage: str) -> Iterator[None]:
    """Exit with one sentence and no traceback if something outside this code is wrong.

    That is a `ScopleError`, an interrupt, a GPU without enough memory, or an error of the operating system: a file that
    cannot be read or written, a full disk, a closed pipe. Any other exception is a fault of this code and keeps its
    traceback.
    """
    try:
        yield
    except ScopleError as error:
        sys.exit(_fail(f"{stage}: {error}", 1))
    except KeyboardInterrupt as interrupt:
        notes = getattr(interrupt, "__notes__", ["nothing half-written is left"])
        sys.exit(_fail(f"{stage}: interrupted; {'; '.join(notes)}.", *interrupt.args or (130,)))
    except torch.OutOfMemoryError:
        advice = "lower batch_size in the stage's part of the profile, or use a GPU with more"
        sys.exit(_fail(f"{stage}: the memory of the GPU does not suffice: {advice}.", 1))
    except OSError as error:
        if error.filename is None and error.errno not in _OUTSIDE:
            raise
        if error.filename is None:  # usually standard output, which must not fail again when it is flushed at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())
        place = printable(str(error.filename or "its output"), 80)
        sys.exit(_fail(f"{stage}: {place} cannot be used ({error.strerror}): correct that and run it again.", 1))


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


_OUTSIDE = {errno.ENOSPC, errno.EDQUOT, errno.EPIPE, errno.EIO}
"""Errors of the operating system that may name no file."""


def _call_torchrun(processes: int, *command: str) -> int:
    """Run a stage in several processes; of their failures, only the first is reported.

    Returns:
        The exit code.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args
    from torch.distributed.run import run as torchrun

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    try:
        torchrun(parse_args(["--standalone", f"--nproc_per_node={processes}", "-m", *command]))
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        if _SAID in failure.error_file_data:
            _fail(failure.message, 1)
        elif failure.exitcode < 0:
            _fail(f"process {failure.global_rank} was ended by signal {-failure.exitcode}: use fewer processes.", 1)
        return abs(failure.exitcode)
    except SignalException as error:
        return 128 + error.sigval  # the first process has printed its sentence
    return 0


_SAID = "sentence of a stage"
"""Marks a sentence that `_fail` hands to torchrun; any other failure has printed its traceback already."""


def _interrupt(number: int, _: object) -> None:
    # Raised as an exception, so that half-written outputs are removed.
    raise KeyboardInterrupt(128 + number)


def _fail(sentence: str, code: int) -> int:
    if under_torchrun() and code == 1 and (place := os.environ.get("TORCHELASTIC_ERROR_FILE")):
        # All processes fail alike: each hands its sentence to torchrun, and the caller prints the first.
        Path(place).write_text(json.dumps({"message": sentence, "timestamp": int(time.time()), _SAID: True}))
    elif is_first_process() or code == 1:
        print(f"error: {sentence}", file=sys.stderr, flush=True)
    return code


def _peak_memory() -> float:
    """Largest resident size of this process or of one of its children, in MB."""
    kilobytes = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return kilobytes / 1024 if sys.platform != "darwin" else kilobytes / 1024**2
