"""`benchmarks.gpu`: each measurement ends alone, and the whole runs in small on a CPU."""

import json
import sys

import pandas as pd
import pytest
import torch
import yaml

from benchmarks import full_run, gpu
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


def test_a_device_for_one_process_at_a_time_is_left_to_the_measurements(monkeypatch, tmp_path):
    for name in ("is_available", "mem_get_info", "get_device_properties"):
        monkeypatch.setattr(gpu.torch.cuda, name, lambda *_: pytest.fail("asked the device in its own process"))
    monkeypatch.setattr(gpu, "asked_of_gpu", lambda: {"name": "some GPU", "free_gb": 7.9})
    batches = []
    monkeypatch.setattr(gpu, "on_gpu", lambda batch, _: batches.append(batch) or [Measurement("a", ("platform",), 60)])
    run(monkeypatch, tmp_path)
    assert batches == [7]
    assert json.loads((tmp_path / "machine.json").read_text())["gpu"]["name"] == "some GPU"
    monkeypatch.setattr(gpu, "asked_of_gpu", dict)
    with pytest.raises(ScopleError, match="torch finds no CUDA device"):
        run(monkeypatch, tmp_path)


def test_the_whole_training_has_the_time_that_is_counted_for_it(root):
    """And if everything before it takes its limit, time for its first line."""
    measurements = gpu.on_gpu(64, 8)
    place = [each.name for each in measurements].index("full_run")
    costs = pd.read_csv(root / "benchmarks/measured/methods_cpu.csv").set_index("method")
    assert measurements[place].limit > 1.5 * 60 * costs.loc["scople", "counted_minutes"]
    assert sum(each.limit for each in measurements[:place]) + 60 <= 9.5 * 60
    assert sum(each.limit for each in measurements) <= 27 * 60  # as its docstring says


def test_the_whole_training_says_a_time_before_it_is_done(monkeypatch, capsys):
    def fit(method, recipe, features, *_, **__):
        if recipe.epochs == 100:
            raise KeyboardInterrupt

    monkeypatch.setattr(full_run, "fit", fit)
    monkeypatch.setattr(full_run, "paper_model", lambda _: (torch.nn.Linear(1, 1), ["a", "b"]))
    monkeypatch.setattr(full_run, "Scople", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["full_run", "--samples", "2560"])
    with pytest.raises(KeyboardInterrupt):
        full_run.main()
    last = capsys.readouterr().out.splitlines()[-1]
    assert "for 500 steps of 256 samples" in last
    assert "extrapolated to the paper's 22600 steps" in last


def test_a_part_of_a_training_and_the_whole():
    assert full_run.told(5.0, 500, 22_600, 256).startswith(
        "5.0 s for 500 steps of 256 samples, 10.0 ms a step; extrapolated to the paper's 22600 steps: 226 s (the paper"
    )
    assert "; the whole run: 232 s (" in full_run.told(232.0, 22_600, 22_600, 256)


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
    assert bool(gpu.asked_of_gpu()) == torch.cuda.is_available()
    rows = run(monkeypatch, tmp_path, "--device", "cpu", "--minutes", "60")
    assert [row.split("|")[2].strip() for row in rows] == ["done"] * len(gpu.in_small()), rows
    for each in gpu.in_small():
        assert len((tmp_path / f"{each.name}.txt").read_text().splitlines()) > 2
