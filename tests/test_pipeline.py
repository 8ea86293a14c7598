"""dvc.yaml against the code: every stage declares the modules it imports and the settings it reads."""

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from scople.base.params import OF_EVERY_METHOD, MethodSettings


def stage_entries(root):
    """Name → definition of every stage, templates not expanded."""
    entries = {}
    for path in (
        root / "dvc.yaml",
        *(root / name / "dvc.yaml" for name in ("datasets/demo", "ablations", "baselines")),
    ):
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
            if part == "scople":  # a door for users: it loads what is called when it is called, and no stage calls it
                continue
            path = module_file(root, part)
            if path not in found:
                found.add(path)
                waiting.extend(imported(root, path))
    return {str(path.relative_to(root)) for path in found if has_code(path)}


def has_code(path):
    body = ast.parse(path.read_text()).body
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body)


STAGES = [
    *("demo", "preflight", "parse", "pretrain", "features", "train", "evaluate", "export", "tables", "figures"),
    *("ablation_train", "ablation_evaluate", "ablation_tables", "figure3", "figure3_picture", "diagnostics", "scatter"),
    *("page", "baseline_train", "baseline_train_texts", "baseline_train_head", "calibration_backbone"),
    *("baseline_evaluate", "query_leak", "baseline_tables", "baseline_picture"),
]


def test_every_stage_is_known(root):
    assert sorted(stage_entries(root)) == sorted(STAGES)


def test_every_script_is_a_stage(root):
    scripts = {path.stem for path in (root / "stages").glob("*.py")} - {"__init__"}
    assert scripts == {re.search(r"stages\.(\w+)", stage["cmd"]).group(1) for stage in stage_entries(root).values()}


def test_preflight_depends_on_every_description_that_params_names(root):
    named = yaml.safe_load((root / "params.yaml").read_text())["datasets"]
    assert {f"datasets/{name}.yaml" for name in named} <= set(stage_entries(root)["preflight"]["deps"])


def test_tables_1_and_4_and_the_diagnostics_are_of_the_same_splits(root):
    pipelines = yaml.safe_load((root / "datasets/paper_tables/layout.yaml").read_text())
    columns = pipelines["ablations"]["table4"]["columns"].values()
    splits = [split for column in columns for split in column["splits"]]
    stages = yaml.safe_load((root / "ablations/dvc.yaml").read_text())["stages"]
    assert stages["diagnostics"]["foreach"] == splits
    assert stages["figure3"]["matrix"]["split"] == stages["scatter"]["foreach"] == splits
    assert stages["ablation_train"]["matrix"]["split"] == stages["ablation_evaluate"]["matrix"]["split"] == splits


def test_the_ablations_are_every_row_of_the_tables_but_the_full_model(root):
    pipelines = yaml.safe_load((root / "datasets/paper_tables/layout.yaml").read_text())
    rows = {variant for table in pipelines["ablations"].values() for variant in table["rows"]}
    params = yaml.safe_load((root / "params.yaml").read_text())
    stages = yaml.safe_load((root / "ablations/dvc.yaml").read_text())["stages"]
    for name in ("ablation_train", "ablation_evaluate"):
        assert {*stages[name]["matrix"]["variant"], params["variant"]} == rows <= set(params["variants"])
    assert all("method" not in params["variants"][name] for name in rows)


