"""From raw files, `predict` gives what the evaluation gave: every test recording of a split, to the bit."""

import json
import os
import zipfile

import numpy as np
import pandas as pd
import pytest
import test_stages
from bare_scople import score
from huggingface_hub import ModelCard
from typer.testing import CliRunner

from scople.base.arithmetic import settle
from scople.base.artefacts import load_weights
from scople.base.errors import ScopleError
from scople.base.params import RawFolder, load_params
from scople.commands.cli import app
from scople.data.class_names import names_of
from scople.data.joint_features import TestFeatures, load_features
from scople.pipeline.assembly import Assembly, build_model, build_tower
from scople.pipeline.layout import Layout, identity, load_featured_problem
from scople.pipeline.running import device
from scople.prediction.card import SYNTHETIC
from scople.prediction.model_folder import model_place
from scople.prediction.recogniser import Recogniser
from scople.recordings.clips import Reading, find_files, read_clips
from stages import export

SPLIT = test_stages.SPLIT


@pytest.fixture(autouse=True)
def _threads_of_the_chain(_two_threads, root):
    """They decide the rounding; what is evaluated and what is predicted here has those of params.yaml."""
    machine = load_params(root / "params.yaml").machine
    settle(machine.arithmetic, machine.threads)


@pytest.fixture(scope="module")
def place(root, tmp_path_factory):
    """The whole chain on a small data set, its model folder, and its test recordings as files."""
    place = test_stages.make_workplace(root, tmp_path_factory.mktemp("chain"))
    here = os.getcwd()
    os.chdir(place)
    try:
        params = load_params()
        settle(params.machine.arithmetic, params.machine.threads)
        test_stages.extract_features(params)
        test_stages.train_and_evaluate(params)
        assert "6 seen classes of tiny" in export.main(params, SPLIT)
    finally:
        os.chdir(here)
    index = pd.read_csv(place / "work/demo/corpus/tiny/index.csv")
    wanted = set(index.query("not is_training")["name"])
    with zipfile.ZipFile(place / "data/raw/demo/tiny/nturgbd_skeletons_s001_to_s017.zip") as archive:
        for member in archive.namelist():
            if member.rpartition("/")[2].removesuffix(".skeleton") in wanted:
                archive.extract(member, place / "test")
    return place


def evaluated():
    """Scores of the evaluation: test samples by seen and then unseen candidates; split and classes."""
    params = load_params()
    layout = Layout(params.profile)
    split, classes = load_featured_problem(params, SPLIT)
    problem = identity(split, classes)
    test = load_features(TestFeatures, layout.features(SPLIT, "test", 1), **problem)
    assembly = Assembly.of(params, "", params.dataset_of(SPLIT), build_tower(params.scale))
    model = build_model(assembly.settings, assembly.tower, test.features.shape[2], params.repeat_seed(1))
    belongs = assembly.identity(params, params.repeat_seed(1), problem, test.backbone)
    load_weights(model, "model", layout.model(SPLIT, 1), again="", **belongs)
    candidates = names_of(classes, [*split.seen, *split.unseen])
    batch = params.scale.evaluate.batch_size
    return score(model, test.features, candidates, batch_size=batch, device=device(params)), split, classes


