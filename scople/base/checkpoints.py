"""Checkpoints: a killed training continues from its last one and ends with the same bytes as an undisturbed one.

A checkpoint is written at the end of an epoch and holds all that the later epochs depend on: weights, optimiser,
schedule, generators, history. It lies in a folder named by a `fingerprint` of everything the training depends on, so
a training with other settings, code or inputs never loads it.
"""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from scople.base.errors import ScopleError
from scople.base.files import whole

PAUSE = 100
"""Seconds to wait for each second that writing the last checkpoint took: an overhead of one per cent."""

SEAL = 32
"""Bytes at the end of a checkpoint that hold the SHA-256 of all bytes before them."""

History = list[dict[str, int | float]]
"""One row for each trained epoch; the first key is `epoch`, from 1."""


@runtime_checkable
class Stateful(Protocol):
    """A module, an optimiser or a schedule."""

    def state_dict(self) -> dict[str, Any]:
        """The state to keep."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any:
        """Restore a kept state."""


class Checkpoint:
    """The checkpoint of one training.

    Args:
        path: where it lies or will lie.
        writes: whether `save` writes; of several processes that share a training, only one does.
    """

    def __init__(self, path: Path, *, writes: bool = True):
        self.path = path
        self._writes = writes
        self._next = 0.0  # earliest time of the next one, by the monotonic clock

    @property
    def epoch(self) -> int:
        """The epoch it was written after; 0 where there is none."""
        return len(self._read()["history"]) if self.path.exists() else 0

    def _read(self) -> dict[str, Any]:
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise ScopleError(f"The checkpoint {self.path} cannot be read: remove it to start anew.") from error
        # A file that fits its own digest is as it was written.
        state, seal = content[:-SEAL], content[-SEAL:]
        if hashlib.sha256(state).digest() != seal:
            raise ScopleError(f"The checkpoint {self.path} is damaged: remove it to start anew.")
        return torch.load(BytesIO(state), map_location="cpu", weights_only=True)

    def restore(self, parts: Mapping[str, Stateful | torch.Generator]) -> History:
        """Set the parts of a training to the kept state.

        Args:
            parts: the parts at their start, by the names given to `save`; without a checkpoint they stay unchanged.

        Returns:
            One row for each finished epoch.

        Raises:
            ScopleError: the file cannot be read, or is damaged.
        """
        if not self.path.exists():
            return []
        kept = self._read()
        for name, part in parts.items():
            if isinstance(part, torch.Generator):
                part.set_state(kept[name])
            else:
                part.load_state_dict(kept[name])
        return kept["history"]

    def save(self, parts: Mapping[str, Stateful | torch.Generator], history: History, *, is_last: bool) -> None:
        """Keep the state after an epoch, unless the last one was kept too recently (see `PAUSE`).

        Args:
            parts: all that the later epochs depend on, by name.
            history: one row for each finished epoch.
            is_last: whether the training is over; its last state is always kept.

        Raises:
            ScopleError: the disk is full; the previous checkpoint is untouched.
        """
        start = time.monotonic()
        if not self._writes or (start < self._next and not is_last):
            return
        state = {
            name: part.get_state() if isinstance(part, torch.Generator) else part.state_dict()
            for name, part in parts.items()
        }
        with whole(self.path) as beside, beside.open("wb") as file:
            buffer = BytesIO()
            torch.save(state | {"history": history}, buffer)
            file.write(buffer.getbuffer())
            file.write(hashlib.sha256(buffer.getbuffer()).digest())
            file.flush()
            os.fsync(file.fileno())  # if the machine fails, the content must be on the disk before the rename
        end = time.monotonic()
        self._next = end + PAUSE * (end - start)


def fingerprint(settings: Any, files: Mapping[str, Path]) -> str:
    """Digest of settings and of files' names and contents: 32 hexadecimal digits.

    Args:
        settings: anything JSON can hold; the order of keys does not matter.
        files: name → where it lies, in any order; only names and contents matter.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, path in sorted(files.items()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"\n{content} {name}".encode())
    return digest.hexdigest()[:32]
