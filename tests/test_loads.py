"""Nothing that is loaded can run code."""

import ast

OWN_PROCESSES = "scople/base/parallel.py"
"""Pickles between a process and the workers it started, through pipes; no file is read so."""


def calls(path):
    """Dotted names of the functions that a file calls, with the keywords given."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}


def is_unsafe(name, keywords):
    """Whether a call may run what a file holds."""
    if name == "torch.load":
        return keywords.get("weights_only") != "True"
    if name == "np.load":
        return keywords.get("allow_pickle") != "False"
    if name.startswith("yaml."):
        return name in ("yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load")
    return name in ("eval", "exec", "pd.read_pickle", "joblib.load") or name.startswith(("pickle.load", "dill."))


def test_the_rule_knows_what_is_unsafe():
    assert is_unsafe("torch.load", {})
    assert is_unsafe("np.load", {"mmap_mode": "'r'"})
    assert is_unsafe("yaml.load", {})
    assert is_unsafe("pickle.load", {})
    assert not is_unsafe("yaml.safe_load", {})
    assert not is_unsafe("torch.load", {"weights_only": "True"})


def test_no_load_can_run_code(root):
    found, seen = {}, set()
    for folder in ("scople", "stages", "benchmarks"):
        for path in (root / folder).rglob("*.py"):
            name = str(path.relative_to(root))
            every = list(calls(path))
            seen |= {call for call, _ in every}
            if unsafe := [call for call, keywords in every if is_unsafe(call, keywords)]:
                found[name] = unsafe
    assert {"torch.load", "np.load", "yaml.parse", "load_file"} <= seen
    assert set(found) == {OWN_PROCESSES}


def test_an_archive_with_programs_is_opened_in_one_place_after_its_digest(root):
    opening = [path for path in (root / "scople").rglob("*.py") if "torch.jit.load(" in path.read_text()]
    assert [path.name for path in opening] == ["clip.py"]
    text = opening[0].read_text()
    places = [text.index(words) for words in ("= find_weights(weights, model)", "elif is_published", "torch.jit.load(")]
    assert places == sorted(places)
