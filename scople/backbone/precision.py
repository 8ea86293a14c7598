"""How precisely the backbone's matrix products are computed; everything else is float32 whatever the setting.

"tf32" and "bfloat16" are for GPUs: their products take less time there, on tensor cores. A TF32 product reads float32
numbers as if they had 10 bits of fraction, bfloat16 has 7; both add up in float32. With "bfloat16" the maps between the
layers are bfloat16 too, half the memory. Parameters, the statistics of batch norm, the loss and the optimiser stay
float32.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Literal

import torch

from scople.base.errors import ScopleError

Precision = Literal["float32", "tf32", "bfloat16"]


@contextmanager
def at_precision(
    precision: Precision, device: torch.device | str
) -> Iterator[Callable[[], AbstractContextManager[object]]]:
    """Compute within the block at a precision.

    Yields:
        What makes a context for each forward pass; backward passes belong outside of it, inside of the block.

    Raises:
        ScopleError: TF32 on a device that is no CUDA device.
    """
    device = torch.device(device)
    if precision == "tf32" and device.type != "cuda":
        raise ScopleError(
            f"pretrain.precision is 'tf32', which a {device.type} device does not have: set it to float32."
        )
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    try:
        yield partial(torch.autocast, device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
