"""What a machine can do, and what a computation asks of it: measured rates, counted operations and bytes."""

import ctypes
import resource
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

GIGA = 1e9


def wait(device: torch.device) -> None:
    """Until everything that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(call: Callable[[], object], device: torch.device) -> float:
    """Time on the clock of one call, from a device that has nothing left to do until it has nothing left again."""
    wait(device)
    start = time.perf_counter()
    call()
    wait(device)
    return time.perf_counter() - start


def processor_seconds(call: Callable[[], object], threads: int) -> float:
    """Time that one call keeps each of so many threads busy; what other programs take of the machine is not in it."""
    start = time.process_time()
    call()
    return (time.process_time() - start) / threads


def product_rate(device: torch.device, side: int = 2048, rounds: int = 5) -> float:
    """GFLOP a second of a product of two square float32 matrices; the best of some rounds."""
    a, b = torch.randn(2, side, side, device=device)
    torch.mm(a, b)
    return 2 * side**3 / GIGA / min(seconds(lambda: torch.mm(a, b), device) for _ in range(rounds))


def copy_rate(device: torch.device, megabytes: int = 256, rounds: int = 5) -> float:
    """GB a second that a copy of a large tensor reads and writes together; the best of some rounds."""
    source = torch.zeros(megabytes * 250_000, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    return 2 * source.nbytes / GIGA / min(seconds(lambda: target.copy_(source), device) for _ in range(rounds))


class ByteCounter(TorchDispatchMode):
    """Adds up what each operation within the block reads and writes, were nothing kept in a cache; views are free.

    Attributes:
        bytes: the sum.
        operations: how many there were; on a GPU at least one kernel each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.operations = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # noqa: ANN001, ANN204, D105
        out = func(*args, **(kwargs or {}))
        read = [each for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
        written = [each for each in tree_leaves(out) if isinstance(each, torch.Tensor)]
        places = {each.untyped_storage().data_ptr() for each in read}
        is_view = all(each.untyped_storage().data_ptr() in places for each in written)
        if func._schema.is_mutable or not is_view:
            self.operations += 1
            # What is broadcast is read once.
            self.bytes += sum(
                min(each.numel() * each.element_size(), each.untyped_storage().nbytes()) for each in read + written
            )
        return out


def counted(call: Callable[[], object]) -> tuple[float, float]:
    """GFLOP of the matrix products of one call, and GB that all of its operations read and write."""
    flops, traffic = FlopCounterMode(display=False), ByteCounter()
    with flops, traffic:
        call()
    return flops.get_total_flops() / GIGA, traffic.bytes / GIGA


def peak_memory(call: Callable[[], object], device: torch.device) -> float:
    """GB that one call takes on top of what was taken before it.

    On a GPU it is PyTorch's own count; on Linux the resident memory of the process, whose high-water mark is reset
    first. Elsewhere the mark cannot be reset, and the number is too small after a larger call.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        wait(device)
        return (torch.cuda.max_memory_allocated(device) - before) / GIGA
    if Path("/proc/self/clear_refs").exists():
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's: what was freed goes back first
        if trim is not None:
            trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    call()
    return (resident("VmHWM") - before) / GIGA


def resident(what: str) -> float:
    """Bytes of this process in memory, now ("VmRSS") or at most ("VmHWM"); at most where there is no /proc."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    return next(float(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(what)) * 1024
