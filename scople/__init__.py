"""SCoPLe: semantic-guided cross-modal prompt learning for zero-shot skeleton-based action recognition.

Read `base.shapes` first, then `text.tower` and `model.language_prompts` (eq. 1-10), `model.sampler` (eq. 11-14),
`model.losses` (eq. 15-16) and `model.scople` (eq. 17-18). To use a trained model call `load`.
"""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import os

    from scople.prediction.recogniser import Recogniser


def load(
    folder: "str | os.PathLike[str]",
    *,
    device: Literal["auto", "cpu", "cuda"] = "cpu",
    text_weights: str = "",
    arithmetic: Literal["native", "portable"] = "native",
) -> "Recogniser":
    """A trained model that answers: `load(folder).predict(sequences, labels)`.

    Nothing in the folder can run code.

    Args:
        folder: a model folder, see docs/model-folders.md.
        device: where to compute; "auto" is CUDA where there is any.
        text_weights: path of the text encoder's weights; without one, the published ones from where they always are.
        arithmetic: "native" leaves the process as it is; answers agree with the pipeline's up to rounding. "portable"
            gives the pipeline's bytes: it sets the number of threads and replaces torch's matrix products on the CPU,
            for all of the process, so it has to come before NumPy and torch are imported.

    Raises:
        ScopleError: the folder is damaged, another project's or of another release; `arithmetic` is neither of the two;
            or NumPy or torch came before.
    """
    from scople.base.arithmetic import prepare, settle
    from scople.base.errors import ScopleError

    if arithmetic not in ("native", "portable"):
        raise ScopleError(f"arithmetic is {arithmetic!r}, but must be native or portable: take one of them.")
    if arithmetic == "portable":
        try:
            prepare("portable")
        except ImportError as error:
            raise ScopleError(
                "NumPy or torch was imported before portable arithmetic could be asked for: call scople.load first, or "
                "leave arithmetic='native'."
            ) from error
    from scople.prediction.recogniser import Recogniser

    recogniser = Recogniser.load(folder, device=device, text_weights=text_weights)
    if arithmetic == "portable":
        settle("portable", int(recogniser.config.computed_by["threads"]))
    return recogniser
