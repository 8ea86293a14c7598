"""What stands in for torchvision's compiled operators."""

import torch

from scople.text import torchvision_operators
from scople.text.torchvision_operators import declare_torchvision_operators


def test_the_libraries_can_be_imported_afterwards():
    declare_torchvision_operators()
    import torchvision.ops
    from open_clip import tokenize
    from transformers.models.bert.modeling_bert import BertModel

    assert hasattr(torch.ops.torchvision, "nms")
    assert all(map(callable, (tokenize, BertModel, torchvision.ops.nms)))


def test_a_second_call_changes_nothing():
    assert declare_torchvision_operators() is declare_torchvision_operators()


def test_nothing_is_declared_where_the_compiled_library_loads(monkeypatch):
    loaded = []
    monkeypatch.setattr(torch.ops, "load_library", loaded.append)
    assert declare_torchvision_operators.__wrapped__() is None
    assert len(loaded) == 1
    assert "_C" in loaded[0]


def test_nothing_is_declared_without_torchvision(monkeypatch):
    monkeypatch.setattr(torchvision_operators, "find_spec", lambda name: None)
    assert declare_torchvision_operators.__wrapped__() is None
