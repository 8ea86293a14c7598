"""The page of a tiny data set, from nothing but its results to everything; bad files get a sentence."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from test_stages import SPLIT, change, inside, run_chain, workplace  # noqa: F401

from scople.base.errors import ScopleError
from scople.base.params import load_params
from scople.data.corpus import Corpus
from scople.prediction.profile import LICENSED, is_synthetic, made_with, profile_page
from scople.prediction.shown import all_recordings
from scople.reports.page.known import Absent
from stages import page as stage

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(root, workplace, tmp_path_factory):  # noqa: F811
    """A workplace after its chain; its recordings lie where only the demo's synthetic ones do."""
    place = tmp_path_factory.mktemp("finished") / "place"
    shutil.copytree(workplace, place)
    (place / "data/raw/demo/tiny").rename(place / "data/raw/demo/ntu")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        change(place, "params.yaml", "raw: tiny", "raw: ntu")
        run_chain()
    return place


@pytest.fixture
def done(finished, tmp_path, monkeypatch):
    place = tmp_path / "done"
    shutil.copytree(finished, place)
    monkeypatch.chdir(place)
    return place


def made(**options):
    return profile_page(load_params(), **({"licensed": False} | options))


def player(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text).group(1))


def test_recordings_are_those_of_the_evaluation(done):
    (found,) = player(made())["splits"].values()
    corpus = Corpus.open("work/demo/corpus/tiny")
    index = corpus.index.set_index("name")
    classes = pd.read_csv("work/demo/features/tiny_6_2/classes.csv")["label"]
    assert len(found) >= 3
    pairs = pd.read_csv(f"work/demo/evaluation/{SPLIT}.predictions.csv")
    for entry in found:
        row = index.loc[entry["name"]]
        assert not row["is_training"]
        assert classes[row["label"]] == entry["label"]
        assert entry["candidates"] == (2 if entry["unseen"] else 6)
        assert sum(ranked["probability"] for ranked in entry["ranked"]) <= 100.5
        said = pairs[(pairs["actual"] == entry["label"]) & (pairs["predicted"] == entry["verdict"])]
        assert len(said), "the gate says what it said in the evaluation"
        for ranked in entry["ranked"]:
            assert np.mean(ranked["shares"]) == pytest.approx(1, abs=0.01)


def test_the_stage_writes_a_page_that_repeats_to_the_byte(done):
    stage.main(load_params())
    first = (done / "work/demo/page.html").read_bytes()
    stage.main(load_params())
    assert (done / "work/demo/page.html").read_bytes() == first
    assert b"Left out" in first  # the ablations
    assert b"commit" not in first.split(b"Made from</h2>")[1].split(b"<pre")[0]


def test_without_work_it_is_still_whole(done):
    shutil.rmtree(done / "work")
    text = made(made_with={"commit": "abc"})
    assert f"dvc repro evaluate@{SPLIT}" in text
    assert 'id="player"' not in text
    assert "Table 2, ZSL" in text
    assert "<dd>abc</dd>" in text


def test_real_people_are_shown_only_when_asked_for(done):
    (done / "data/raw/demo/ntu").rename(done / "data/raw/demo/tiny")
    change(done, "params.yaml", "raw: ntu", "raw: tiny")
    params = load_params()
    assert not is_synthetic(params)
    (hidden,) = all_recordings(params, licensed=False).values()
    assert isinstance(hidden, Absent)
    text = made()
    assert "scople page --recordings" in text
    assert 'id="player"' not in text
    text = made(licensed=True)
    assert 'id="player"' in text
    assert LICENSED in text


def test_nothing_measured_is_said(done):
    shutil.rmtree(done / "results")
    with pytest.raises(ScopleError, match="results/demo holds nothing"):
        made()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (f"results/demo/provenance/{SPLIT}.json", "does not say"),
        (f"results/demo/metrics/{SPLIT}.json", "no JSON"),
        ("results/demo/tables/table2.csv", "has no"),
        (f"work/demo/evaluation/{SPLIT}.json", "damaged"),
        (f"work/demo/evaluation/{SPLIT}.predictions.csv", "has no"),
        (f"work/demo/model/{SPLIT}/1.gates.json", "damaged"),
        (f"work/demo/history/scople/{SPLIT}/1.csv", "has no"),
    ],
)
def test_a_damaged_file_gets_a_sentence(done, path, said):
    (done / path).write_text("x\n")
    with pytest.raises(ScopleError, match=said) as caught:
        made()
    assert path in str(caught.value)


def test_foreign_predictions_are_refused(done):
    path = done / f"work/demo/evaluation/{SPLIT}.predictions.csv"
    path.write_text("actual,predicted\nnonsense,nonsense\n")
    with pytest.raises(ScopleError, match="nonsense"):
        made()


def test_a_corpus_of_other_samples_is_refused(done):
    (done / "data/raw/demo/ntu").rename(done / "data/raw/demo/other")
    corpus = done / "work/demo/corpus/tiny"
    index = pd.read_csv(corpus / "index.csv")
    index["label"] = np.roll(index["label"], 1)
    index.to_csv(corpus / "index.csv", index=False)
    from scople.data.packing import seal_corpus

    seal_corpus(corpus)
    with pytest.raises(ScopleError, match="other test samples"):
        made()


def test_commit_is_that_of_the_working_tree(root, tmp_path, monkeypatch):
    monkeypatch.chdir(root)
    assert re.match(r"[0-9a-f]{12}(, with changes that are not committed)?$", made_with()["commit"])
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    assert made_with()["commit"] == "none: this is no git repository"
