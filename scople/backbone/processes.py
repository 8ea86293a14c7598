"""Several processes share one training: of every batch each takes an equal part.

`torchrun` starts the processes, Accelerate joins them, divides the batches and averages the gradients
(DistributedDataParallel). The result is that of one process with the same batches, up to rounding, if whatever looks
at a whole batch (batch norm, the sign of `temporal_shift.published_rule`) takes `mean_over_processes`.
"""

import torch
import torch.distributed
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import DataLoader

from scople.base.errors import ScopleError


def process_count() -> int:
    """Processes that share the training; 1 where a process is alone."""
    together = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if together else 1


def mean_over_processes(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Mean of what each process has; of a process on its own `x` itself.

    Its gradient is that of the sum of all processes' losses.
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
    """The processes that torchrun started for one training; each makes one of these before its model.

    Args:
        device: its type decides how processes talk: NCCL between GPUs, one a process; gloo between CPUs.
    """

    def __init__(self, device: torch.device):
        # Imported here because only this needs it: every stage would pay for its import.
        from accelerate import Accelerator, DataLoaderConfiguration

        self._accelerator = Accelerator(
            cpu=device.type == "cpu",
            dataloader_config=DataLoaderConfiguration(split_batches=True, even_batches=False),
        )

    def divide(self, model: nn.Module, batches: DataLoader) -> tuple[nn.Module, DataLoader]:
        """The model with averaged gradients, and this process's part of every batch.

        Raises:
            ScopleError: the parts would not be equal.
        """
        if batches.batch_size % process_count():
            raise ScopleError(
                f"A batch of {batches.batch_size} samples can not be shared equally among {process_count()} "
                "processes: change their number or pretrain.batch_size."
            )
        return self._accelerator.prepare(model, batches)