def test_the_baselines_are_every_row_of_their_tables_on_the_splits_of_these(root):
    layouts = yaml.safe_load((root / "datasets/paper_tables/layout.yaml").read_text())["baselines"]
    params = yaml.safe_load((root / "params.yaml").read_text())
    document = yaml.safe_load((root / "baselines/dvc.yaml").read_text())
    stages = document["stages"]
    columns = {name: [s for c in layout["columns"].values() for s in c["splits"]] for name, layout in layouts.items()}
    everywhere, texts, heads = (
        stages[name]["matrix"]["variant"] for name in ("baseline_train", "baseline_train_texts", "baseline_train_head")
    )
    assert columns["table2"] + columns["table3"] == list(params["splits"])
    assert {"scople", *everywhere} == set(layouts["table3"]["rows"])
    assert {"scople", *everywhere, *texts, *heads} == set(layouts["table2"]["rows"])
    assert everywhere + texts + heads == stages["baseline_evaluate"]["matrix"]["variant"]
    assert document["vars"][1]["fixed"].split(",") == stages["calibration_backbone"]["foreach"] == columns["table2"]
    for name, splits in (("baseline_train", params["splits"]), ("baseline_train_texts", columns["table2"])):
        read = {dep.split("/")[3] for dep in stages[name]["deps"] if dep.startswith("work/${profile}/features/")}
        assert read == set(splits)
    settings = params["variants"]
    assert not [name for name in everywhere + heads if settings[name].get("method", "scople") == "scople"]
    assert {name for name in settings if settings[name].get("seen_source") == "head"} == set(heads)
    for name in heads:  # other scores of seen classes, all else the same
        assert settings[name] == settings[name.removesuffix("_head")] | {"seen_source": "head"}


def test_no_training_of_a_baseline_is_told_of_test_features(root):
    for name in ("baseline_train", "baseline_train_texts", "baseline_train_head", "calibration_backbone"):
        assert not [dep for dep in stage_entries(root)[name]["deps"] if re.search(r"/test$|features$|intervals$", dep)]


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


READERS = r"scople\.(?:pipeline\.(?:assembly|backbones|checking|training|evaluation)|reports\.gathering)"
"""Modules whose functions and classes read settings for the scripts that import them."""


def source_of(root, module):
    """What a script runs of itself and of `READERS`: its own text, and that of all functions and classes it reaches."""
    script = module_file(root, module).read_text()
    found, waiting = {}, [(source, name) for source, names in readers_in(script) for name in names]
    while waiting:
        source, name = waiting.pop()
        text = module_file(root, source).read_text()
        parts = {
            node.name: ast.get_source_segment(text, node) for node in ast.parse(text).body if hasattr(node, "name")
        }
        if name in parts and (source, name) not in found:
            found[source, name] = parts[name]
            near = [(source, other) for other in parts]
            far = [(other, each) for other, names in readers_in(text) for each in names]
            waiting += [each for each in near + far if re.search(rf"\b{each[1]}\b", parts[name])]
    return "\n".join([script, *found.values()])


def readers_in(text):
    """Modules of `READERS` and the names that a text imports from each."""
    for source, names in re.findall(rf"from ({READERS}) import (\([^)]+\)|.+)", text):
        yield source, re.findall(r"\w+", names)


def settings_read(root, module):
    """Parameters that a script reads, itself or by `READERS`; named as in dvc.yaml."""
    script, text = module_file(root, module).read_text(), source_of(root, module)
    of_method = {field.name for field in fields(MethodSettings)}
    read = set()
    if re.search(r"load_(featured_)?problem\(", text):  # which takes the split's file from the folder of this name
        read.add("random_splits")
    if "asdict(settings)" in script:  # hands on all of them
        read |= of_method
    text = re.sub(r"\b(?:self|evaluation)\.(?=(?:params|assembly)\.)", "", text)
    text = re.sub(r"params\.settings\(\w*\)\.|\b(self\.|assembly\.)?settings\.", "method.", text)
    for chain in re.findall(r"(?<!\w\.)\b(?:params|method|scale)(?:\.\w+)+", text):
        head, *rest = chain.split(".")
        if head == "params" and rest[0] in ("method", "scale"):
            head, *rest = rest
        if head == "method" and rest and rest[0] not in of_method:  # a built one, not its settings
            continue
        if not rest:  # the whole group, handed on; its members are read in the same text
            continue
        if head == "scale":
            read.add("profiles.${profile}." + rest[0])
        elif rest[0] == "repeat_seed":
            read.add("seed")
        elif rest[0] in ("backbone_seeds", "backbone_of"):
            read |= {"seed", "repeat", "backbones"}
        elif rest[0] not in (
            "machine",
            "settings",
            "own_settings",
            "changed",
            "dataset_of",
            "raw_folder_of",
            "datasets",
            "splits",
            "variants",
        ):
            read.add(rest[0])
    return read - {"yaml"}


