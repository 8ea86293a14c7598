"""SCoPLe's losses: the text that is the query in training, and the contrastive loss in both directions, eq. 15-16.

The paper trains every sample with the text of its *own* label as the sampler's query and contrasts the pairs of a
batch. The label can then reach the loss through the attention alone: the loss falls even if the skeletons are shuffled
among the samples. This cannot happen with one query for each *candidate*, as in testing by eq. 17-18. Both ways give a
matrix of logits with one row for each sample, and a target column for each row; the two terms are computed from these.
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
    """Logits of a batch and the target column of each row.

    Args:
        model: gives embeddings and logits.
        features: joint features of the batch.
        text: embeddings of all seen classes.
        targets: row in `text` of each sample's class.
        training_query: "candidate": logit (i, o) compares V(x_i, F_o) with F_o; the columns are the seen classes, and
            training is like testing. "own": eq. 15-16 literally, logit (i, j) compares V(x_i, F_{y_i}) with F_{y_j};
            the columns are the texts of the batch's samples. Unstated: two samples of one class are negatives.

    Returns:
        Logits, and the target column of each row.
    """
    if training_query == "candidate":
        return model.class_scores(features, text), targets
    own = F.embedding(targets, text)  # not text[targets]: its gradient is summed in no fixed order
    skeletons = model.embed_skeletons(features, own.unsqueeze(1))
    return model.logits(skeletons, own), torch.arange(len(targets), device=targets.device)


def skeleton_to_text(logits: Float[Tensor, "B K"], targets: Int[Tensor, " B"]) -> Float[Tensor, ""]:
    """Find each sample's text, eq. 15: cross-entropy over the columns, mean over the samples."""
    return F.cross_entropy(logits, targets)


def text_to_skeleton(logits: Float[Tensor, "B K"], targets: Int[Tensor, " B"]) -> Float[Tensor, ""]:
    """Find each text's samples, eq. 16: cross-entropy over the rows, mean over the classes present.

    Unstated: if a class has several samples in the batch, its target is spread evenly over them.

    Args:
        logits: one row a sample, one column a text.
        targets: column of each sample.

    Returns:
        -sum_i log softmax_i / n over the n samples i of a column; the mean of this over the columns with a sample.
    """
    chosen = F.log_softmax(logits, dim=0).gather(1, targets.unsqueeze(1)).squeeze(1)
    samples = F.one_hot(targets, logits.shape[1]).sum(dim=0)
    return -(chosen / samples[targets]).sum() / (samples > 0).sum()


def weighted(skeleton_term: Float[Tensor, ""], text_term: Float[Tensor, ""], text_weight: float) -> Float[Tensor, ""]:
    """The loss: text_weight x text-to-skeleton term + (1 - text_weight) x the other. Unstated: one half each."""
    return (1 - text_weight) * skeleton_term + text_weight * text_term
