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
        ScopleError: unknown name, or weights that are missing or not the published ones.
    """
    if text_encoder == "clip":
        return clip.ClipTower.pretrained(weights)
    if text_encoder != "minilm":
        raise ScopleError(f"text_encoder is '{text_encoder}', but must be clip or minilm: choose one.")
    return minilm.MiniLmTower.pretrained(weights)


def find_weights(text_encoder: str, weights: str) -> Path:
    """The file that `load_tower` would read, found and its digest checked; nothing is loaded or downloaded.

    Raises:
        ScopleError: it is not there, or not the published one.
    """
    return {"clip": clip, "minilm": minilm}[text_encoder].find_weights(weights)
