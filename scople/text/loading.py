"""Text towers by name; `scople.base.encoders` says what the names mean."""

from pathlib import Path

from scople.base.encoders import expanded, parsed
from scople.text import clip, minilm, sentence_bert
from scople.text.tower import TextTower

BY_THEMSELVES = {"clip": "openai", "minilm": "package", "sbert": "folder"}
"""Kind of encoder → the `text_weights` that say: the published ones, or for `sbert` those in the folder of its name."""


def load_tower(text_encoder: str, weights: str) -> TextTower:
    """A frozen text encoder with its published weights, on the CPU.

    Args:
        text_encoder: its name.
        weights: for CLIP a tag of open_clip, such as "openai", or the path of a local file; for MiniLM "package" or the
            path of a local folder; for Sentence-BERT "folder" or the path of another folder than that of its name.

    Raises:
        ScopleError: the name is unknown, or the weights are missing or not the published ones.
    """
    kind, model = parsed(text_encoder)
    if kind == "clip":
        return clip.ClipTower.pretrained(weights, model)
    if kind == "minilm":
        return minilm.MiniLmTower.pretrained(weights)
    return sentence_bert.SentenceBertTower.from_folder(_folder(model, weights))


def find_weights(text_encoder: str, weights: str) -> tuple[Path, bool]:
    """Find the file that `load_tower` would read and check its digest; nothing is loaded or downloaded.

    Returns:
        The file; and whether there was a published digest to check.

    Raises:
        ScopleError: the file is missing, or is not the published one.
    """
    kind, model = parsed(text_encoder)
    if kind == "clip":
        return clip.find_weights(weights, model)
    if kind == "minilm":
        return minilm.find_weights(weights), True
    folder = _folder(model, weights)
    sentence_bert.pooling_of(folder)
    return sentence_bert.find_weights(folder), False


def random_tower(text_encoder: str, weights: str) -> TextTower:
    """An encoder as `load_tower` gives it, but with random weights: what takes its time and memory before it is there.

    Raises:
        ScopleError: the name is unknown, or the folder that says the sizes is missing or damaged.
    """
    kind, model = parsed(text_encoder)
    if kind == "clip":
        return clip.ClipTower(clip.text_half(model, weights))
    if kind == "minilm":  # it comes with a package, so it is there
        return minilm.MiniLmTower.pretrained(weights)
    folder = _folder(model, weights)
    pooling, bert = sentence_bert.pooling_of(folder), sentence_bert.bert(folder)
    tokenizer = sentence_bert.tokenizer_of(folder, bert.config.vocab_size)
    return sentence_bert.SentenceBertTower(bert, tokenizer, pooling)


def _folder(model: str, weights: str) -> Path:
    return expanded(model if weights == BY_THEMSELVES["sbert"] else weights)
