"""The ranking loss that ReViSE and JPoSE share, as both were run on skeletons (skelemoa/synse-zsl)."""

from jaxtyping import Float
from torch import Tensor


def hinge(
    skeletons: Float[Tensor, "B Q"],
    own: Float[Tensor, "B Q"],
    candidates: Float[Tensor, "S Q"],
    margin: float,
) -> Float[Tensor, ""]:
    """(1/B) sum_b sum_y max(0, margin + s_b . e_y - s_b . t_b), y over all seen classes.

    As published, y runs over the true class too, so the loss is never below `margin` and each t_b is always pulled
    towards s_b; and no gradient reaches e_y, so other classes push s_b only.

    Args:
        skeletons: s, embedding of each sample.
        own: t, embedding of the text of its class.
        candidates: e, embedding of each seen class; taken without gradient.
        margin: by how much the own class has to win.
    """
    others = skeletons @ candidates.detach().T
    return (margin + others - (skeletons * own).sum(dim=1, keepdim=True)).relu().sum() / len(skeletons)
