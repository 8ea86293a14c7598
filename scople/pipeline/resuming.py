"""Where the stages that train keep their checkpoints, and when these are removed."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch

from scople.base.checkpoints import Checkpoint, fingerprint
from scople.base.errors import ScopleError
from scople.base.params import Params
from scople.pipeline.layout import DATASETS
from scople.pipeline.running import is_first_process

RESUME = Path(".resume")
CODE, PACKAGES = Path(__file__).parents[2], ("scople", "stages")


@contextmanager
def resumable(params: Params, *words: str, inputs: list[Path]) -> Iterator[Callable[[str], Checkpoint]]:
    """Checkpoints for the trainings within the block, in `.resume/<words>/<fingerprint>/`.

    The fingerprint covers all settings (of `machine`, only the arithmetic), the release of torch, every module of
    `scople` and `stages`, the data sets' descriptions and the contents of `inputs`. Checkpoints of the same words with
    another fingerprint are removed at the start. Those of this fingerprint are removed when the block ends without an
    error.

    Args:
        params: the whole of params.yaml.
        words: the stage and the words it was called with.
        inputs: files and folders of outputs of earlier stages that the block reads.

    Yields:
        Name of a training within the block → its checkpoint.

    Raises:
        ScopleError: there is a file in place of a folder of checkpoints.
    """
    settings = asdict(params) | {"machine": params.machine.arithmetic}
    code = {str(path.relative_to(CODE)): path for name in PACKAGES for path in (CODE / name).rglob("*.py")}
    read = {str(path): path for top in (DATASETS, *inputs) for path in (top, *top.rglob("*")) if path.is_file()}
    name = fingerprint([words, torch.__version__, settings], code | read)
    home = RESUME.joinpath(*words)
    folder = home / name
    for place in (*reversed(folder.parents), folder):
        if place.is_file():
            raise ScopleError(f"{place} is a file, but must be a folder of checkpoints: remove it.")
    if is_first_process() and home.is_dir():
        for other in home.iterdir():
            if other != folder:
                shutil.rmtree(other) if other.is_dir() else other.unlink()
    try:
        yield lambda training: Checkpoint(folder / f"{training}.pt", writes=is_first_process())
    except KeyboardInterrupt as interrupt:
        newest = sorted(folder.glob("*.pt"), key=lambda path: path.stat().st_mtime)[-2:]
        kept = [f"epoch {Checkpoint(path).epoch} of {path.stem}" for path in sorted(newest)]
        if kept:
            interrupt.add_note(f"called again, it goes on after {' and '.join(kept)}")
        raise
    if is_first_process():
        shutil.rmtree(home, ignore_errors=True)
