"""Reading the packed corpus: the samples of a data set as they are, or as the backbone sees them."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float32, Int
from torch import Tensor
from torch.utils.data import Dataset

from scople.base.artefacts import load_sealed_json
from scople.base.errors import ScopleError
from scople.base.files import sha256
from scople.base.shapes import JOINTS
from scople.data.packing import INDEX, TOGETHER
from scople.data.skeletons import normalise


class Corpus:
    """A packed corpus, opened for reading; sequences stay on disk until they are asked for.

    Attributes:
        index: one row per sample, sorted by name, with the columns of `scople.data.packing.INDEX`; `label` counts
            from 0, `frames` is the length, `bodies` the number of persons.
    """

    def __init__(self, index: pd.DataFrame, rows: Float32[np.ndarray, "rows V C"]):
        self.index = index
        self._rows = rows
        self._bodies = index["bodies"].to_numpy()
        self._frames = index["frames"].to_numpy()
        self._ends = np.cumsum(self._bodies * self._frames)

    @classmethod
    def open(cls, folder: str | Path) -> "Corpus":
        """Open what `scople.data.packing.write_corpus` wrote.

        Raises:
            ScopleError: the folder is missing, or its files are not those that were written together.
        """
        folder, again = Path(folder), "run the parse stage again"
        digests = load_sealed_json("corpus", folder / "digests.json", again=again)
        try:
            for name in TOGETHER:
                if sha256(folder / name) != digests.get(name):
                    raise ScopleError(f"{folder / name} is not what the parse stage wrote: {again}.")
            index = pd.read_csv(folder / "index.csv", dtype=INDEX, keep_default_na=False)
            rows = np.load(folder / "sequences.npy", mmap_mode="r", allow_pickle=False)
        except OSError as error:
            raise ScopleError(f"{error.filename} cannot be read ({error.strerror}): {again}.") from error
        if list(index.columns) != list(INDEX) or rows.dtype != np.float32 or rows.shape[1:] != (JOINTS, 3):
            raise ScopleError(f"{folder} holds a corpus of another form: {again}.")
        if (index["label"] < 0).any() or (index[["bodies", "frames"]] < 1).any(axis=None):
            raise ScopleError(f"{folder / 'index.csv'} has a negative label, or a sample without frames: {again}.")
        if len(rows) != (index["bodies"] * index["frames"]).sum():
            raise ScopleError(f"the index and the sequences in {folder} do not fit: {again}.")
        return cls(index, np.asarray(rows))

    def __len__(self) -> int:
        return len(self.index)

    def sequence(self, row: int) -> Float32[np.ndarray, "M T V C"]:
        """The sequence of a row of the index: metres, camera space, bodies chosen; a read-only view."""
        bodies, frames, end = self._bodies[row], self._frames[row], self._ends[row]
        return self._rows[end - bodies * frames : end].reshape(bodies, frames, JOINTS, 3)


class NormalisedSequences(Dataset):
    """Some rows of a corpus as `scople.data.skeletons.normalise` gives them, each time that they are read.

    Args:
        corpus: where they stand.
        rows: rows of its index; item i is row `rows[i]`.
        frames: T.
    """

    def __init__(self, corpus: Corpus, rows: Int[np.ndarray, " N"], frames: int):
        self.corpus = corpus
        self.rows = rows
        self.frames = frames

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, item: int) -> Float32[Tensor, "C T V M"]:
        return torch.from_numpy(normalise(self.corpus.sequence(int(self.rows[item])), self.frames))
