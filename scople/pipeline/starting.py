"""What has to be settled before torch and NumPy are loaded, for stages and commands alike."""

import os
import sys
from types import TracebackType

from scople.base.arithmetic import prepare


def start() -> None:
    """Tell the numerical libraries how to compute, and answer Ctrl-C until `scople.pipeline.running` can.

    Must be called before the first import of torch or NumPy: they choose their code when they are loaded.
    """
    # Torch's threads wait for each other by spinning. Without a bound on that, a training becomes more than ten times
    # slower as soon as anything else runs on one of the cores.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    # `machine.threads` alone decides how many threads there are: how they share out a sum decides its rounding.
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.pop(name, None)
    prepare("native" if _arithmetic() == "native" else "portable")
    sys.excepthook = _say


def _arithmetic() -> str:
    """`machine.arithmetic` of params.yaml; whatever is wrong with the file, `load_params` will say."""
    try:
        from scople.base.documents import read_document  # in here, so that `doctor` can say that PyYAML is missing

        return str(read_document("params.yaml")["machine"]["arithmetic"])
    except Exception:
        return "portable"


def _say(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Ctrl-C while modules are still being loaded: seconds in which `scople.pipeline.running` cannot answer yet."""
    if issubclass(kind, KeyboardInterrupt):
        print("error: interrupted; nothing half-written is left.", file=sys.stderr, flush=True)
    else:
        sys.__excepthook__(kind, error, trace)