@pytest.mark.slow
def test_every_test_recording_has_the_evaluations_scores(place, monkeypatch):
    monkeypatch.chdir(place)
    scores, split, classes = evaluated()
    seen_scores, unseen_scores = np.split(scores, [len(split.seen)], axis=1)
    unseen = names_of(classes, split.unseen)
    files = find_files([str(place / "test")])
    sequences = [clip.sequence for path in files for clip in read_clips(path, Reading())]
    assert len(sequences) == len(scores) == 24

    recogniser = Recogniser.load(model_place("demo", SPLIT))
    answers = recogniser.predict(sequences, unseen)
    for answer, row in zip(answers, unseen_scores, strict=True):
        assert answer.best == unseen[row.argmax()]
        assert dict(zip(answer.labels, answer.scores.tolist(), strict=True)) == dict(
            zip(unseen, row.tolist(), strict=True)
        )
    gated = recogniser.predict(sequences, unseen, seen_too=True)
    pairs = pd.read_csv(f"work/demo/evaluation/{SPLIT}.predictions.csv")
    assert [answer.best for answer in gated] == pairs["predicted"].tolist()
    right = sum(answer.best == actual for answer, actual in zip(answers, pairs["actual"], strict=True))
    of_unseen = pairs["actual"].isin(unseen).sum()
    metrics = json.loads((place / f"results/demo/metrics/{SPLIT}.json").read_text())
    assert 100 * right / of_unseen == pytest.approx(metrics["zsl"], abs=1e-3)

    # What has to be equal for that: the order, which decides what shares a batch.
    turned = recogniser.predict(sequences[::-1], unseen)[::-1]
    assert any((one.scores != other.scores).any() for one, other in zip(answers, turned, strict=True))
    for one, other in zip(answers, turned, strict=True):
        np.testing.assert_allclose(np.sort(one.scores), np.sort(other.scores), atol=1e-4)


@pytest.mark.slow
def test_the_command_says_what_the_evaluation_said(place, monkeypatch):
    monkeypatch.chdir(place)
    labels = ", ".join(json.loads((model_place("demo", SPLIT) / "config.json").read_text())["unseen"])
    done = CliRunner().invoke(
        app, ["predict", "test", "--labels", labels, "--model", SPLIT, "--seen-too", "--format", "csv", "--top", "1"]
    )
    assert done.exit_code == 0, done.stderr
    with open("answers.csv", "w") as file:
        file.write(done.stdout)
    said, pairs = pd.read_csv("answers.csv"), pd.read_csv(f"work/demo/evaluation/{SPLIT}.predictions.csv")
    assert said["label"].tolist() == pairs["predicted"].tolist()
    assert said["note"].isna().all()  # the raw folder is none that the demo writes


@pytest.mark.slow
def test_the_folder_says_what_it_is(place, monkeypatch):
    monkeypatch.chdir(place)
    folder = model_place("demo", SPLIT)
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    export.main(load_params(), SPLIT)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    card = ModelCard((folder / "README.md").read_text())
    metrics = json.loads((place / f"results/demo/metrics/{SPLIT}.json").read_text())
    assert [result.metric_value for result in card.data.eval_results] == list(metrics.values())
    assert "18 recordings of seen and 6 of unseen classes" in card.text
    assert "unknown" in card.text  # one training has no standard error


@pytest.mark.slow
def test_only_what_the_demo_wrote_is_called_synthetic(place, monkeypatch):
    """Under its profile, too, one may have recordings of one's own."""
    monkeypatch.chdir(place)
    params, folder = load_params(), model_place("demo", SPLIT)
    for raw, is_synthetic in (("ntu", True), ("tiny", False)):
        params.datasets["tiny"] = RawFolder(raw)
        export.main(params, SPLIT)
        assert json.loads((folder / "config.json").read_text())["is_synthetic"] == is_synthetic
        assert (SYNTHETIC in (folder / "README.md").read_text()) == is_synthetic


@pytest.mark.slow
def test_what_belongs_to_something_else_is_not_exported(place, monkeypatch):
    monkeypatch.chdir(place)
    params = load_params()
    other = load_params()
    other.method.__dict__["layer_depth"] = 2
    with pytest.raises(ScopleError, match="settings"):
        export.main(other, SPLIT)
    (place / f"results/demo/provenance/{SPLIT}.json").rename(place / "kept.json")
    with pytest.raises(ScopleError, match=f"run `python -m stages.evaluate {SPLIT}`"):
        export.main(params, SPLIT)
    (place / "kept.json").rename(place / f"results/demo/provenance/{SPLIT}.json")
