"""The command `scople`: its help teaches, its exit codes say what happened, and neither waits for torch."""

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from scople.commands.cli import app

COMMANDS = sorted(typer.main.get_command(app).commands)


def call(place, *words, **options):
    return subprocess.run(
        [sys.executable, *options.get("python", ()), "-m", "scople", *words],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_names_every_command():
    printed = CliRunner().invoke(app, ["--help"]).output
    assert COMMANDS
    assert all(f"\n  {name} " in printed for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command_has_an_example_that_it_takes(name):
    printed = CliRunner().invoke(app, [name, "--help"]).output
    (example,) = [line.strip() for line in printed.splitlines() if line.strip().startswith("Example: ")]
    program, command, *words = example.removeprefix("Example: ").split()
    assert (program, command) == ("scople", name)
    with typer.main.get_command(app).commands[name].make_context(name, words):
        pass  # a wrong call raises


def test_help_loads_no_numerical_library(root):
    done = call(root, "verify", "--help", python=("-X", "importtime"))
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer" in loaded
    assert {"torch", "numpy", "pandas", "dvc"} & loaded == set()


def test_version():
    assert CliRunner().invoke(app, ["--version"]).output.startswith("scople 0.")


@pytest.mark.parametrize(
    "words", [[], ["nonsense"], ["verify"], ["verify", "nonsense"], ["compare", "scople"], ["spread", "--through", "'"]]
)
def test_a_wrong_call_exits_with_2(words):
    assert CliRunner().invoke(app, words).exit_code == 2


def test_without_its_library_one_sentence_says_what_to_do(tmp_path):
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError('none here', name='typer')\n")
    done = call(tmp_path, "doctor")
    assert done.returncode == 1
    assert done.stderr == "error: typer is not installed and every command needs it: call `make setup`.\n"


@pytest.mark.slow
def test_what_a_command_finds_is_its_exit_code(tmp_path):
    done = call(tmp_path, "compare", "scople", "no_prompts")
    assert done.returncode == 1
    assert done.stderr.startswith("error: compare: this is not the project's folder, it has no params.yaml")
    assert "Traceback" not in done.stderr
