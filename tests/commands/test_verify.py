"""What `verify` says where it cannot look; `tests/test_dvc.py` has what it finds."""

import subprocess

import pytest

from scople.base.artefacts import save_json
from scople.base.errors import ScopleError
from scople.base.params import load_params
from scople.commands import verify
from scople.pipeline.layout import Layout

BESIDE = {"test_samples": {"seen": 3, "unseen": 2}, "chance": 20.0, "texts": "a", "untrained_loss": 1.6}
"""What a provenance file has that other rounding leaves alone."""


@pytest.fixture
def params(root):
    return load_params(root / "params.yaml")


@pytest.mark.parametrize(("verb", "program"), [("lock", "dvc"), ("check", "git")])
def test_without_its_program_it_says_so(params, tmp_path, monkeypatch, verb, program):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ScopleError, match=rf"^{program} cannot be called \(No such file or directory\): install it"):
        verify.main(params, verb)


def test_outside_of_a_repository_it_says_so(params, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ScopleError, match="^`git show HEAD:results/demo/machine.json` failed .*: mend that first"):
        verify.check(params)


def git(*words):
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    subprocess.run(["git", *who, *words], check=True, capture_output=True)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"torch": 2}', "{", "null"])
def test_a_machine_file_of_another_form_is_refused(params, tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    path = Layout(params.profile).machine
    path.parent.mkdir(parents=True)
    path.write_text(content)
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    with pytest.raises(ScopleError, match=rf"^{path} .*: run `dvc repro`, or restore it with git\.$"):
        verify.check(params)


def test_means_are_compared_and_damaged_metrics_refused(params, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    layout = Layout(params.profile)
    save_json({"device": "elsewhere"}, layout.machine)
    for number, split in enumerate(params.splits):
        save_json({"zsl": 10.0 * number, "seen": 33.0}, layout.metrics(split))
        save_json(BESIDE, layout.provenance(split))
    layout.tables.mkdir()
    rows = "".join(f"{split},1.5,40.0,0.5\n" for split in params.splits)
    (layout.tables / "losses.csv").write_text(f"split,backbone_loss,backbone_accuracy,loss\n{rows}")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    save_json({"zsl": 5.0, "seen": 33.0}, layout.metrics(split))
    found = verify.differences(params)
    assert list(found) == ["zsl", "seen", "backbone_loss", "backbone_accuracy", "loss"]
    assert found["zsl"].value == pytest.approx(-115 / 13)
    assert "zsl -8.85 (standard error 8.8)" in verify.check(params)
    for other, said in (
        (BESIDE | {"texts": "b"}, "texts of split .* is b and was a, though no rounding can change it"),
        (BESIDE | {"untrained_loss": 1.61}, "before training is 1.61 and was 1.6, more than the 0.002 nats"),
        ({"texts": "a"}, "does not say test_samples, chance, texts and untrained_loss: run `dvc repro`"),
    ):
        save_json(other, layout.provenance(split))
        with pytest.raises(ScopleError, match=said):
            verify.check(params)
    save_json(BESIDE, layout.provenance(split))
    for content in ('{"zsl": NaN, "seen": 33.0}', "[1]", ""):
        layout.metrics(split).write_text(content)
        with pytest.raises(ScopleError, match=rf"^{layout.metrics(split)} .*: run `dvc repro`, or restore it"):
            verify.check(params)
    save_json({"zsl": 5.0, "seen": 33.0}, layout.metrics(split))
    (layout.tables / "losses.csv").write_text(f"split,backbone_loss,backbone_accuracy\n{rows}")
    with pytest.raises(ScopleError, match="losses.csv .*: run `dvc repro`, or restore it with git"):
        verify.check(params)
