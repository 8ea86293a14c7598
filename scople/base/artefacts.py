"""Files that one stage hands to the next: finite numbers, sealed against damage, with a note of what they belong to.

Tensors (safetensors) and JSON documents carry a description and a seal. The description says what the file holds and
what that belongs to. It has no time, path or machine, so the same content gives the same bytes. The seal is the SHA-256
of the whole file with zeros in the seal's own place. It is checked before anything is parsed, so a reader only parses
what this module wrote. Tables (CSV) have room for neither; their columns, types and numbers are checked.
"""

import hashlib
import json
import mmap
import re
import sys
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from scople.base.errors import ScopleError
from scople.base.files import whole

VERSION = "1"
"""Version of the form of all artefacts; files of another version must be made again."""

NAME = "artefact"
"""Key of the description in the file."""

OPEN = "sha256:" + 64 * "0"
"""Stands in place of the seal until the file is complete."""

SEAL = re.compile(rb"sha256:([0-9a-f]{64})")
HEAD = 2**16
"""Bytes at the beginning of a file that hold its seal."""


def save_tensors(kind: str, tensors: Mapping[str, Tensor], path: Path, **belongs: str) -> None:
    """Write one safetensors file, whole or not at all.

    Args:
        kind: what the file holds.
        tensors: by name.
        path: where to.
        **belongs: what the tensors belong to, for the reader to compare.

    Raises:
        ScopleError: a number is not finite.
    """
    if name := not_finite(tensors):
        raise ScopleError(
            f"{name} of the {kind} for {path} is not finite: lower the learning rates, or make its inputs again."
        )
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    description = json.dumps(_description(kind, belongs, OPEN), sort_keys=True)
    with whole(path) as beside:
        save_file(held, beside, metadata={NAME: description})
        _close(beside)


def load_tensors(kind: str, path: Path, *, again: str, **belongs: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read what `save_tensors` wrote.

    Args:
        kind: as it was written.
        path: where from.
        again: how to make the file again; ends the error's sentence.
        **belongs: what the file must belong to.

    Returns:
        The tensors on the CPU, and the whole description.

    Raises:
        ScopleError: the file is missing, damaged, of another kind or belongs to something else.
    """
    _check_seal(path, again)
    with safe_open(path, framework="pt") as file:
        description = json.loads(file.metadata()[NAME])
        _compare(path, description, _description(kind, belongs), again)
        return {name: file.get_tensor(name) for name in file.keys()}, description  # noqa: SIM118 (no mapping)


def load_weights(module: nn.Module, kind: str, path: Path, *, again: str, **belongs: str) -> None:
    """Load the `state_dict` of a module as `save_tensors` wrote it.

    Raises:
        ScopleError: as for `load_tensors`, or the weights have other names or shapes.
    """
    tensors, _ = load_tensors(kind, path, again=again, **belongs)
    found, wanted = (
        {name: tuple(tensor.shape) for name, tensor in each.items()} for each in (tensors, module.state_dict())
    )
    if found != wanted:
        name = min(name for name, _ in found.items() ^ wanted.items())
        raise ScopleError(
            f"{path} has {name} as {found.get(name, 'missing')}, but the {kind} has it as "
            f"{wanted.get(name, 'missing')}: {again}."
        )
    module.load_state_dict(tensors)


def content_digest(tensors: Mapping[str, Tensor]) -> str:
    """Digest of names, types, shapes and numbers: 32 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]


def not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """Name of the first tensor with a number that is not finite."""
    return next((name for name, tensor in tensors.items() if not _is_finite(tensor)), None)


def _is_finite(tensor: Tensor) -> bool:
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    return all(torch.isfinite(end) for end in torch.aminmax(tensor))  # aminmax passes NaN on and copies nothing


def save_json(document: Any, path: Path) -> None:
    """Write a JSON document, whole or not at all; a number that is not finite is a fault of the caller."""
    with whole(path) as beside:
        beside.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")


def save_sealed_json(kind: str, document: Mapping[str, Any], path: Path, **belongs: str) -> None:
    """Write a JSON object with its description as first entry; a number that is not finite is a fault of the caller."""
    with whole(path) as beside:
        sealed = {NAME: _description(kind, belongs, OPEN), **document}
        beside.write_text(json.dumps(sealed, indent=2, allow_nan=False) + "\n")
        _close(beside)


