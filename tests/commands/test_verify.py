"""What `verify` says where it cannot look; `tests/test_dvc.py` has what it finds."""

import subprocess

import pytest

from scople.base.errors import ScopleError
from scople.base.params import load_params
from scople.commands import verify
from scople.pipeline.layout import Layout


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
