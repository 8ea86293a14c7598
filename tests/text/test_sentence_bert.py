"""Towers from folders in the layout of sentence-transformers, against transformers and sentence-transformers."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_towers import DEPTH, WIDTH, encode, tiny_bert_model
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import RobertaProcessing
from tokenizers.trainers import BpeTrainer

from scople.base.errors import ScopleError
from scople.text import sentence_bert
from scople.text.loading import find_weights, load_tower, random_tower
from scople.text.minilm import MiniLmTower, _package_folder
from scople.text.torchvision_operators import declare_torchvision_operators

NAMES = ["drink water", "stand up", "put something inside pocket / take out something from pocket", "Jump up"]


def write(folder, model, pooling="mean_tokens"):
    """A model's folder, as sentence-transformers lays it out, without a tokenizer."""
    (folder / "1_Pooling").mkdir(parents=True)
    model.config.to_json_file(folder / "config.json", use_diff=False)
    save_file({name: values.contiguous() for name, values in model.state_dict().items()}, folder / "model.safetensors")
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (path, kind) in enumerate(kinds.items())
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    said = {f"pooling_mode_{mode}": mode == pooling for mode in ("cls_token", "mean_tokens", "max_tokens")}
    (folder / "1_Pooling/config.json").write_text(json.dumps(said | {"word_embedding_dimension": WIDTH}))
    return folder


@pytest.fixture
def bert(tmp_path):
    folder = write(tmp_path / "bert", tiny_bert_model())
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        shutil.copy(_package_folder() / name, folder)
    return folder


