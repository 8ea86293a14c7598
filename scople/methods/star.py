"""STAR: parts of the body seen by learned queries, each part with its own texts (Chen et al., ACM MM 2024).

For each part o, A learned queries p_i attend to the part's joints x_t in every interval, H heads:

    a_{i,t,h} = softmax_t((W_Q p_i + b_Q)_h . (W_K x_t + b_K)_h / sqrt(E / H))
    att_i = W_out [sum_t a_{i,t,h} (W_V x_t + b_V)_h]_h + b_out
    e_i = W_2 ReLU(W_1 att_i + b_1) + b_2,    s_{o,i} = p_i^T W_o e_i,    g = sum_o s_o

Names a_y and part texts t_{y,o} come into the same R^A by n_y = mlp(a_y) and d_{y,o} = mlp_o(t_{y,o} + r_{y,o}), where
r is a learned vector for each seen class. With cosines and cross-entropies over the seen classes,

    L = 0.1 CE(cos(g, n)) + mean_o CE(cos(s_o, d_o)) + 0.1 mean_{o,y} -log softmax_k(d_{y,o} . n_k)[y]

and the score of a candidate is cos(g, n_k) / 0.07: part texts act in training alone.

All that is linear around the attention is folded, with no change of the result (a sixth of the work or less):
h_i = ReLU(sum_h sum_t a_{i,t,h} M_h x_t + b) with M_h = W_1 W_out,h W_V,h, and s_i = u_i . h_i + c_i with
u_i = W_2^T W_o^T p_i. The keys' bias moves all scores of a query alike and is not there.

Departures from the published code (cseeyangchen/STAR):

- Only seen classes' texts. In their code the third term runs over all classes, those of the test included.
- The last epoch, no crop and rotation at test, the backbone in eval mode with a map in its right order.
- Three intervals of time in place of 16 steps; `intervals: 1`, as in the profiles demo and msr, is spatial only.
- Texts come with length 1 and are scaled by `text_length`; there they are raw CLIP embeddings, of any length. A unit
  vector would vanish beside r, of length sqrt(E), and beside the layers' biases. That it is 10 is our choice, of the
  order of raw CLIP embeddings; it was not measured.
- The division by 0.07 is ours; the order of the candidates is the same, but a softmax of bare cosines is flat.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from scople.base.errors import ScopleError
from scople.methods.inputs import STAR_PARTS, Parts
from scople.methods.method import ClassTexts, Method, Progress, Samples, Update
from scople.methods.recipe import Recipe, stepped
from scople.methods.sizes import Sizes
from scople.methods.texts import STAR_FIELDS


@dataclass(frozen=True)
class StarSettings:
    """As published; `milestones` and `epochs` are those of NTU-60 (NTU-120: 30 epochs, PKU-MMD: 15 and 20).

    Attributes:
        intervals: of time.
        queries: A, of each part.
        heads: H.
        text_hidden: width between the two layers of a text's map.
        text_length: of a text before its map.
        global_weight: of the first term.
        semantic_weight: of the third term.
        score_temperature: cosines are divided by it.
        epochs: passes over the samples.
        milestones: epochs from which the rate is a tenth.
        batch_size: samples a step.
        learning_rate: of SGD with momentum.
        decay: of all weights.
    """

    intervals: int = 3
    queries: int = 100
    heads: int = 4
    text_hidden: int = 256
    text_length: float = 10.0
    global_weight: float = 0.1
    semantic_weight: float = 0.1
    score_temperature: float = 0.07
    epochs: int = 40
    milestones: tuple[int, ...] = (10, 20)
    batch_size: int = 64
    learning_rate: float = 0.01
    decay: float = 5e-4

    def recipe(self) -> Recipe:
        """SGD, the rate in steps."""
        return Recipe(
            batch_size=self.batch_size,
            epochs=self.epochs,
            rate=stepped(self.learning_rate, self.milestones),
            optimiser="sgd",
            momentum=0.9,
            nesterov=True,
            decay=self.decay,
            drop_last=True,
        )


class PartAttention(nn.Module):
    """Scores s of one part.

    Args:
        feature_width: D.
        text_width: E.
        queries: A.
        heads: H; each is E / H wide, rounded up.
    """

    def __init__(self, *, feature_width: int, text_width: int, queries: int, heads: int) -> None:
        super().__init__()
        self.heads, self.width = heads, -(-text_width // heads)
        inner = heads * self.width
        self.queries = nn.Parameter(torch.randn(queries, text_width))
        self.query, self.key = nn.Linear(text_width, inner), nn.Linear(feature_width, inner, bias=False)
        self.value, self.out = nn.Linear(feature_width, inner), nn.Linear(inner, text_width)
        for linear in (self.query, self.key, self.value):  # as in torch's own attention
            nn.init.xavier_uniform_(linear.weight)
        for linear in (self.query, self.value, self.out):
            nn.init.zeros_(linear.bias)
        self.first, self.second = nn.Linear(text_width, text_width), nn.Linear(text_width, text_width)
        self.bilinear = nn.Parameter(torch.randn(text_width, text_width))

    def forward(self, tokens: Float[Tensor, "B J D"]) -> Float[Tensor, "B A"]:
        """One number for each query."""
        batch, count, _ = tokens.shape
        heads, width = self.heads, self.width
        # Queries of every head as directions in the space of the features, "H A D".
        asked = self.query(self.queries).unflatten(-1, (heads, width)).transpose(0, 1) / width**0.5
        asked = asked @ self.key.weight.unflatten(0, (heads, width))
        attended = (tokens @ asked.flatten(0, 1).T).unflatten(-1, (heads, -1)).softmax(dim=1)  # "B J H A"
        # W_1 W_out,h W_V,h of every head, "H E D".
        outer = (self.first.weight @ self.out.weight).unflatten(-1, (heads, width)).transpose(0, 1)
        carried = tokens @ (outer @ self.value.weight.unflatten(0, (heads, width))).flatten(0, 1).T
        bias = self.first(self.out(self.value.bias))
        sums = attended.permute(0, 3, 1, 2).flatten(2) @ carried.view(batch, count * heads, -1)  # "B A E"
        asking = self.queries @ self.bilinear
        return torch.einsum("bae,ae->ba", F.relu(sums + bias), asking @ self.second.weight) + asking @ self.second.bias


class Star(Method):
    """See the module.

    Args:
        settings: of the method.
        sizes: of features and texts.
        parts: joints of each part of the body.

    Raises:
        ScopleError: no query or no head.
    """

    fields = ("name", *STAR_FIELDS)

    def __init__(self, settings: StarSettings, sizes: Sizes, parts: Parts = STAR_PARTS) -> None:
        super().__init__()
        for setting in ("queries", "heads"):
            if getattr(settings, setting) < 1:
                raise ScopleError(f"{setting} of star is 0, but must be at least 1: make it larger.")
        self.settings, self.parts, self.intervals = settings, parts, settings.intervals
        width = sizes.text_width

        def text_map() -> nn.Sequential:
            return nn.Sequential(
                nn.Linear(width, settings.text_hidden), nn.ReLU(), nn.Linear(settings.text_hidden, settings.queries)
            )

        self.attentions = nn.ModuleList(
            PartAttention(
                feature_width=sizes.feature_width, text_width=width, queries=settings.queries, heads=settings.heads
            )
            for _ in parts
        )
        self.name_map, self.part_maps = text_map(), nn.ModuleList(text_map() for _ in parts)
        self.prompts = nn.Parameter(torch.randn(len(parts), sizes.classes, width))

    def updates(
        self, samples: Samples, texts: ClassTexts, at: Progress, generator: torch.Generator
    ) -> Iterator[Update]:
        """L of the module's docstring."""
        parts, names = self.part_scores(samples.features), self.of_names(texts)
        written = [self.settings.text_length * texts.fields[name] for name in STAR_FIELDS]
        described = [part(text + own) for part, text, own in zip(self.part_maps, written, self.prompts, strict=True)]
        own = torch.arange(len(texts), device=names.device)
        whole = F.cross_entropy(cosines(sum(parts), names), samples.targets)
        part = sum(F.cross_entropy(cosines(*each), samples.targets) for each in zip(parts, described, strict=True))
        semantic = sum(F.cross_entropy(each @ names.T, own) for each in described)
        terms = {"global": whole, "part": part / len(parts), "semantic": semantic / len(parts)}
        loss = self.settings.global_weight * terms["global"] + terms["part"]
        loss = loss + self.settings.semantic_weight * terms["semantic"]
        yield Update("model", loss, {name: term.detach() for name, term in terms.items()})

    def prepare(
        self, texts: ClassTexts, generator: torch.Generator, samples: Samples | None = None
    ) -> Float[Tensor, "K A"]:
        """The candidates' names."""
        return self.of_names(texts)

    def scores(self, features: Float[Tensor, "B I V D"], candidates: Float[Tensor, "K A"]) -> Float[Tensor, "B K"]:
        """Cosines of the whole skeleton and the names over the temperature."""
        return cosines(sum(self.part_scores(features)), candidates) / self.settings.score_temperature

    def part_scores(self, features: Float[Tensor, "B I V D"]) -> list[Float[Tensor, "B A"]]:
        """S of each part."""
        tokens = (features[:, :, list(part)].flatten(1, 2) for part in self.parts)
        return [attention(part) for attention, part in zip(self.attentions, tokens, strict=True)]

    def of_names(self, texts: ClassTexts) -> Float[Tensor, "K A"]:
        """N of each class."""
        return self.name_map(self.settings.text_length * texts.fields["name"])


def cosines(one: Float[Tensor, "B A"], two: Float[Tensor, "K A"]) -> Float[Tensor, "B K"]:
    """Cosine of every row of the one with every row of the other."""
    return F.normalize(one, dim=-1) @ F.normalize(two, dim=-1).T
