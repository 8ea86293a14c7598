"""What `compare` is asked for that is no revision."""

import subprocess

import pytest

from scople.base.errors import ScopleError
from scople.base.params import load_params
from scople.commands import compare


@pytest.mark.parametrize("name", ["HEAD:README.md", "HEAD:", "HEAD^{tree}", "-x", "a..b", "no\nsuch", 1000 * "x"])
def test_what_is_no_commit_is_one_sentence(root, tmp_path, monkeypatch, name):
    params = load_params(root / "params.yaml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("read me")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *words], check=True)
    with pytest.raises(ScopleError, match="neither a variant .* nor a git revision or an experiment") as caught:
        compare.main(params, name, "HEAD")
    assert len(str(caught.value)) <= 300
    assert str(caught.value).isprintable()
