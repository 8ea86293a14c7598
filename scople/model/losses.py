"""What SCoPLe learns from: which text is the query in training, and the two directions of the contrast, eq. 15-16.

The paper trains every sample with the text of its *own* label as the sampler's query and contrasts the pairs of a
batch. That lets the label reach the loss through the attention without a look at the skeleton: the loss falls even
when skeletons are shuffled among the samples. With one query for each *candidate*, as eq. 17-18 test, it cannot.
Either way there is a matrix of logits, one row a sample, and a target column for each row; the two terms act on it.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from scople.model.scople import SCoPLe

TrainingQuery = Literal["candidate", "own"]


def training_logits(
    model: SCoPLe,
    features: Float[Tensor, "B V D"],
    text: Float[Tensor, "K E"],
    targets: Int[Tensor, " B"],
    training_query: TrainingQuery,
) -> tuple[Float[Tensor, "B columns"], Int[Tensor, " B"]]:
    """Logits of a batch and the column that each row belongs to.

    Args:
        model: gives embeddings and logits.
        features: joint features of the batch.
        text: embeddings of all seen classes.
        targets: row in `text` of each sample's class.
        training_query: "candidate": logit (i, o) compares V(x_i, F_o) with F_o, columns are the seen classes, and
            training does what testing does. "own": eq. 15-16 literally, logit (i, j) compares V(x_i, F_{y_i}) with
            F_{y_j}, columns are the batch's own texts; Unstated: samples of one class are each other's negatives.

    Returns:
        Logits, and the target column of each row.
    """
    if training_query == "candidate":
        return model.class_scores(features, text), targets
    own = F.embedding(targets, text)  # not text[targets], whose gradient is summed in no fixed order
    skeletons = model.embed_skeletons(features, own.unsqueeze(1))
    return model.logits(skeletons, own), torch.arange(len(targets), device=targets.device)


def skeleton_to_text(logits: Float[Tensor, "B K"], targets: Int[Tensor, " B"]) -> Float[Tensor, ""]:
    """Each sample among the texts, eq. 15: cross-entropy over the columns, mean over the samples."""
    return F.cross_entropy(logits, targets)


def text_to_skeleton(logits: Float[Tensor, "B K"], targets: Int[Tensor, " B"]) -> Float[Tensor, ""]:
    """Each text among the samples, eq. 16: cross-entropy over the rows, mean over the classes present.

    Unstated: the target of a class with several samples in the batch is spread evenly over them.

    Args:
        logits: one row a sample, one column a text.
        targets: column of each sample.

    Returns:
        Mean over the columns with a sample of -sum_i log softmax_i / n over the n samples i of that column.
    """
    chosen = F.log_softmax(logits, dim=0).gather(1, targets.unsqueeze(1)).squeeze(1)
    samples = F.one_hot(targets, logits.shape[1]).sum(dim=0)
    return -(chosen / samples[targets]).sum() / (samples > 0).sum()


def weighted(skeleton_term: Float[Tensor, ""], text_term: Float[Tensor, ""], text_weight: float) -> Float[Tensor, ""]:
    """The loss: `text_weight` of the text-to-skeleton term, the rest of the other. Unstated: one half each."""
    return (1 - text_weight) * skeleton_term + text_weight * text_term
