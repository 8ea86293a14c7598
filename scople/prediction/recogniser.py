"""A trained model that answers: sequences and labels in, labels with probabilities out.

Every step is the pipeline's own: `normalise`, the backbone's joint features, the scores of eq. 17-18, the gate. The
candidates are always the seen classes and then the given labels, as in the evaluation. A score's last digits depend on
what shares a batch and on the list of candidates; so the same sequences in the same order with the same labels give
the evaluation's bytes, and a sequence on its own gives them up to rounding.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from scople.backbone.shift_gcn import ShiftGCN
from scople.base.documents import quoted
from scople.base.errors import ScopleError
from scople.base.shapes import JOINTS, PERSONS
from scople.data.skeletons import FARTHEST, normalise
from scople.judging.gates import apply_gate
from scople.model.scople import SCoPLe
from scople.prediction.answers import Answer
from scople.prediction.labels import check_labels
from scople.prediction.model_folder import ModelConfig, load_parts

Labels = Mapping[str, str] | Sequence[str]
"""Labels, or label → the text that is encoded in its place."""


class Recogniser:
    """A model folder, loaded.

    Attributes:
        config: what the folder says of the model.
        device: where it computes.

    Args:
        config: settings.
        backbone: frozen.
        model: frozen.
        device: where to compute.
    """

    def __init__(self, config: ModelConfig, backbone: ShiftGCN, model: SCoPLe, device: torch.device | str = "cpu"):
        self.config = config
        self.device = torch.device(device)
        self._backbone = backbone.to(self.device)
        self._model = model.to(self.device)
        self._texts: tuple[str, ...] = ()
        self._encoded = torch.empty(0)

    @classmethod
    def load(cls, folder: Path | str, *, device: str = "cpu", text_weights: str = "") -> "Recogniser":
        """Read a model folder.

        Args:
            folder: what the stage `export` wrote.
            device: "cpu", "cuda", or "auto" for CUDA where there is any.
            text_weights: see `scople.prediction.model_folder.load_parts`.

        Raises:
            ScopleError: the folder is damaged or foreign, the text encoder's weights are missing or others, or there is
                no such device.
        """
        has_cuda = torch.cuda.is_available()
        if device not in ("auto", "cpu", "cuda") or (device == "cuda" and not has_cuda):
            found = "finds one" if has_cuda else "finds no CUDA device"
            raise ScopleError(f"the device is {quoted(device)} and torch {found}: choose auto or cpu.")
        where = "cuda" if device != "cpu" and has_cuda else "cpu"
        return cls(*load_parts(Path(folder), text_weights), where)

    def predict(self, sequences: Sequence[np.ndarray], labels: Labels, *, seen_too: bool = False) -> list[Answer]:
        """Choose a label for every sequence.

        Args:
            sequences: "M T V C" each, of any length: one or two persons in metres, y up, 30 frames a second, the 25
                joints of Kinect v2; zeros where a person is absent.
            labels: what to choose from, two or more. A mapping gives each a text to encode in its place.
            seen_too: whether the model's gate first chooses between its seen classes and the given labels.

        Returns:
            An answer for each, in their order.

        Raises:
            ScopleError: a sequence has another form, a coordinate that cannot be, or nobody in it; or the labels are
                refused.
        """
        names, text = self._candidates(labels)
        features = self._features(sequences)
        if not len(features):
            return []
        seen_scores, scores = np.split(self._scores(features, text), [len(self.config.seen)], axis=1)
        given, seen = [Answer.of(names, row, is_seen=False) for row in scores], self.config.seen
        if not seen_too:
            return given
        gate = self.config.method["gate"]
        chosen = apply_gate(gate, seen_scores, scores, self.config.thresholds[gate])
        return [
            answer if is_unseen else Answer.of(seen, row, is_seen=True)
            for answer, row, is_unseen in zip(given, seen_scores, chosen.is_unseen.tolist(), strict=True)
        ]

    def attention(self, sequences: Sequence[np.ndarray], label: str, labels: Labels) -> Float32[np.ndarray, "N J"]:
        """How much one label looks at each token of every sequence, eq. 13: first the joint prompts, then the joints.

        Args:
            sequences: as for `predict`.
            label: one of the given ones, or a seen class.
            labels: as for `predict`.

        Raises:
            ScopleError: as for `predict`.
        """
        names, text = self._candidates(labels)
        row = len(self.config.seen) + names.index(label) if label in names else self.config.seen.index(label)
        with torch.no_grad():
            parts = [
                self._model.attention(batch, text[row][None])[:, 0].cpu()
                for batch in self._batches(self._features(sequences))
            ]
        return torch.cat(parts).numpy()

    def encode(self, labels: Labels) -> None:
        """Encode the labels now; the next calls with the same ones find them encoded.

        Raises:
            ScopleError: fewer than two, one that cannot be read or is too long for the text encoder, or two that it
                reads alike.
        """
        self._candidates(labels)

    def seen_among(self, labels: Labels) -> list[str]:
        """The labels that are seen classes of the model, or have one as their text: of those nothing is zero-shot.

        Capitals, blanks and a point at the end make no difference.
        """
        texts = labels if isinstance(labels, Mapping) else dict.fromkeys(labels, "")
        seen = {self._read(_bare(name)) for name in self.config.seen}
        return [label for label in texts if seen & {self._read(_bare(each)) for each in (label, texts[label] or label)}]

    def _read(self, text: str) -> tuple[int, ...]:
        """What the text encoder reads of a text: its tokens."""
        return tuple(self._model.text.tower.encode(text))

    def _refuse_alike(self, texts: Mapping[str, str]) -> None:
        """Refuse two labels whose texts have the same tokens, since their scores would be the same."""
        found: dict[tuple[int, ...], str] = {}
        for label, text in texts.items():
            other = found.setdefault(self._read(text), label)
            if other != label:
                raise ScopleError(
                    f"the text encoder reads the labels {quoted(other)} and {quoted(label)} alike, as it does with "
                    "capitals, blanks and words of a language that it does not know: leave one out, or word it "
                    "otherwise."
                )

    def _candidates(self, labels: Labels) -> tuple[list[str], Float[Tensor, "K E"]]:
        """Names of the given labels, and embeddings of the seen classes and then of these."""
        if isinstance(labels, str):
            raise ScopleError(f"labels is the text {quoted(labels)}, but must be a list: put each label into it.")
        texts = dict(labels) if isinstance(labels, Mapping) else dict(zip(labels, labels, strict=True))
        if len(texts) < len(labels):
            raise ScopleError("a label is given twice: leave only one.")
        check_labels(texts)
        wanted = (*self.config.seen, *texts.values())
        if wanted != self._texts:
            self._refuse_alike(texts)
            with torch.no_grad():
                self._encoded = self._model.embed_text(self._model.text.tokenize(list(wanted)))
            self._texts = wanted
        return list(texts), self._encoded

    def _features(self, sequences: Sequence[np.ndarray]) -> Float32[np.ndarray, "N V D"]:
        """Joint features G; none where there are no sequences."""
        if not len(sequences):
            return np.empty((0, JOINTS, 0), np.float32)
        normalised = [self._normalised(number, sequence) for number, sequence in enumerate(sequences, 1)]
        size = self.config.batches["features"]
        batches = (normalised[start : start + size] for start in range(0, len(normalised), size))
        with torch.no_grad():
            parts = [self._backbone.joint_features(torch.stack(batch).to(self.device)).cpu() for batch in batches]
        return torch.cat(parts).numpy()

    def _normalised(self, number: int, sequence: np.ndarray) -> Float32[Tensor, "C T V M"]:
        shape = getattr(sequence, "shape", ())
        if len(shape) != 4 or not 1 <= shape[0] <= PERSONS or not shape[1] or shape[2:] != (JOINTS, 3):
            raise ScopleError(
                f"sequence {number} has the shape {quoted(shape)}, but must be an array of 1 or {PERSONS} persons, "
                f"frames, {JOINTS} joints and 3 coordinates: bring it into this order."
            )
        sequence = np.ascontiguousarray(sequence, np.float32)
        if not (np.abs(sequence) <= FARTHEST).all():
            raise ScopleError(
                f"sequence {number} has a coordinate that is no number or is beyond {FARTHEST:g} metres: give metres."
            )
        if not sequence.any():
            raise ScopleError(f"sequence {number} has nobody in it, all its {shape[1]} frames are zeros: leave it out.")
        return torch.from_numpy(normalise(sequence, self.config.frames))

    def _batches(self, features: Float32[np.ndarray, "N V D"]) -> list[Float32[Tensor, "B V D"]]:
        size = self.config.batches["scores"]
        parts = np.split(features, range(size, len(features), size))
        return [torch.tensor(part, device=self.device) for part in parts]

    def _scores(self, features: Float32[np.ndarray, "N V D"], text: Float[Tensor, "K E"]) -> Float32[np.ndarray, "N K"]:
        """As `scople.methods.fitting.score`, but the texts are encoded once for all calls."""
        with torch.no_grad():
            scores = torch.cat([self._model.class_scores(part, text).cpu() for part in self._batches(features)])
        if not scores.isfinite().all():
            raise ScopleError("a score is not finite: the model is no good, export another one.")
        return scores.numpy()


def _bare(text: str) -> str:
    """A text as it is held against a seen class: in small letters, without a point at its end."""
    return text.casefold().rstrip(" .!")
