"""A training that was killed goes on from its last checkpoint and ends with the bytes of an undisturbed one.

A checkpoint is written at the end of an epoch and holds all that the later epochs depend on: weights, optimiser,
schedule, generators, history. It lies in a folder named by a `fingerprint` of everything the training depends on, so
that another setting, code or input never meets it.
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
"""After a checkpoint that took a second to write, the next one waits for this many: an overhead of one per cent."""

SEAL = 32
"""Bytes at the end of a checkpoint: the SHA-256 of those before."""

History = list[dict[str, int | float]]
"""A row for each epoch that was trained, the first key being `epoch`, from 1."""


@runtime_checkable
class Stateful(Protocol):
    """A module, an optimiser or a schedule."""

    def state_dict(self) -> dict[str, Any]:
        """All that is to be kept."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any:
        """Take it over again."""


class Checkpoint:
    """The checkpoint of one training.

    Args:
        path: where it lies or will lie.
        writes: whether `save` writes; of several processes that share a training one does.
    """

    def __init__(self, path: Path, *, writes: bool = True):
        self.path = path
        self._writes = writes
        self._next = 0.0  # earliest time of another one, by the monotonic clock

    @property
    def epoch(self) -> int:
        """The epoch it was written after; 0 where there is none."""
        return len(self._read()["history"]) if self.path.exists() else 0

    def _read(self) -> dict[str, Any]:
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise ScopleError(f"The checkpoint {self.path} cannot be read: remove it to start anew.") from error
        # Of what is sealed with its own digest the rest is as it was written.
        state, seal = content[:-SEAL], content[-SEAL:]
        if hashlib.sha256(state).digest() != seal:
            raise ScopleError(f"The checkpoint {self.path} is damaged: remove it to start anew.")
        return torch.load(BytesIO(state), map_location="cpu", weights_only=True)

    def restore(self, parts: Mapping[str, Stateful | torch.Generator]) -> History:
        """Put the training's parts into the state that was kept.

        Args:
            parts: as they stand at the start; the names are those of `save`. Without a checkpoint they stay so.

        Returns:
            A row for each epoch that is done.

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
        """Keep the state after an epoch, unless the one before was kept too short a time ago.

        Args:
            parts: all that the later epochs depend on, by name.
            history: a row for each epoch that is done.
            is_last: whether the training is over; this state is kept in any case.

        Raises:
            ScopleError: the disk is full; the checkpoint before is still there.
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
            os.fsync(file.fileno())  # a rename must not outrun the content when the machine fails
        end = time.monotonic()
        self._next = end + PAUSE * (end - start)


def fingerprint(settings: Any, files: Mapping[str, Path]) -> str:
    """Digest of settings and of files' names and contents: 32 hexadecimal digits.

    Args:
        settings: whatever JSON can hold; the order of keys does not count.
        files: name → where it lies, in any order; only the name and the content count.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, path in sorted(files.items()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"\n{content} {name}".encode())
    return digest.hexdigest()[:32]
