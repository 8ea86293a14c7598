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

from scople.errors import ScopleError
from scople.params import Params, load_params


def run(main: Callable[..., str]) -> None:
    """Call a stage's `main(params, *names)` with the words of the command line and print its outcome.

    Exits with code 1 and one sentence, without a traceback, on bad input; with code 2 on a wrong call; with 130 when
    interrupted.
    """
    stage = Path(sys.argv[0]).stem
    names = list(inspect.signature(main).parameters)[1:]
    words = sys.argv[1:]
    if len(words) != len(names):
        usage = " ".join([f"python -m stages.{stage}", *(name.upper() for name in names)])
        sys.exit(_fail(f"{stage} takes {len(names)} names but got {len(words)}: call `{usage}`.", 2))
    # A polite end is an exception, so that half-written outputs are cleaned away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    start = time.monotonic()
    try:
        params = load_params()
        torch.set_num_threads(params.machine.threads)
        torch.use_deterministic_algorithms(True)
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # CUDA's matrix products need it for that
        outcome = main(params, *words)
    except ScopleError as error:
        sys.exit(_fail(f"{stage}: {error}", 1))
    except KeyboardInterrupt:
        sys.exit(_fail(f"{stage}: interrupted; nothing half-written is left.", 130))
    title = " ".join([stage, *words])
    print(f"{title}: {outcome} ({time.monotonic() - start:.1f} s, {_peak_memory():.0f} MB)", flush=True)


def device(params: Params) -> torch.device:
    """The device that params.yaml asks for.

    Raises:
        ScopleError: it asks for CUDA and there is none.
    """
    wanted = params.machine.device
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ScopleError("machine.device is 'cuda', but torch finds no CUDA device: set it to auto or cpu.")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def _fail(sentence: str, code: int) -> int:
    print(f"error: {sentence}", file=sys.stderr, flush=True)
    return code


def _peak_memory() -> float:
    """Largest resident size of this process or of one of its children, in MB."""
    kilobytes = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return kilobytes / 1024 if sys.platform != "darwin" else kilobytes / 1024**2
