"""Text towers by name."""

from pathlib import Path

from scople.base.errors import ScopleError
from scople.text import clip, minilm
from scople.text.tower import TextTower


def load_tower(text_encoder: str, weights: str) -> TextTower:
    """A frozen text encoder with its published weights, on the CPU.

    Args:
        text_encoder: "clip" (ViT-B/32, the paper's) or "minilm" (all-MiniLM-L6-v2).
        weights: for CLIP "openai" or the path of a local file; for MiniLM "package" or
            the path of a local folder.

    Raises:
        ScopleError: the name is unknown, or the weights are missing or not the published ones.
    """
    if text_encoder == "clip":
        return clip.ClipTower.pretrained(weights)
    if text_encoder != "minilm":
        raise ScopleError(f"text_encoder is '{text_encoder}', but must be clip or minilm: choose one.")
    return minilm.MiniLmTower.pretrained(weights)


def find_weights(text_encoder: str, weights: str) -> Path:
    """Find the file that `load_tower` would read and check its digest; nothing is loaded or downloaded.

    Raises:
        ScopleError: the file is missing, or is not the published one.
    """
    return {"clip": clip, "minilm": minilm}[text_encoder].find_weights(weights)
