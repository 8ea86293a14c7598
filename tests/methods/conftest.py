"""One thread for all of these tests."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread(_two_threads):
    """On tensors this small a second thread only waits, for long where the machine is busy."""
    torch.set_num_threads(1)
