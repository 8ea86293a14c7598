"""A text side that costs nothing, and a SCoPLe over it in which no two sizes are equal."""

import torch
from torch import nn

from scople.base.seeding import seeded, torch_generator
from scople.model.scople import SCoPLe
from scople.text.tower import Tokens

TEXT_WIDTH, FEATURE_WIDTH, JOINTS = 11, 7, 5


class ConstantText(nn.Module):
    """Random embeddings by class name, the same for a name whoever asks.

    Args:
        table: embedding of each name; random ones where none are given.
        learned: whether the embeddings are parameters that train.
    """

    def __init__(self, table: dict[str, torch.Tensor], *, learned: bool = False) -> None:
        super().__init__()
        self.names = list(table)
        self.table = nn.Parameter(torch.stack(list(table.values())), requires_grad=learned)
        self.calls = 0

    @classmethod
    def random(cls, names: list[str], width: int = TEXT_WIDTH, *, learned: bool = False) -> "ConstantText":
        return cls({name: torch.randn(width, generator=torch_generator(7, name)) for name in names}, learned=learned)

    def tokenize(self, class_names: list[str]) -> Tokens:
        return Tokens.arrange([[self.names.index(name)] for name in class_names], share=False)

    def forward(self, tokens: Tokens) -> torch.Tensor:
        self.calls += 1
        return self.table[tokens.ids[tokens.rank]]


def names(count: int) -> list[str]:
    return [f"action {k}" for k in range(count)]


def build(text: nn.Module, seed: int = 1, **changes) -> SCoPLe:
    """A small SCoPLe with the paper's settings, but for its sizes and `changes`."""
    settings = {
        "text_width": TEXT_WIDTH,
        "feature_width": FEATURE_WIDTH,
        "joint_prompts": 3,
        "joint_prompt_std": 1.0,
        "sampler": True,
        "sampler_width": 13,
        "representation_width": 17,
        "sampler_query": "raw",
        "sampler_bias": False,
        "token_norm": False,
        "projection_hidden": 19,
        "similarity": "cosine",
        "temperature": 0.07,
        "learn_temperature": True,
    }
    with seeded(seed, "test"):
        return SCoPLe(text, **(settings | changes))
