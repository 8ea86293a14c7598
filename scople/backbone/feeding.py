"""Batches of sequences on the device: an index into a tensor of all of them where there is room, else as they are read.

Reading a sequence means normalising it, which takes a CPU about a millisecond, as long as a GPU takes for its part of a
training step. The order of the samples and their bytes are the same in both cases.
"""

from collections.abc import Iterator

import psutil
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler, StackDataset

from scople.base.errors import ScopleError
from scople.base.progress import progress
from scople.base.shapes import JOINTS, PERSONS

LARGEST_KEPT = 2**30
"""Bytes up to which sequences are kept in the host's memory; above, a CPU's step takes far longer than reading."""

SHARE = 4
"""Sequences are kept where they take at most one part in so many of the free memory; a step needs the rest."""

ACTIVATIONS = 150
"""Memory of a training step, in activations of the first block; `benchmarks.pretrain_step` has 134 and 147 at two sizes
on the CPU."""

READ_TOGETHER = 64
"""Sequences in a batch while the tensor of all of them is filled."""


def step_memory(batch_size: int, frames: int, width: int) -> int:
    """Bytes that a step of a Shift-GCN's training takes, about.

    Args:
        batch_size: samples of the step.
        frames: of a sequence.
        width: channels of the first blocks.
    """
    return ACTIVATIONS * 4 * batch_size * PERSONS * frames * JOINTS * width


def is_kept(size: int, device: torch.device | str, step: int = 0) -> bool:
    """Whether sequences of so many bytes in all are kept in the memory of the device.

    Args:
        size: bytes.
        device: where.
        step: bytes that a step takes beside them, which a GPU has to have as well.
    """
    device = torch.device(device)
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # held by PyTorch, but free
        free = torch.cuda.mem_get_info(device)[0] + unused
        return SHARE * size <= free and size + step <= free
    return size <= LARGEST_KEPT and SHARE * size <= psutil.virtual_memory().available


class Order:
    """Rows of the batches of an epoch, shuffled anew each time it is iterated; an incomplete batch is dropped.

    All processes that share a training draw the same order, and each takes its part of every batch.

    Args:
        samples: their number.
        batch_size: rows of a batch, of all processes together.
        generator: of the order.
        part: of this process, from 0.
        parts: processes.

    Raises:
        ScopleError: the batch size is not a multiple of the number of processes.
    """

    def __init__(
        self, samples: int, batch_size: int, generator: torch.Generator, part: int = 0, parts: int = 1
    ) -> None:
        if batch_size % parts:
            raise ScopleError(
                f"A batch of {batch_size} samples cannot be shared equally among {parts} processes: change their "
                "number or pretrain.batch_size."
            )
        self.sampler = RandomSampler(range(samples), generator=generator)
        self.batch_size, self.part, self.parts = batch_size, part, parts

    def __len__(self) -> int:
        return len(self.sampler) // self.batch_size

    def __iter__(self) -> Iterator[list[int]]:
        yield from self.epoch().tolist()

    def epoch(self) -> Int[Tensor, "batches B"]:
        """The rows of all batches of the next epoch."""
        rows = torch.tensor(list(self.sampler))[: len(self) * self.batch_size]
        return rows.view(len(self), self.parts, -1)[:, self.part]


class Feed:
    """Batches on the device, epoch after epoch, in a given order.

    Args:
        sequences: N sequences of one shape.
        targets: row of each sequence's class.
        order: of the samples.
        device: where the batches are wanted.
        workers: processes that read sequences.
        generator: from which each worker's seed is drawn; no result depends on it.
        step: bytes that a training step takes, see `is_kept`.

    Attributes:
        kept: all sequences, or None where there is no room for them.
    """

    def __init__(
        self,
        sequences: Dataset,
        targets: Int[Tensor, " N"],
        order: Order,
        device: torch.device | str,
        *,
        workers: int = 0,
        generator: torch.Generator | None = None,
        step: int = 0,
    ) -> None:
        self.order, self.device, self.step = order, torch.device(device), step
        self.targets = targets.to(device)
        reading = {"num_workers": workers, "generator": generator, "pin_memory": self.device.type == "cuda"}
        self.kept = self._keep(sequences, **reading)
        if self.kept is None:
            samples = StackDataset(sequences, targets)
            self.loader = DataLoader(samples, batch_sampler=order, persistent_workers=workers > 0, **reading)

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[tuple[Float[Tensor, "B C T V M"], Int[Tensor, " B"]]]:
        """One epoch; on a GPU, no batch waits for the host, and the host waits for no batch."""
        if self.kept is not None:
            for rows in self.order.epoch().to(self.device):
                yield self.kept.index_select(0, rows), self.targets.index_select(0, rows)
        else:
            for batch in self.loader:
                x, target = (each.to(self.device, non_blocking=True) for each in batch)
                yield x, target

    def _keep(self, sequences: Dataset, **reading: object) -> Float[Tensor, "N C T V M"] | None:
        """All sequences in the order of `sequences`; None where there is no room for them."""
        first = sequences[0]
        if not is_kept(len(sequences) * first.nbytes, self.device, self.step):
            return None
        kept = torch.empty(len(sequences), *first.shape, dtype=first.dtype, device=self.device)
        batches = DataLoader(sequences, READ_TOGETHER, **reading)
        for rows, x in zip(kept.split(READ_TOGETHER), progress(batches, "sequences", unit="batch"), strict=True):
            rows.copy_(x, non_blocking=True)
        return kept
