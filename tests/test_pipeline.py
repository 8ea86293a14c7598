"""dvc.yaml against the code: every stage declares exactly the modules that it imports."""

import ast
import re
from pathlib import Path

import pytest
import yaml


def stage_entries(root):
    """Name → definition of every stage, templates not expanded."""
    entries = {}
    for path in (root / "dvc.yaml", root / "datasets" / "demo" / "dvc.yaml", root / "ablations" / "dvc.yaml"):
        for name, stage in yaml.safe_load(path.read_text())["stages"].items():
            entries[name] = stage.get("do", stage)
    return entries


def module_file(root, name):
    """File of a module of this repository, or None for a foreign one."""
    base = root.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def imported(root, path):
    """Modules of this repository that a file names in its imports, wherever they stand in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name and name.split(".")[0] in ("scople", "stages") and module_file(root, name):
                yield name


def closure(root, module):
    """Files that running a module loads, empty package files left out."""
    found, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        packages = [".".join(name.split(".")[: i + 1]) for i in range(name.count(".") + 1)]
        for part in packages:
            path = module_file(root, part)
            if path not in found:
                found.add(path)
                waiting.extend(imported(root, path))
    return {str(path.relative_to(root)) for path in found if has_code(path)}


def has_code(path):
    body = ast.parse(path.read_text()).body
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body)


STAGES = ["demo", "preflight", "parse", "pretrain", "features", "train", "evaluate", "tables", "shortcut"]


def test_every_stage_is_known(root):
    assert sorted(stage_entries(root)) == sorted(STAGES)


@pytest.mark.parametrize("name", STAGES)
def test_code_dependencies_are_the_import_closure(root, name):
    stage = stage_entries(root)[name]
    module = re.match(r"python -m (\S+)", stage["cmd"]).group(1)
    declared = {dep for dep in stage["deps"] if dep.startswith(("scople", "stages"))}
    needed = closure(root, module)
    covered = {path for path in needed if path in declared or any(Path(dep) in Path(path).parents for dep in declared)}
    assert needed - covered == set(), "imported but not declared"
    used = {dep for dep in declared if any(path == dep or Path(dep) in Path(path).parents for path in needed)}
    assert declared - used == set(), "declared but not imported"
