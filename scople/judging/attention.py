"""Which tokens of a skeleton a class name attends to, averaged over samples: of SCoPLe the sampler's weights, eq. 13.

Samples are grouped by their true class, so this is for inspection only: nothing is scored, and no score depends on it.
"""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Float32, Int

from scople.base.seeding import torch_generator
from scople.data.joints import JOINT_NAMES
from scople.methods.method import ClassTexts, Method


def attention_by_class(
    method: Method,
    features: Float32[np.ndarray, "N I V D"],
    targets: Int[np.ndarray, " N"],
    texts: ClassTexts,
    *,
    batch_size: int,
    device: torch.device,
    seed: int,
) -> Float32[np.ndarray, "K J"]:
    """Mean attention of each class over its own samples, with its own text as query.

    For example, the mean of "drink water" is over samples of "drink water", with that name as the query; the attention
    of the other names to these samples is not used. At most one batch of attention is in memory at a time.

    Args:
        method: moved to the device.
        features: of the samples.
        targets: row in `texts` of each sample's true class.
        texts: of the classes.
        batch_size: samples at a time; it changes only memory and rounding.
        device: where to compute.
        seed: root seed; decides what a method draws to prepare for the classes.

    Returns:
        Weights that sum to 1 over the tokens: first the joint prompts, then the joints; NaN if a class has no samples,
        and for a method that tells no attention.
    """
    method.to(device).eval()
    if not method.tells_attention:
        return np.full((len(texts), features.shape[2]), np.nan, np.float32)
    means = []
    with torch.no_grad():
        candidates = method.prepare(texts.to(device), torch_generator(seed, "scoring"))
        for target in range(len(texts)):
            own = features[targets == target]
            total = 0
            for part in np.split(own, range(batch_size, len(own), batch_size)):
                total += method.attention(torch.tensor(part, device=device), candidates, target).sum(dim=0)
            means.append(total / len(own))  # 0 / 0 is NaN
    return torch.stack(means).cpu().numpy()


def attention_table(
    attention: Float[np.ndarray, "K J"], class_names: list[str], is_unseen: Bool[np.ndarray, " K"]
) -> pd.DataFrame:
    """The attention as a table with named rows and columns.

    Returns:
        Columns label, is_unseen, "prompt 1", "prompt 2", …, and the 25 joints in file order; a row for each class.
    """
    prompts = attention.shape[1] - len(JOINT_NAMES)
    columns = [*(f"prompt {number}" for number in range(1, prompts + 1)), *JOINT_NAMES]
    table = pd.DataFrame(attention, columns=columns)
    table.insert(0, "is_unseen", is_unseen)
    table.insert(0, "label", class_names)
    return table
