"""What the pages tell a library user to type works."""

import re

import pytest
from tiny_model import body


@pytest.mark.parametrize("page", ["docs/predict.md", "docs/model-folders.md"])
def test_the_python_of_the_pages_runs(root, folder, page, capsys):
    (block,) = re.findall(r"```python\n(.*?)```", (root / page).read_text(), re.S)
    assert len([line for line in block.splitlines() if line]) <= 5
    code = re.sub(r'"work/[^"]+"', repr(str(folder)), block)
    assert code != block
    exec(code, {"sequences": [body(31, 1), body(12, 2, 2)]})
    assert re.search(r"\[0\.\d+ 0\.\d+", capsys.readouterr().out)
