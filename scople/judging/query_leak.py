"""A LEAK, NO RESULT: what PURLS would score if the text of a sample's true class were its query (azzh1/PURLS).

The published code asks with the texts of the true class in training, validation and test alike, so that the query tells
the answer. `scople.methods.purls` lets every candidate ask with its own texts. These numbers say how much the leak is
worth; they stand in a table of diagnostics and nowhere else.
"""

import numpy as np
import torch
from jaxtyping import Float, Int

from scople.judging.diagnostics import Measured, oracle_query_leak, spreads
from scople.judging.metrics import zsl_accuracy
from scople.methods.method import ClassTexts
from scople.methods.purls import Purls

LEAKING = ("purls", "purls_candidate")
"""Variants whose query is a text."""


@torch.no_grad()
def query_leak(
    method: Purls,
    features: Float[np.ndarray, "N I V D"],
    texts: ClassTexts,
    targets: Int[np.ndarray, " N"],
    *,
    batch_size: int,
    device: torch.device,
) -> dict[str, Measured]:
    """The leak on samples of unseen classes, beside the honest accuracy and chance.

    Args:
        method: trained, one whose query is a text; moved to the device.
        features: of the samples.
        texts: of the K unseen classes.
        targets: row of each sample's true class: the leak.
        batch_size: samples at a time.
        device: where to compute.

    Returns:
        Value and reference of four of `scople.judging.diagnostics.QUANTITIES`.
    """
    method.to(device).eval()
    text = method.slots(texts.to(device))
    parts = torch.tensor(features, device=device).split(batch_size)
    skeletons = torch.cat([method.embed_whole(method.attend(part, text.unsqueeze(0))) for part in parts])  # "N K E"
    whole = method.scale[-1] * text[:, -1]
    honest = zsl_accuracy((skeletons * whole).sum(dim=-1).cpu().numpy(), targets)
    leak, shuffled = oracle_query_leak(lambda asked, _: asked.squeeze(1) @ whole.T, skeletons, text[:, -1], targets)
    chance = 100 / len(texts)
    return {
        "zsl": Measured(honest, chance),
        "oracle_query_leak": Measured(leak, honest),
        "oracle_query_leak_skeletons_shuffled": Measured(shuffled, chance),
        "spread_over_candidates": Measured(*spreads(skeletons)),
    }
