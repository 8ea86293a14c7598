"""What lies beside a metrics file names what made it: other code, settings or inputs give another digest."""

import shutil

import pytest

from scople.base.params import load_params
from scople.data.splits import Split
from scople.judging import provenance


@pytest.fixture
def place(root, tmp_path, monkeypatch):
    """The repository's code, and made-up inputs of one split."""
    for name in ("scople", "stages", "ablations", "baselines", "datasets"):
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(root / name, tmp_path)
    for name in (
        "features/ntu60_55_5/test/1.safetensors",
        "features/ntu60_55_5/classes.csv",
        "model/ntu60_55_5/1.gates.json",
    ):
        (tmp_path / "work/demo" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "work/demo" / name).write_text(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(provenance, "CODE", tmp_path)
    return tmp_path


def digest(place, room="", **words):
    return provenance.digest(load_params(place / "params.yaml"), room, words or {"key": "ntu60_55_5"})


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("scople/judging/gates.py", "nats", "bits"),
        ("scople/text/minilm.py", "offline", "online"),
        ("scople/pipeline/evaluation.py", "Score", "score"),
        ("scople/methods/smie.py", "discriminator", "critic"),
        ("datasets/descriptions/pku.csv", "stay", "keep"),
        ("params.yaml", "layer_depth: 3", "layer_depth: 2"),
        ("params.yaml", "scople: {}", "scople: {layer_depth: 1}"),
        ("params.yaml", "seeds: [1] ", "seeds: [2] "),
        ("datasets/splits/ntu60_55_5.yaml", "unseen", "# unseen\nunseen"),
        ("work/demo/features/ntu60_55_5/test/1.safetensors", "test", "best"),
        ("work/demo/model/ntu60_55_5/1.gates.json", "1", "2"),
    ],
)
def test_what_evaluation_depends_on_changes_the_digest(place, path, old, new):
    before = digest(place)
    edit(place / path, old, new)
    assert digest(place) != before


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("scople/reports/figures.py", "blue", "red"),
        ("scople/backbone/shift_gcn.py", "Ten blocks", "10 blocks"),
        ("scople/commands/verify.py", "locks", "lock files"),
        ("params.yaml", "gate_holdout: 0.2", "gate_holdout: 0.3"),
        ("params.yaml", "threads: 1", "threads: 3"),
        ("params.yaml", "coop: {", "coop: {layer_depth: 1, "),
        ("datasets/splits/ntu60_48_12.yaml", "unseen", "# unseen\nunseen"),
    ],
)
def test_what_it_does_not_depend_on_leaves_the_digest(place, path, old, new):
    """What acts on earlier stages is in the digest through the files that they made."""
    before = digest(place)
    edit(place / path, old, new)
    assert digest(place) == before


def test_an_ablation_has_a_digest_of_its_variant(place):
    words = {"item.split": "ntu60_55_5", "item.variant": "coop"}
    folder = place / "work/demo/ablations/model/coop/ntu60_55_5"
    folder.mkdir(parents=True)
    (folder / "1.gates.json").write_text("{}")
    before = digest(place, "ablations", **words)
    assert before != digest(place)
    edit(place / "params.yaml", "coop: {", "coop: {layer_depth: 1, ")
    assert digest(place, "ablations", **words) != before


def test_repeats_and_counts_are_told(place):
    params = load_params(place / "params.yaml")
    split = Split("toy", seen=(0, 1), unseen=(3, 7, 11), pseudo_unseen=())
    is_unseen, repeats = [True, False, True, True, False], {5: {"zsl": 100 / 3}}
    here = {"device": "a CPU", "threads": "1"}
    names = ["bow", "clap", "hop", "kick", "wave"]
    known = provenance.provenance(
        params, "", {"key": "ntu60_55_5"}, split, names, "12ab", is_unseen, 1.61, here, repeats
    )
    assert known["test_samples"] == {"seen": 2, "unseen": 3}
    assert known["chance"] == 33.3333
    assert known["repeats"] == {"5": {"zsl": 33.3333}}
    assert len(known["made_from"]) == 32
    assert known["computed_by"] == here
    assert known["text_encoder"] == "12ab"
    swapped = ["clap", "bow", *names[2:]]
    other = provenance.provenance(
        params, "", {"key": "ntu60_55_5"}, split, swapped, "12ab", is_unseen, 1.61, here, repeats
    )
    assert {name for name in known if known[name] != other[name]} == {"texts"}
