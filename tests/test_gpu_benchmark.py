"""`benchmarks.gpu`: each measurement ends alone, and the whole runs in small on a CPU."""

import json
import sys

import pytest
import yaml

from benchmarks import gpu
from benchmarks.gpu import Measurement
from scople.base.errors import ScopleError
from scople.base.params import load_params


def run(monkeypatch, out, *words):
    monkeypatch.setattr(sys, "argv", ["gpu", "--out", str(out), *words])
    gpu.main()
    return (out / "summary.md").read_text().splitlines()[2:]


def test_measurements_fail_alone_and_end_in_time(monkeypatch, tmp_path):
    measurements = [
        Measurement("works", ("platform",), 60),
        Measurement("fails", ("no_such_module",), 60),
        Measurement("lasts", ("http.server", "0"), 1),
        Measurement("late", ("platform",), 60),
    ]
    monkeypatch.setattr(gpu, "in_small", lambda: measurements)
    monkeypatch.setattr(gpu, "SHORTEST", 0.0)
    rows = run(monkeypatch, tmp_path, "--device", "cpu")
    assert [row.split("|")[2].strip() for row in rows] == ["done", "ended with 1", "stopped after 1 s", "done"]
    assert (tmp_path / "works.txt").read_text().startswith("$ python -m platform\n\n")
    assert "No module named no_such_module" in (tmp_path / "fails.err.txt").read_text()
    assert json.loads((tmp_path / "machine.json").read_text())["packages"]["torch"]
    rows = run(monkeypatch, tmp_path / "none", "--device", "cpu", "--minutes", "0", "--only", "late")
    assert [row.split("|")[1:3] for row in rows] == [[" late          ", " not begun "]]
    with pytest.raises(ScopleError, match="'latest' is no measurement: choose from works, fails, lasts, late"):
        run(monkeypatch, tmp_path, "--device", "cpu", "--only", "latest")


def test_the_folder_of_a_paper_at_a_precision(tmp_path, monkeypatch, root):
    monkeypatch.chdir(gpu.paper_folder(tmp_path, "bfloat16"))
    params = load_params()
    assert (params.profile, params.scale.pretrain.precision) == ("paper", "bfloat16")
    changed, whole = (yaml.safe_load((place / "params.yaml").read_text()) for place in (tmp_path, root))
    whole["profile"], whole["profiles"]["paper"]["pretrain"]["precision"] = "paper", "bfloat16"
    assert changed == whole


def test_every_measurement_has_a_name_and_a_module_of_its_own(root):
    for measurements in (gpu.in_small(), gpu.on_gpu(64, 8)):
        assert len({each.name for each in measurements}) == len(measurements)
        for each in measurements:
            package, _, module = each.words[0].partition(".")
            assert package != "benchmarks" or (root / "benchmarks" / f"{module}.py").is_file()


@pytest.mark.slow
def test_everything_in_small(monkeypatch, tmp_path):
    rows = run(monkeypatch, tmp_path, "--device", "cpu", "--minutes", "60")
    assert [row.split("|")[2].strip() for row in rows] == ["done"] * len(gpu.in_small()), rows
    for each in gpu.in_small():
        assert len((tmp_path / f"{each.name}.txt").read_text().splitlines()) > 2
