"""SCoPLe assembled: text embeddings, one skeleton embedding per candidate class, and class scores.

Nothing here takes a label or a target. A sample is embedded once for every candidate class, with the text of that class
as the sampler's query (eq. 17-18), both in training and in testing. The losses are in `scople.model.losses`.
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from scople.base.errors import ScopleError
from scople.model.projection import Projection, chained
from scople.model.sampler import Sampler
from scople.model.skeleton_prompts import SkeletonPrompts
from scople.text.tower import Tokens

LARGEST_SCALE = 100.0
"""Similarities are multiplied by at most this, as in openai/CLIP."""


class SCoPLe(nn.Module):
    """Prompt learning on two sides: a frozen text encoder and frozen joint features.

    Initial weights come from torch's global generator: create the model within `scople.base.seeding.seeded`.

    Args:
        text: gives `tokenize(class_names) -> Tokens` and `forward(tokens) -> "K E"`, see
            `scople.model.language_prompts.LanguagePrompts`.
        text_width: E, width of its embeddings.
        feature_width: D, width of a joint feature.
        joint_prompts: P, the paper's L_pv.
        joint_prompt_std: standard deviation of P^V at initialisation.
        sampler: whether eq. 11-14 weight the tokens [P^V; G]. Unstated: without it, R is their mean, and V is the same
            for all candidates.
        sampler_width: h.
        representation_width: d_R.
        sampler_query: Unstated: see `Sampler`.
        sampler_bias: Unstated: see `Sampler`.
        token_norm: Unstated: whether each joint feature is L2-normalised first (as in azzh1/PURLS).
        projection_hidden: width of the hidden layer of 𝒱.
        similarity: Unstated: of V and F; "cosine" (as in CLIP) or the plain "dot" product that eq. 15-18 print.
        temperature: initial tau. Unstated: similarities are divided by it.
        learn_temperature: Unstated: whether tau is learned, as log(1 / tau), as in CLIP.

    Raises:
        ScopleError: `temperature` is below CLIP's bound, 0.01.
    """

    def __init__(
        self,
        text: nn.Module,
        *,
        text_width: int,
        feature_width: int,
        joint_prompts: int,
        joint_prompt_std: float,
        sampler: bool,
        sampler_width: int,
        representation_width: int,
        sampler_query: Literal["raw", "unit"],
        sampler_bias: bool,
        token_norm: bool,
        projection_hidden: int,
        similarity: Literal["cosine", "dot"],
        temperature: float,
        learn_temperature: bool,
    ) -> None:
        super().__init__()
        if temperature < 1 / LARGEST_SCALE:
            raise ScopleError(f"temperature is {temperature}, but must be at least {1 / LARGEST_SCALE}: raise it.")
        self.text = text
        self.skeleton_prompts = SkeletonPrompts(
            joint_prompts=joint_prompts, feature_width=feature_width, joint_prompt_std=joint_prompt_std
        )
        self.sampler = (
            Sampler(
                text_width=text_width,
                feature_width=feature_width,
                sampler_width=sampler_width,
                representation_width=representation_width,
                sampler_query=sampler_query,
                sampler_bias=sampler_bias,
            )
            if sampler
            else None
        )
        self.projection = Projection(
            input_width=representation_width if sampler else feature_width,
            projection_hidden=projection_hidden,
            text_width=text_width,
        )
        self.logit_scale = nn.Parameter(torch.tensor(-math.log(temperature)), requires_grad=learn_temperature)
        self.token_norm = token_norm
        self.similarity = similarity

    def embed_text(self, tokens: Tokens) -> Float[Tensor, "K E"]:
        """Text embeddings F, one row for each candidate class; any norm."""
        return self.text(tokens)

    def embed_skeletons(
        self, features: Float[Tensor, "B V D"], text: Float[Tensor, "*B K E"]
    ) -> Float[Tensor, "B _K E"]:
        """Embedding V of every sample for every candidate class, eq. 11-14 and 𝒱.

        Args:
            features: joint features G.
            text: embeddings F of the candidates, any norm: "K E", or "B K E" if each sample has its own.

        Returns:
            Entries in (-1, 1). Without a sampler there is one embedding for each sample, "B 1 E".
        """
        tokens = self._tokens(features)
        if self.sampler is None:
            return self.projection(tokens.mean(dim=1, keepdim=True))
        weights = self.sampler(tokens, text)
        # Eq. 14 and the first layer of 𝒱 are (A [P^V; G] W_V) W_1 + b_1. Each row of A sums to 1, so the two linear
        # maps can be applied to the tokens before the weighted mean: to J rows a sample instead of K.
        return self.projection.outer(weights @ chained(tokens, self.sampler.value, self.projection.inner))

    def attention(self, features: Float[Tensor, "B V D"], text: Float[Tensor, "K E"]) -> Float[Tensor, "B K J"]:
        """Attention of each candidate class to each token, eq. 13: first the P prompts, then the V joints."""
        tokens = self._tokens(features)
        if self.sampler is None:
            samples, count = tokens.shape[:2]
            return tokens.new_full((samples, len(text), count), 1 / count)
        return self.sampler(tokens, text)

    def logits(self, skeletons: Float[Tensor, "B _K E"], text: Float[Tensor, "K E"]) -> Float[Tensor, "B K"]:
        """Similarity of V and F, divided by the temperature.

        Args:
            skeletons: V of sample b for class k, or one V for all classes; any norm.
            text: F, any norm.

        Returns:
            Logits before the softmax; columns in the row order of `text`.
        """
        if self.similarity == "cosine":
            text = F.normalize(text, dim=-1)
        products = torch.einsum("bke,ke->bk", skeletons, text)
        if self.similarity == "cosine":
            # Dividing the products avoids a normalised copy of all B x K embeddings.
            products = products / skeletons.norm(dim=-1).clamp_min(1e-12)
        return self.logit_scale.exp() * products

    def class_scores(self, features: Float[Tensor, "B V D"], text: Float[Tensor, "K E"]) -> Float[Tensor, "B K"]:
        """Logits of the candidate classes, eq. 17-18: each class's text is compared with the V that it queried.

        Args:
            features: joint features G.
            text: embeddings F of the candidate classes, any norm.

        Returns:
            Logits before the softmax; the largest is the predicted class. Columns in the row order of `text`.
        """
        return self.logits(self.embed_skeletons(features, text), text)

    @torch.no_grad()
    def bound_temperature(self) -> None:
        """Keep the factor of the similarities at most `LARGEST_SCALE`; called after every training step."""
        self.logit_scale.clamp_(max=math.log(LARGEST_SCALE))

    def _tokens(self, features: Float[Tensor, "B V D"]) -> Float[Tensor, "B J D"]:
        return self.skeleton_prompts(F.normalize(features, dim=-1) if self.token_norm else features)
