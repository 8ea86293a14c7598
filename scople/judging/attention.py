"""Which tokens of a skeleton a class name attends to: the sampler's attention, eq. 13, averaged over samples.

Samples are grouped by their true class, so this is for inspection only: nothing is scored, and no score depends on it.
"""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Float32, Int

from scople.data.joints import JOINT_NAMES
from scople.model.scople import SCoPLe


def attention_by_class(
    model: SCoPLe,
    features: Float32[np.ndarray, "N V D"],
    targets: Int[np.ndarray, " N"],
    class_names: list[str],
    *,
    batch_size: int,
    device: torch.device,
) -> Float32[np.ndarray, "K J"]:
    """Mean attention of each class over its own samples, with its own text as query.

    For example, the mean of "drink water" is over samples of "drink water", with that name as the query; the attention
    of the other names to these samples is not used. At most one batch of attention is in memory at a time.

    Args:
        model: moved to the device.
        features: joint features.
        targets: row in `class_names` of each sample's true class.
        class_names: the classes.
        batch_size: samples at a time; it changes only memory and rounding.
        device: where to compute.

    Returns:
        Weights that sum to 1 over the tokens: first the joint prompts, then the joints; NaN if a class has no samples.
    """
    model.to(device).eval()
    means = []
    with torch.no_grad():
        text = model.embed_text(model.text.tokenize(class_names))
        tokens = len(model.skeleton_prompts.prompts) + features.shape[1]
        for target, query in enumerate(text):
            own = features[targets == target]
            total = torch.zeros(tokens, device=device)
            for part in np.split(own, range(batch_size, len(own), batch_size)):
                total += model.attention(torch.tensor(part, device=device), query[None]).sum(dim=(0, 1))
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
