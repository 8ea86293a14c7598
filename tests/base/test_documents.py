"""The strict reader of YAML: what it reads as PyYAML does, what it reads otherwise, and what it refuses."""

import pytest
import yaml

from scople.base.documents import listed, quoted, read_document
from scople.base.errors import ScopleError


def read(tmp_path, text):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    return read_document(path)


def test_every_file_of_the_repository_is_read_as_pyyaml_reads_it(root):
    paths = [
        root / "params.yaml",
        root / "dvc.yaml",
        root / "ablations/dvc.yaml",
        root / "baselines/dvc.yaml",
        *(root / "datasets").rglob("*.yaml"),
    ]
    assert len(paths) > 20
    for path in paths:
        assert read_document(path) == yaml.safe_load(path.read_text()), path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[001, 010, 08, +7, -3]", [1, 10, 8, 7, -3]),
        ("[1e-4, 1., .5, -.inf]", [0.0001, 1.0, 0.5, float("-inf")]),
        ("[0x1f, 0b1, 0x_, 1_000, 12:30, 2024-02-30]", ["0x1f", "0b1", "0x_", "1_000", "12:30", "2024-02-30"]),
        ("[yes, No, TRUE, off, ~, null, '']", [True, False, True, False, None, None, ""]),
        ("{yes: 1, 2: 2, ~: 3}", {"yes": 1, "2": 2, "~": 3}),
        ("a: &x [1, 2]\nb: *x", {"a": [1, 2], "b": [1, 2]}),
        ("", None),
    ],
)
def test_values(tmp_path, text, value):
    assert read(tmp_path, text) == value


BOMB = "\n".join(f"k{i}: &k{i} [{', '.join([f'*k{i - 1}' if i else 'x'] * 9)}]" for i in range(9))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\nb: 2\na: 3", "line 3: the key 'a' is repeated"),
        (BOMB, "more than 50,000 values"),
        ("[" * 500, "more than 20 nested levels"),
        ("a: 1\nb: " + "9" * 5000, "line 2: a number has more than 18 digits"),
        ("a: !!int foo", "the tag .*int' is not read"),
        ("!!float x", "the tag .*float' is not read"),
        ("!!bool x", "the tag .*bool' is not read"),
        ("!!timestamp x", "the tag .*timestamp' is not read"),
        (r'"\U00110000"', "cannot be read as YAML"),
        (r'"\UFFFFFFFF"', "cannot be read as YAML"),
        ("%YAML " + "9" * 5000 + ".1\n---\na", "cannot be read as YAML"),
        ("? [a]\n: b", "a key is not a text"),
        ("a: &a [*a]", "nothing above is named"),
        ("a\n---\nb", "line 2: a second document"),
        ("a:\n  b: [1", "cannot be read as YAML in line 2"),
        ("a" * 2**21, "more than 1,048,576 characters"),
    ],
)
def test_what_is_refused(tmp_path, text, reason):
    with pytest.raises(ScopleError, match=reason) as caught:
        read(tmp_path, text)
    assert len(str(caught.value)) <= 300
    assert "\n" not in str(caught.value)


def test_files_that_are_no_text(tmp_path):
    (tmp_path / "x.yaml").write_bytes(b"a: \xff")
    for path in (tmp_path / "x.yaml", tmp_path / "none", tmp_path, tmp_path / "a\0b", tmp_path / ("a" * 5000)):
        with pytest.raises(ScopleError, match="cannot be read") as caught:
            read_document(path)
        assert len(str(caught.value)) <= 300


def test_a_quoted_value_is_short_and_on_one_line():
    assert quoted("a\nb") == r"'a\nb'"
    assert len(quoted("x" * 1000)) == len(quoted([1] * 1000)) == len(listed(range(1000))) == 80
    assert listed(["a", 2]) == "a, 2"