@pytest.fixture
def roberta(tmp_path):
    from transformers.models.roberta.modeling_roberta import RobertaConfig, RobertaModel

    tokenizer = Tokenizer(BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)  # as all of RoBERTa's
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(
        NAMES, BpeTrainer(special_tokens=special, initial_alphabet=ByteLevel.alphabet(), show_progress=False)
    )
    tokenizer.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0))
    config = RobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=WIDTH,
        num_attention_heads=3,
        num_hidden_layers=2,
        intermediate_size=41,
        max_position_embeddings=83,
        type_vocab_size=1,
    )
    torch.manual_seed(5)
    model = RobertaModel(config, add_pooling_layer=False).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(0.2 * torch.randn(weights.shape))
    folder = write(tmp_path / "roberta", model, "cls_token")
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def reference(folder, model_class, names, pooling):
    """Transformers' own forward pass over padded texts, pooled over the real tokens."""
    model = model_class.from_pretrained(folder, add_pooling_layer=False).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding(pad_id=model.config.pad_token_id)
    batch = tokenizer.encode_batch(names)
    mask = torch.tensor([text.attention_mask for text in batch])
    with torch.no_grad():
        states = model(input_ids=torch.tensor([text.ids for text in batch]), attention_mask=mask).last_hidden_state
    return states[:, 0] if pooling == "first" else (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def test_a_bert_folder_is_encoded_as_transformers_does(bert):
    from transformers.models.bert.modeling_bert import BertModel

    tower = load_tower(f"sbert:{bert}", "folder")
    torch.testing.assert_close(encode(tower, NAMES), reference(bert, BertModel, NAMES, "mean"), rtol=1e-4, atol=1e-5)
    assert (tower.width, tower.depth, tower.output_width, tower.limit) == (WIDTH, DEPTH, WIDTH, 83)
    assert not any(weights.requires_grad for weights in tower.parameters())
    assert torch.equal(encode(load_tower("sbert:elsewhere", str(bert)), NAMES), encode(tower, NAMES))
    drawn = random_tower(f"sbert:{bert}", "folder")
    assert {name: values.shape for name, values in drawn.state_dict().items()} == {
        name: values.shape for name, values in tower.state_dict().items()
    }


def test_a_roberta_folder_is_encoded_as_transformers_does(roberta):
    from transformers.models.roberta.modeling_roberta import RobertaModel

    tower = load_tower(f"sbert:{roberta}", "folder")
    expected = reference(roberta, RobertaModel, NAMES, "first")
    torch.testing.assert_close(encode(tower, NAMES), expected, rtol=1e-4, atol=1e-5)
    assert (tower.width, tower.depth, tower.limit) == (WIDTH, 2, 81)  # two positions are never used
    longest = "jump " * 200
    length = len(tower.encode(longest))
    assert length > 81
    with pytest.raises(ScopleError, match=f"has {length} tokens and the text encoder reads at most 81"):
        tower.tokenize([longest])


@pytest.mark.slow
def test_sentence_transformers_gives_the_same_but_for_the_norm(bert, roberta):
    declare_torchvision_operators()
    sentence_transformers = pytest.importorskip("sentence_transformers")

    for folder in (bert, roberta):
        expected = torch.from_numpy(sentence_transformers.SentenceTransformer(str(folder), device="cpu").encode(NAMES))
        found = torch.nn.functional.normalize(encode(load_tower(f"sbert:{folder}", "folder"), NAMES), dim=1)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_packaged_model_is_one_of_them():
    tower, folder = MiniLmTower.pretrained(), load_tower(f"sbert:{_package_folder()}", "folder")
    assert torch.equal(encode(folder, NAMES), encode(tower, NAMES))


def test_words_are_split_by_the_vocabulary_alone_as_by_the_whole_tokenizer(bert):
    whole = sentence_bert.tokenizer_of(bert, 30522)
    (bert / "tokenizer.json").unlink()
    pieces = sentence_bert.tokenizer_of(bert, 30522)
    for text in (*NAMES, "Café naïve, 手 wave!"):
        assert pieces.encode(text).ids == whole.encode(text).ids
    (bert / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    cased = sentence_bert.tokenizer_of(bert, 30522)
    assert cased.encode("Jump").ids != whole.encode("Jump").ids


def test_half_precision_becomes_single(bert):
    path = bert / "model.safetensors"
    save_file({name: values.half() for name, values in load_file(path).items()}, path)
    assert {weights.dtype for weights in load_tower(f"sbert:{bert}", "folder").parameters()} == {torch.float32}


def changed(folder, name, **changes):
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def without(name):
    return lambda folder: (folder / name).unlink()


def filled(name, content):
    return lambda folder: (folder / name).write_text(content)


def modules(*pairs):
    return filled("modules.json", json.dumps([{"path": path, "type": f"models.{kind}"} for path, kind in pairs]))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (shutil.rmtree, "There is no folder .*bert"),
        (without("config.json"), r"config\.json cannot be read \(No such file"),
        (without("modules.json"), r"modules\.json cannot be read"),
        (without("1_Pooling/config.json"), r"1_Pooling/config\.json cannot be read"),
        (without("model.safetensors"), r"model\.safetensors is missing: get it\.$"),
        (filled("config.json", "{"), r"config\.json is no JSON"),
        (filled("config.json", "[]"), "has the num_hidden_layers None"),
        (lambda folder: changed(folder, "config.json", num_hidden_layers=0), "num_hidden_layers 0, but"),
        (lambda folder: changed(folder, "config.json", hidden_size="x"), "the hidden_size 'x', but"),
        (lambda folder: changed(folder, "config.json", hidden_size=40), "describes no model|are not those that"),
        (lambda folder: changed(folder, "config.json", num_attention_heads=7), "describes no model"),
        (lambda folder: changed(folder, "config.json", num_hidden_layers=6), r"encoder\.layer\.5\.\S+ is missing"),
        (lambda folder: changed(folder, "config.json", vocab_size=29), r"word_embeddings\.weight is \(30522, 39\) and"),
        (lambda folder: changed(folder, "config.json", model_type="mpnet"), "model_type 'mpnet', .* roberta only"),
        (lambda folder: changed(folder, "config.json", hidden_act="relu"), "hidden_act 'relu'"),
        (lambda folder: changed(folder, "config.json", is_decoder=True), "is_decoder True"),
        (lambda folder: changed(folder, "config.json", layer_norm_eps="small"), "describes no model"),
        (lambda folder: changed(folder, "config.json", pad_token_id=None), "has no pad_token_id"),
        (filled("modules.json", "{}"), "has the modules , but"),
        (filled("modules.json", "[3]"), "lists no modules"),
        (modules(("", "Transformer")), "has the modules Transformer, but"),
        (modules(("0", "Transformer"), ("1_Pooling", "Pooling")), "a transformer in the folder itself"),
        (modules(("", "Transformer"), ("1_Pooling", "Pooling"), ("2", "Dense")), "Transformer, Pooling, Dense, but"),
        (lambda folder: changed(folder, "1_Pooling/config.json", pooling_mode_cls_token=True), "pools by cls_token, "),
        (lambda folder: changed(folder, "1_Pooling/config.json", pooling_mode_mean_tokens=False), "pools by nothing"),
        (lambda folder: changed(folder, "1_Pooling/config.json", pooling_mode="max"), "pools by max"),
        (filled("model.safetensors", "not weights"), r"model\.safetensors are no safetensors file"),
        (filled("tokenizer.json", "{}"), r"tokenizer\.json is no tokenizer"),
    ],
)
def test_damage_is_one_sentence(bert, damage, words):
    damage(bert)
    with pytest.raises(ScopleError, match=words) as caught:
        load_tower(f"sbert:{bert}", "folder")
    assert "\n" not in str(caught.value)


def test_a_pickle_is_named_and_not_opened(bert):
    (bert / "model.safetensors").rename(bert / "pytorch_model.bin")
    with pytest.raises(ScopleError, match=r"pytorch_model\.bin is pickled, which can run code: save it as safetensors"):
        load_tower(f"sbert:{bert}", "folder")


def test_a_tokenizer_has_to_fit(bert):
    with pytest.raises(ScopleError, match="adds 2 tokens .* ids to 30521, but .* ids to 30520: get"):
        sentence_bert.tokenizer_of(bert, 30521)
    without("tokenizer.json")(bert)
    without("vocab.txt")(bert)
    with pytest.raises(ScopleError, match=r"neither tokenizer\.json nor vocab\.txt"):
        sentence_bert.tokenizer_of(bert, 30522)


def test_weights_are_found_without_being_read(bert):
    assert find_weights(f"sbert:{bert}", "folder") == (bert / "model.safetensors", False)
    changed(bert, "1_Pooling/config.json", pooling_mode_mean_tokens=False)
    with pytest.raises(ScopleError, match="pools by nothing"):
        find_weights(f"sbert:{bert}", "folder")
