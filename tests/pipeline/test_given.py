"""A published Shift-GCN in place of a split's pre-training: what is accepted, and what refused in one sentence."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from scople.base.errors import ScopleError
from scople.base.files import sha256
from scople.base.params import SplitEntry, load_params
from scople.data.splits import load_split
from scople.pipeline.given import load_given

SPLIT, CLASSES, SEEN = "ntu60_55_5", 60, 55


@pytest.fixture
def published(golden):
    """The official weights, which have a row for each of the 60 classes."""
    return torch.load(golden / "shift_gcn" / "ntu60_xsub.pt", weights_only=True)


@pytest.fixture
def split(root):
    return load_split(root / "datasets/splits" / f"{SPLIT}.yaml", CLASSES, 1)


def params_with(root, path, profile="paper", **entry):
    params = load_params(root / "params.yaml")
    entry = {"backbone_digest": sha256(path) if path.is_file() else ""} | entry
    splits = params.splits | {SPLIT: SplitEntry("ntu60", backbone_weights=str(path), **entry)}
    return replace(params, profile=profile, splits=splits)


def with_rows(state, rows, prefix=""):
    """The weights with a classifier of so many rows."""
    cut = state | {
        name: state[name].repeat(3, *[1] * (state[name].ndim - 1))[:rows] for name in ("fc.weight", "fc.bias")
    }
    return {prefix + name: tensor for name, tensor in cut.items()}


@pytest.mark.parametrize("prefix", ["", "module."])
def test_as_many_rows_as_seen_classes_are_taken_as_they_are(root, tmp_path, published, split, prefix):
    torch.save(with_rows(published, SEEN, prefix), tmp_path / "x.pt")
    given = load_given(params_with(root, tmp_path / "x.pt"), split, CLASSES)
    assert torch.equal(given.network.fc.weight, published["fc.weight"][:SEEN])
    assert (given.rows, given.saw_unseen) == (SEEN, False)
    assert "taken for the seen classes" in given.note
    assert given.digest[:12] in given.note


def test_a_classifier_of_all_classes_is_refused_unless_allowed_and_then_cut_to_the_seen(root, golden, split):
    path = golden / "shift_gcn" / "ntu60_xsub.pt"
    with pytest.raises(ScopleError, match="has 60 rows, more than the 55 seen classes .* has learned unseen ones"):
        load_given(params_with(root, path), split, CLASSES)
    given = load_given(params_with(root, path, backbone_saw_unseen=True), split, CLASSES)
    assert "no zero-shot result" in given.note
    x = torch.tensor(np.load(golden / "shift_gcn" / "input.npz")["x"])[:1, :, :64]
    expected = np.load(golden / "shift_gcn" / "expected_ntu60_xsub.npz")["logits_t64"][:1, list(split.seen)]
    network = given.network.eval()
    with torch.no_grad():
        logits = network.classify(network.joint_features(x))
    np.testing.assert_allclose(logits, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("rows", "allowed", "reason"),
    [
        (54, True, "has 54 rows, fewer than the 55 seen"),
        (57, False, "has 57 rows, more than the 55 seen"),
        (57, True, "has 57 rows, neither the 55 seen nor all 60"),
        (120, True, "has 120 rows, neither the 55 seen nor all 60"),
    ],
)
def test_other_numbers_of_rows_are_refused(root, tmp_path, published, split, rows, allowed, reason):
    torch.save(with_rows(published, rows), tmp_path / "x.pt")
    with pytest.raises(ScopleError, match=reason):
        load_given(params_with(root, tmp_path / "x.pt", backbone_saw_unseen=allowed), split, CLASSES)


def test_another_width_is_refused(root, tmp_path, published, split):
    torch.save(with_rows(published, SEEN), tmp_path / "x.pt")
    with pytest.raises(ScopleError, match=r"of width 64, but profiles.demo.pretrain.width is 16"):
        load_given(params_with(root, tmp_path / "x.pt", profile="demo"), split, CLASSES)


@pytest.mark.parametrize(
    ("digest", "said"), [("", "it has no digest"), ("0" * 64, "backbone_digest says 000000000000"), ("x", "no digest")]
)
def test_a_file_that_its_digest_does_not_name_is_refused_with_the_right_one(
    root, tmp_path, published, split, digest, said
):
    path = tmp_path / "x.pt"
    torch.save(with_rows(published, SEEN), path)
    with pytest.raises(ScopleError, match=f"{said}.* set `backbone_digest: {sha256(path)}`"):
        load_given(params_with(root, path, backbone_digest=digest), split, CLASSES)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("fc.weight", lambda tensor: tensor.fill_(torch.nan)),
        ("l3.tcn1.bn.running_var", torch.neg),
        ("fc.bias", lambda tensor: tensor.to(torch.complex64)),
    ],
)
def test_numbers_that_no_training_gives_are_found_at_once(root, tmp_path, published, split, name, change):
    torch.save(with_rows(published, SEEN) | {name: change(with_rows(published, SEEN)[name].clone())}, tmp_path / "x.pt")
    with pytest.raises(ScopleError, match=f"{name} of .* not finite and real, or a variance below 0"):
        load_given(params_with(root, tmp_path / "x.pt"), split, CLASSES)


def test_a_digest_may_have_capitals(root, tmp_path, published, split):
    torch.save(with_rows(published, SEEN), tmp_path / "x.pt")
    digest = sha256(tmp_path / "x.pt").upper()
    assert load_given(params_with(root, tmp_path / "x.pt", backbone_digest=digest), split, CLASSES).rows == SEEN


class Hostile:
    def __reduce__(self):
        return print, ("ran",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is no file"),
        (b"", "no checkpoint of tensors alone"),
        (b"no checkpoint", "no checkpoint of tensors alone"),
        (Hostile(), "no checkpoint of tensors alone"),
        ([torch.zeros(2)], "holds no tensors by name"),
        ({"fc.weight": 3}, "holds no tensors by name"),
        ({"fc.weight": torch.zeros(3)}, r"classifier of the shape \(3,\)"),
        ({"fc.weight": torch.zeros(0, 0)}, r"classifier of the shape \(0, 0\)"),
        ({"fc.weight": torch.zeros(55, 1)}, "is a Shift-GCN of width 0.25, but profiles.paper.pretrain.width is 64"),
        ({"fc.weight": torch.zeros(1, 1).expand(55, 2**30)}, "is a Shift-GCN of width 2.68"),
        ({"conv": torch.zeros(3)}, "has no fc.weight"),
        ({"fc.weight": torch.zeros(55, 256)}, "tensors of the Shift-GCN checkpoint are missing"),
    ],
)
def test_what_is_no_checkpoint_is_one_sentence(root, tmp_path, split, capsys, content, reason):
    path = tmp_path / "x.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(ScopleError, match=reason) as error:
        load_given(params_with(root, path), split, CLASSES)
    assert "\n" not in str(error.value)
    assert "ran" not in capsys.readouterr().out
