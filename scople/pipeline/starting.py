"""What stages and commands must do before torch and NumPy are loaded."""

import os
import sys
from types import TracebackType

from scople.base.arithmetic import prepare


def start() -> None:
    """Tell the numerical libraries how to compute, and handle Ctrl-C until `scople.pipeline.running` can.

    Must be called before the first import of torch or NumPy: they choose their code when they are loaded.
    """
    # Torch's threads wait for each other by spinning. Without a bound on the spinning, a training becomes more than ten
    # times slower as soon as anything else runs on one of the cores.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    # `machine.threads` alone sets the number of threads, because how they divide a sum decides its rounding.
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.pop(name, None)
    prepare("native" if _arithmetic() == "native" else "portable")
    sys.excepthook = _say


def _arithmetic() -> str:
    """`machine.arithmetic` of params.yaml; `load_params` reports whatever is wrong with the file."""
    try:
        from scople.base.documents import read_document  # in here, so that `doctor` can say that PyYAML is missing

        return str(read_document("params.yaml")["machine"]["arithmetic"])
    except Exception:
        return "portable"


def _say(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Handle Ctrl-C in the seconds while modules are loaded, before `scople.pipeline.running` can."""
    if issubclass(kind, KeyboardInterrupt):
        print("error: interrupted; nothing half-written is left.", file=sys.stderr, flush=True)
    else:
        sys.__excepthook__(kind, error, trace)
