"""Results with the same bytes on every x86-64 CPU with AVX2.

Numerical libraries choose their code by the CPU's maker and instruction set, and different code rounds differently.
`prepare` tells each library, before it is loaded, to use the code that all these CPUs can run. MKL's portable code is
slow, so `settle` lets NumPy's BLAS compute the products of two matrices, which are most of the work.

The bytes then depend on the settings, the code, the releases of the packages and `machine.threads`. GPUs and bfloat16
are not covered. Nor are the few functions that MKL approximates differently on each CPU under every setting: the square
root of a whole tensor (so Adam's step is the fused one), arc sine, arc cosine and arc tangent.
"""

import os
import platform
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Arithmetic = Literal["portable", "native"]

PORTABLE = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "MKL_CBWR": "COMPATIBLE",  # MKL: batched products and vector functions; AVX2,STRICT differs between Intel and AMD
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # oneDNN: GELU
    "OPENBLAS_CORETYPE": "Haswell",  # NumPy's products
    "OPENBLAS_THREAD_TIMEOUT": "4",  # idle threads sleep at once and leave the cores to torch
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",  # NumPy's exp, log, sin
}
"""Environment variable → its value in portable arithmetic."""

PORTABLE_DEVICE = "any x86-64 CPU with AVX2"
"""Name of the device in portable arithmetic."""

MARK = "SCOPLE_ARITHMETIC"
"""Tells a child process for which arithmetic its parent set the variables of `PORTABLE`."""

NEEDED = {"avx2", "fma"}
"""Instruction sets that the portable code uses."""


def prepare(arithmetic: Arithmetic) -> None:
    """Tell the libraries which code to use; call it before they are imported, because they only read it then.

    "portable" overrides the environment. "native" leaves the environment alone, except for variables inherited from a
    portable process.

    Raises:
        ImportError: NumPy or torch is already loaded with other settings.
    """
    if arithmetic == "portable" and not (reason := why_not()):
        told = {name: os.environ.get(name) for name in PORTABLE}
        if told != PORTABLE and (late := sorted({"numpy", "torch"} & sys.modules.keys())):
            raise ImportError(
                f"{' and '.join(late)} came before portable arithmetic could be asked for: import `stages` first."
            )
        os.environ.update(PORTABLE)
    elif os.environ.get(MARK) == "portable" or (arithmetic == "portable" and reason):
        for name in PORTABLE:
            os.environ.pop(name, None)
    os.environ[MARK] = arithmetic


def settle(arithmetic: Arithmetic, threads: int) -> None:
    """Set the number of threads and, in portable arithmetic, let NumPy compute the products of two matrices.

    Args:
        arithmetic: as given to `prepare`.
        threads: number for torch and for NumPy's BLAS; how a sum is divided among them decides its rounding.
    """
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads)
    if arithmetic == "portable" and not why_not():
        threadpool_limits(threads, user_api="blas")
        _products_by_numpy()


def machine(arithmetic: Arithmetic, threads: int, device: "torch.device") -> dict[str, str]:
    """What decides the rounding of results.

    Args:
        arithmetic: as given to `prepare`.
        threads: as given to `settle`.
        device: where the results are computed.

    Returns:
        `device` (PORTABLE_DEVICE, or the device's name), `arithmetic`, `torch` (its release) and `threads`.
    """
    import torch

    release = torch.__version__.partition("+")[0]  # what follows the plus sign names a build
    if device.type == "cuda":
        computed_by = torch.cuda.get_device_name(device)
    elif arithmetic == "portable" and not why_not():
        computed_by = PORTABLE_DEVICE
    else:
        computed_by = f"{_cpu_says('model name') or platform.processor()}, {torch.backends.cpu.get_cpu_capability()}"
    return {"device": computed_by, "arithmetic": arithmetic, "torch": release, "threads": str(threads)}


def why_not() -> str:
    """Why this CPU cannot give the portable bytes; empty where it can."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return f"this CPU is {platform.machine()} and not x86-64"
    if missing := NEEDED - _instruction_sets():
        return f"this CPU has no {' and no '.join(sorted(name.upper() for name in missing))}"
    return ""


def _instruction_sets() -> set[str]:
    """Instruction sets of this CPU as the system lists them; `NEEDED` if it lists none."""
    return set(_cpu_says("flags").split()) or NEEDED


def _cpu_says(name: str) -> str:
    """An entry of /proc/cpuinfo for the first CPU; empty if there is none."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


_REPLACED: list = []
"""Registrations with torch; each lasts as long as its `Library` object."""


def _products_by_numpy() -> None:
    """Let NumPy's BLAS compute `mm` and `addmm` on the CPU; MKL's COMPATIBLE code takes 2.5 times as long.

    torch keeps everything built on them: linear maps, gradients, devices.
    """
    if _REPLACED:
        return
    import numpy as np
    import torch
    from torch import Tensor

    def mm(a: Tensor, b: Tensor) -> Tensor:
        if a.dtype not in (torch.float32, torch.float64) or a.dtype != b.dtype:
            return torch.bmm(a[None], b[None])[0]
        # Into torch's own memory. NumPy's is released by the interpreter, and what an interrupted backward pass has
        # saved is released after the interpreter has ended.
        product = torch.empty(a.shape[0], b.shape[1], dtype=a.dtype)
        with np.errstate(all="ignore"):  # as in torch: training and scoring check for numbers that are not finite
            np.matmul(a.detach().numpy(), b.detach().numpy(), out=product.numpy())
        return product

    def addmm(bias: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
        product = mm(a, b) if alpha == 1 else mm(a, b).mul_(alpha)
        return product.add_(bias, alpha=beta) if beta else product

    library = torch.library.Library("aten", "IMPL")
    with warnings.catch_warnings():  # the override is intended
        warnings.filterwarnings("ignore", "(?s).*Overriding a previously registered kernel", UserWarning)
        library.impl("mm", mm, "CPU", allow_override=True)
        library.impl("addmm", addmm, "CPU", allow_override=True)
    _REPLACED.append(library)