def load_sealed_json(kind: str, path: Path, *, again: str, **belongs: str) -> dict[str, Any]:
    """Read what `save_sealed_json` wrote, without the description; arguments and errors as for `load_tensors`."""
    _check_seal(path, again)
    document = json.loads(path.read_text(encoding="utf-8"))
    _compare(path, document.pop(NAME), _description(kind, belongs), again)
    return document


def load_flat_json(text: str | bytes, kind: type, path: Path, *, again: str) -> dict[str, Any]:
    """Parse the flat JSON object of a results file, which carries no seal.

    Args:
        text: what was read.
        kind: type of every value: str, or float for finite numbers.
        path: the file it was read from, for the error's sentence.
        again: as for `load_tensors`.

    Raises:
        ScopleError: the text is not such an object.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ScopleError(f"{path} is no JSON ({str(error)[:80]}): {again}.") from error
    if not isinstance(document, dict) or not document:
        raise ScopleError(f"{path} holds no JSON object with entries: {again}.")
    for name, value in document.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (is_number and abs(value) <= sys.float_info.max if kind is float else isinstance(value, kind)):
            wanted = "a finite number" if kind is float else "text"
            raise ScopleError(f"{path} has {str(value)[:80]!r} as {name[:40]!r}, but needs {wanted} there: {again}.")
    return document


def load_table(
    path: Path,
    columns: Mapping[str, type],
    *,
    again: str,
    gaps: bool = False,
    may_be_empty: bool = False,
    text: str | None = None,
) -> pd.DataFrame:
    """Read a CSV table.

    Args:
        path: where from.
        columns: name → type (str, int, float or bool) of each column that must be there; other columns hold numbers.
        again: as for `load_tensors`.
        gaps: whether a number may be missing.
        may_be_empty: whether there may be no row.
        text: content of `path`, if it was read already.

    Returns:
        A table with at least one row, unless it may have none.

    Raises:
        ScopleError: the file is missing or not such a table, an entry has another type, or a number is not finite.
    """

    def source() -> Path | StringIO:
        return path if text is None else StringIO(text)

    try:
        types = {name: columns.get(name, float) for name in pd.read_csv(source(), nrows=0)}
        # Text stays what it is ("null" may be a class); in a column of numbers an empty field is a gap.
        empty = {name: [""] for name, kind in types.items() if gaps and kind is float}
        table = pd.read_csv(source(), dtype=types, keep_default_na=False, na_values=empty)
    except FileNotFoundError as error:
        raise ScopleError(f"{path} is missing: {again}.") from error
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise ScopleError(f"{path} is no table of the right form ({_short(error)}): {again}.") from error
    lacking = [f"column {name!r}" for name in columns if name not in types] + ["row"] * (
        len(table) == 0 and not may_be_empty
    )
    if lacking:
        raise ScopleError(f"{path} has no {lacking[0]}: {again}.")
    numbers = table.select_dtypes("number").to_numpy(float)
    if (np.isinf(numbers) if gaps else ~np.isfinite(numbers)).any():
        raise ScopleError(f"{path} has a number that is not finite: {again}.")
    return table


def _description(kind: str, belongs: Mapping[str, str], *seal: str) -> dict[str, str]:
    return {"kind": kind, "version": VERSION, **belongs, **({"seal": seal[0]} if seal else {})}


def _compare(path: Path, found: Mapping[str, str], wanted: Mapping[str, str], again: str) -> None:
    for name, value in wanted.items():
        if found.get(name) != value:
            said = f"{name} {found[name][:40]!r}" if name in found else f"no {name}"
            raise ScopleError(f"{path} is of {said}, but {name} {value[:40]!r} is needed: {again}.")


def _close(path: Path) -> None:
    """Write the digest of a file over `OPEN`."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        place = content.find(OPEN.encode()) + len("sha256:")
        content[place : place + 64] = _digest(content, place).encode()


def _check_seal(path: Path, again: str) -> None:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            seal = SEAL.search(content[:HEAD])
            if seal and _digest(content, seal.start(1)) == seal[1].decode():
                return
    except FileNotFoundError as error:
        raise ScopleError(f"{path} is missing: {again}.") from error
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise ScopleError(f"{path} cannot be read ({_short(error)}): {again}.") from error
    raise ScopleError(f"{path} is damaged, or not of the form that this release writes: {again}.")


def _digest(content: mmap.mmap, seal: int) -> str:
    """SHA-256 of a file, with zeros for the 64 bytes from position `seal`."""
    digest = hashlib.sha256(content[:seal] + 64 * b"0")
    with memoryview(content) as view, view[seal + 64 :] as rest:
        digest.update(rest)
    return digest.hexdigest()


def _short(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(reason.split())[:80]
