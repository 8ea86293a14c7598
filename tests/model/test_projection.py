"""The projection against scalar arithmetic."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from scople.base.seeding import seeded
from scople.model.projection import Projection, chained


def test_projection_is_linear_silu_linear_tanh():
    with seeded(1, "projection"):
        model = Projection(input_width=3, projection_hidden=7, text_width=5).double()
    inputs = torch.randn(2, 11, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def linear(layer: nn.Linear, row: list[float]) -> list[float]:
        weights, biases = layer.weight.tolist(), layer.bias.tolist()
        return [sum(w * x for w, x in zip(line, row, strict=True)) + b for line, b in zip(weights, biases, strict=True)]

    expected = np.empty((2, 11, 5))
    for index in np.ndindex(2, 11):
        hidden = [h / (1 + math.exp(-h)) for h in linear(model.inner, inputs[index].tolist())]
        expected[index] = [math.tanh(v) for v in linear(model.last, hidden)]
    np.testing.assert_allclose(model(inputs).detach(), expected, atol=1e-12)


@pytest.mark.parametrize("bias", [False, True])
def test_chained_maps_are_one_after_the_other(bias):
    with seeded(1, "maps"):
        first, second = nn.Linear(3, 7, bias=bias).double(), nn.Linear(7, 5).double()
    inputs = torch.randn(2, 11, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(chained(inputs, first, second), second(first(inputs)))
