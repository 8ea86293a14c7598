"""Several processes share one training: each takes an equal part of every batch (`scople.backbone.feeding.Order`).

`torchrun` starts the processes. Accelerate connects them and averages the gradients (DistributedDataParallel). The
result is that of one process with the same batches, up to rounding. For this, every computation over a whole batch
(batch norm, the sign in `temporal_shift.published_rule`) uses `mean_over_processes`.
"""

import torch
import torch.distributed
from jaxtyping import Float
from torch import Tensor, nn


def process_count() -> int:
    """Number of processes that share the training; 1 without torchrun."""
    together = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if together else 1


def process_number() -> int:
    """Number of this process among them, from 0."""
    return torch.distributed.get_rank() if process_count() > 1 else 0


def mean_over_processes(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Mean of `x` over the processes; `x` itself if there is only one.

    The gradient is that of the sum of all processes' losses.
    """
    return _Mean.apply(x) if process_count() > 1 else x


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        x = x.clone(memory_format=torch.contiguous_format)
        torch.distributed.all_reduce(x)
        return x.div_(process_count())

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        return _Mean.forward(ctx, gradient)


class SharedTraining:
    """The processes that torchrun started for one training; each creates this object before its model.

    Args:
        device: its type decides how the processes communicate: NCCL for GPUs, one for each process; gloo for CPUs.
    """

    def __init__(self, device: torch.device):
        # Imported here, as only this class needs it and every stage would wait for the import.
        from accelerate import Accelerator

        self._accelerator = Accelerator(cpu=device.type == "cpu")

    def average(self, model: nn.Module) -> nn.Module:
        """The model with averaged gradients."""
        return self._accelerator.prepare(model)