OTHER_METHODS = ("baseline_train", "baseline_train_head", "query_leak")
"""Stages that run no SCoPLe, and so read none of its settings."""


@pytest.mark.parametrize("name", STAGES)
def test_every_setting_that_a_stage_reads_is_declared(root, name):
    stage = stage_entries(root)[name]
    module = re.match(r"python -m (\S+)", stage["cmd"]).group(1)
    declared = set(stage["params"])
    read = settings_read(root, module)
    if name == "preflight":  # it looks at all of them to refuse bad ones, and what it writes tells of none
        read &= declared
    if name in OTHER_METHODS:
        read -= {field.name for field in fields(MethodSettings)} - OF_EVERY_METHOD | {"profiles.${profile}.train"}
    if (
        "${item.variant}" in stage["cmd"] or name == "query_leak"
    ):  # a variant named by a word: params.yaml's is read only without one
        read.discard("variant")
    assert read, "a stage that reads nothing means that this test looks in the wrong place"
    assert {key for key in read if not any(key == d or d.startswith(f"{key}.") for d in declared)} == set()
    groups = {"profile", "variant", "variants", "seed", "splits", "datasets", "demo"}
    assert {key for key in declared if "." not in key} - groups <= read, "declared but not read"


def test_what_is_made_goes_to_the_remote_of_its_profile_or_nowhere(root):
    """Licensed recordings, and what derives from them, can reach no other remote; nothing of them is in a lock."""
    for name, stage in stage_entries(root).items():
        for out in stage.get("outs", []):
            ((path, flags),) = out.items()
            in_git = flags.get("cache") is False
            assert in_git or flags == {"remote": "demo" if name == "demo" else "${profile}"}, (name, path)
            assert not in_git or path.startswith("results/")
    ignored = (root / ".gitignore").read_text().split()
    assert {"/data/raw/", "/work/"} <= set(ignored)
    locks = [path.read_text() for path in root.glob("**/dvc.lock") if ".venv" not in path.parts]
    assert len(locks) >= 2
    assert not any(re.search(r"(data/raw|work)/paper", text) for text in locks)


def test_plots_lay_the_losses_of_every_split_over_each_other(root):
    plots = [plot for plot in yaml.safe_load((root / "dvc.yaml").read_text())["plots"] if isinstance(plot, dict)]
    splits = list(yaml.safe_load((root / "params.yaml").read_text())["splits"])
    for name, part in (
        ("Loss of SCoPLe on every split", "scople"),
        ("Loss of the backbone on every split", "backbone"),
    ):
        (plot,) = [plot[name] for plot in plots if name in plot]
        assert list(plot["y"]) == [f"work/${{profile}}/history/{part}/{split}/1.csv" for split in splits]


def test_an_artifact_is_the_model_folder_of_each_fixed_split(root):
    artifacts = yaml.safe_load((root / "dvc.yaml").read_text())["artifacts"]
    tables = yaml.safe_load((root / "datasets/paper_tables/layout.yaml").read_text())
    fixed = list(tables["main"]["table2"]["columns"])
    (folder,) = [next(iter(out)) for out in stage_entries(root)["export"]["outs"]]
    paths = [folder.replace("${key}", split) for split in fixed]
    assert [artifact["path"] for artifact in artifacts.values()] == paths
    assert list(artifacts) == [split.replace("_", "-") for split in fixed]  # DVC takes no underscore in a name
    assert all({"type", "desc", "labels"} <= artifact.keys() for artifact in artifacts.values())
