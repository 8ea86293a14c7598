"""README and docs against the repository: commands run, links lead somewhere, pictures and tables say what is so.

Fenced blocks: `console` holds commands after `$ ` that are run in a fresh copy of the repository without data, and
below each what has to be among what it prints; `console slow` likewise, in the slow tests. `sh` holds commands that
need data, a package index or more than a minute; they are not run, but what they name has to exist.
"""

import importlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest
import typer
import yaml

from scople.base.params import load_params
from scople.commands import results
from scople.commands.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]


def blocks(kind):
    """(page, text) of every fenced block that is marked so."""
    for page in PAGES:
        for indent, info, text in re.findall(r"^( *)```([^\n]*)\n(.*?)^ *```$", page.read_text(), re.M | re.S):
            if info == kind:
                yield page.name, re.sub(f"^{indent}", "", text, flags=re.M)


def steps(kind):
    """(command, lines that it has to print) of the blocks whose commands are run."""
    for page, text in blocks(kind):
        for step in re.split(r"^\$ ", text, flags=re.M)[1:]:
            command, *printed = step.strip().splitlines()
            yield pytest.param(command, printed, id=f"{page}: {command}")


def shown():
    """Every command in the blocks that are not run, and in the tables."""
    for page, text in blocks("sh"):
        for line in text.splitlines():
            if command := line.partition("#")[0].strip():
                yield pytest.param(command, id=f"{page}: {command}")
    for page in PAGES:
        for cell in re.findall(r"`((?:make|dvc|scople|python -m) [^`…<]+)`", page.read_text()):
            yield pytest.param(" ".join(cell.split()), id=f"{page.name}: {cell}")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A copy of the tracked files in a git repository of its own, as a clone without data is."""
    place = tmp_path_factory.mktemp("fresh")
    names = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True).splitlines()
    for name in names:
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place / name)
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for words in (("init", "-q"), ("add", "-A"), (*author, "commit", "-qm", "state")):
        subprocess.run(["git", *words], cwd=place, check=True)
    return place


def run_and_compare(place, command, printed):
    program, *words = shlex.split(command)
    known = {"scople": ["-m", "scople"], "dvc": ["-m", "dvc"], "python": []}
    done = subprocess.run(
        [sys.executable, *known[program], *words], cwd=place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for line in printed:
        assert line in done.stdout, done.stdout


@pytest.mark.parametrize(("command", "printed"), [*steps("console")])
def test_commands_print_what_the_page_says(fresh, command, printed):
    run_and_compare(fresh, command, printed)


@pytest.mark.slow
@pytest.mark.parametrize(("command", "printed"), [*steps("console slow")])
def test_longer_commands_print_what_the_page_says(fresh, command, printed):
    run_and_compare(fresh, command, printed)


def stages():
    """Stage → names behind its @, or None where it has none."""
    found = {}
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for path in ("dvc.yaml", "ablations/dvc.yaml", "baselines/dvc.yaml"):
        for name, stage in yaml.safe_load((ROOT / path).read_text())["stages"].items():
            found[name] = set(params["splits"]) if stage.get("foreach") == "${splits}" else None
    return found


@pytest.mark.parametrize("command", [*shown()])
def test_what_a_shown_command_names_exists(command):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    settings = yaml.safe_load((ROOT / "params.yaml").read_text())
    for part in command.split(" && "):
        program, *words = shlex.split(part)
        if program == "make":
            assert {word for word in words if "=" not in word} <= targets
        elif program == "scople":
            commands = typer.main.get_command(app).commands
            if not words[0].startswith("-"):
                called = commands[words[0]]
                if words[1:]:  # without any, prose names the command
                    called.make_context(words[0], words[1:]).close()
        elif program in ("python", "torchrun"):
            module = words[words.index("-m") + 1]
            assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), module
        elif program == "dvc":
            for setting in re.findall(r"-S (\w+)=", part):
                assert setting in settings, setting
            for stage, key in re.findall(r"\b(\w+)@(\w+)", part):
                assert key in (stages()[stage] or ()), f"{stage}@{key}"
        else:
            assert program in ("source", "git", "pre-commit"), f"nothing is known of {program}"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page):
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#]+)?(?:#[^)]*)?\)", text):
        if target and not target.startswith("http"):
            assert (page.parent / target).exists(), target
    for target, anchor in re.findall(r"\]\(([\w./-]+\.md)#([\w-]+)\)", text):
        if target != "results.md":  # made by a command; its headings are that command's
            headings = re.findall(r"^#+ (.+)$", (page.parent / target).read_text(), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_files_that_the_readme_names_are_outputs():
    declared = []
    for path in ("dvc.yaml", "ablations/dvc.yaml", "baselines/dvc.yaml"):
        for stage in yaml.safe_load((ROOT / path).read_text())["stages"].values():
            stage = stage.get("do", stage)
            declared += [next(iter(out)) for out in (*stage.get("outs", []), *stage.get("metrics", []))]
    rows = (ROOT / "README.md").read_text().split("## What comes out")[1].split("\n## ")[0]
    places = [place.replace("<profile>", "${profile}") for place in re.findall(r"`((?:results|work)/[^`]+)`", rows)]
    assert len(places) > 8
    for place in places:
        place = place.replace("<split>", "${key}").rstrip("/")
        assert any(out == place or out.startswith(f"{place}/") for out in declared), place


def test_equations_name_functions_and_tests_that_exist():
    table = (ROOT / "docs/method.md").read_text().split("## Equations")[1].split("\n## ")[0]
    names = re.findall(r"`(scople(?:\.\w+)+)`", table)
    assert len(names) > 10
    for name in names:
        module, _, attribute = name.rpartition(".")
        while not any((ROOT / module.replace(".", "/")).with_suffix(end).exists() for end in (".py", "")):
            module, _, outer = module.rpartition(".")
            attribute = f"{outer}.{attribute}"
        thing = importlib.import_module(module)
        for part in attribute.split("."):
            thing = getattr(thing, part)
    for path in re.findall(r"`(tests/[\w/.]+)`", table):
        assert (ROOT / path).exists(), path


def test_the_picture_of_the_rooms_is_the_import_contract():
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    floors = [layer.replace("scople.", "") for layer in contract["layers"]]
    text = (ROOT / "docs/architecture.md").read_text()
    picture = re.search(r"```mermaid\n(.*?)```", text, re.S).group(1)
    assert re.findall(r'f\d+\["(.+?)"\]', picture) == floors
    assert re.findall(r'f(\d+)(?:\[".+?"\])? --> f(\d+)', picture) == [
        (str(i), str(i + 1)) for i in range(len(floors) - 1)
    ]
    rooms = {path.parent.name for path in (ROOT / "scople").glob("*/__init__.py")}
    assert {room for floor in floors for room in floor.split(" | ")} == rooms | {"stages"}
    assert set(re.findall(r"^\| `(?:scople/)?(\w+)/` ", text, re.M)) == rooms | {"stages"}


def test_every_example_of_where_to_find_or_add_exists():
    text = (ROOT / "docs/architecture.md").read_text()
    for path in re.findall(r"`((?:scople|datasets|ablations|stages)/[\w/.]+)`", text):
        assert (ROOT / path).exists(), path


def test_results_are_what_the_tables_say(monkeypatch):
    monkeypatch.chdir(ROOT)
    for path, text in results.build(load_params()).items():
        assert path.read_text(encoding="utf-8") == text, "call `make results`"


def test_what_the_readme_shows_of_one_split_is_committed():
    (line,) = re.findall(
        r"^evaluate (\w+): (.*) % \(chance (.*), skeletons shuffled (.*)\)$", (ROOT / "README.md").read_text(), re.M
    )
    split, metrics, chance, shuffled = line
    results = ROOT / "results/demo"
    found = json.loads((results / f"metrics/{split}.json").read_text())
    assert metrics == ", ".join(f"{name} {value:.2f}" for name, value in found.items())
    controls = pd.read_csv(results / "tables/controls.csv").set_index("split").loc[split]
    assert chance == f"{controls['chance']:.1f}"
    assert float(shuffled) == pytest.approx(controls["zsl_shuffled"], abs=0.06)  # of two decimals, rounded once more


def test_the_versions_are_one():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    assert f"## {version}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_the_readme_stays_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 130


def test_the_workflow_calls_what_a_person_calls():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    (job,) = workflow["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert ".ci/run" in commands
    (summary,) = [step for step in job["steps"] if "metrics diff --md" in step.get("run", "")]
    assert "pull_request" in summary["if"]
