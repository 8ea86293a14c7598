"""Several processes share one training: each takes an equal part of every batch.

`torchrun` starts the processes. Accelerate connects them, divides the batches and averages the gradients
(DistributedDataParallel). The result is that of one process with the same batches, up to rounding. For this, every
computation over a whole batch (batch norm, the sign in `temporal_shift.published_rule`) uses `mean_over_processes`.
"""

import torch
import torch.distributed
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import DataLoader

from scople.base.errors import ScopleError


def process_count() -> int:
    """Number of processes that share the training; 1 without torchrun."""
    together = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if together else 1


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
        from accelerate import Accelerator, DataLoaderConfiguration

        self._accelerator = Accelerator(
            cpu=device.type == "cpu",
            dataloader_config=DataLoaderConfiguration(split_batches=True, even_batches=False),
        )

    def divide(self, model: nn.Module, batches: DataLoader) -> tuple[nn.Module, DataLoader]:
        """The model with averaged gradients, and this process's part of every batch.

        Raises:
            ScopleError: the batch size is not a multiple of the number of processes.
        """
        if batches.batch_size % process_count():
            raise ScopleError(
                f"A batch of {batches.batch_size} samples cannot be shared equally among {process_count()} "
                "processes: change their number or pretrain.batch_size."
            )
        return self._accelerator.prepare(model, batches)
