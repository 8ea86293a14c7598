"""One script per DVC stage, run as `python -m stages.<name>`: read params, call the library, write files."""

import os
import sys
from pathlib import Path
from types import TracebackType

from stages.arithmetic import prepare

# Must stand before the first import of torch. Its threads wait for each other by spinning; without a bound on that a
# training becomes more than ten times slower as soon as anything else runs on one of the cores.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

# `machine.threads` alone decides how many threads there are: what they share out decides the rounding of sums.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.pop(name, None)


def _arithmetic() -> str:
    """`machine.arithmetic` of params.yaml; whatever is wrong with the file, `load_params` will say."""
    try:
        import yaml  # in here, so that `doctor` can say that it is missing

        return str(yaml.safe_load(Path("params.yaml").read_bytes())["machine"]["arithmetic"])
    except Exception:
        return "portable"


# Before torch and NumPy as well: they choose their code when they are loaded.
prepare("native" if _arithmetic() == "native" else "portable")


def _say(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Ctrl-C while a stage's modules are still being loaded, seconds in which `stages.running` can not answer yet."""
    if issubclass(kind, KeyboardInterrupt):
        print("error: interrupted; nothing half-written is left.", file=sys.stderr, flush=True)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _say
