"""`doctor --time`: what is counted, what follows from the rates, and that the rates can be measured at all."""

import subprocess
import sys
from dataclasses import replace

import pytest

from scople.base.params import load_params
from scople.commands import durations, rates
from scople.commands.durations import Counted
from scople.commands.rates import Rates
from scople.formats.datasets import DataSet
from scople.pipeline.layout import load_problem
from scople.text.minilm import _package_folder

RATES = Rates(
    start=2.0,
    training_sample=0.7,
    forward_sample=0.11,
    reading_sample=0.013,
    step=(0.5, 1.1),
    text=(0.3, 0.9),
    scored_batch=(0.05, 0.17),
    classes=(46, 110),
)


@pytest.fixture
def paper(root, monkeypatch):
    monkeypatch.chdir(root)
    params = load_params()
    return replace(params, profile="paper", machine=replace(params.machine, device="cpu"))


def test_an_encoder_is_timed_before_its_weights_are_there(paper, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for encoder, weights, sizes in (
        ("clip", "openai", (512, 12)),
        ("clip:ViT-S-32-alt", "nowhere/weights.bin", (256, 10)),
        ("minilm", "package", (384, 6)),
        (f"sbert:{_package_folder()}", "folder", (384, 6)),
    ):
        scale = replace(paper.scale, text_encoder=encoder, text_weights=weights)
        tower = rates.timed_tower(replace(paper, profiles=paper.profiles | {"paper": scale}))
        assert (tower.width, tower.depth) == sizes
    assert list(tmp_path.iterdir()) == []


def test_rates_between_two_numbers_of_classes():
    assert [RATES.at(RATES.step, classes) for classes in (46, 110, 78)] == pytest.approx([0.5, 1.1, 0.8])
    assert replace(RATES, classes=(55, 55)).at((0.4, 0.4), 55) == 0.4


def test_a_split_is_what_its_stages_do(paper):
    """By hand, for 55/5 of 60 classes, five more of which calibrate the gates."""
    split, classes = load_problem(paper, "ntu60_55_5")
    assert (len(split.seen), len(split.pseudo_unseen), len(classes)) == (55, 5, 60)
    spent = durations.split_seconds(paper, "ntu60_55_5", Counted(40_000, 16_500, ""), RATES)
    training = round(40_000 * 55 / 60)
    assert spent["pretrain"] == pytest.approx(2 + 140 * training * (0.7 + 0.013))
    assert spent["features"] == pytest.approx(2 + (training + 16_500) * (0.11 + 0.013))
    at = {classes: (classes - 46) / 64 for classes in (50, 55)}
    learned = round(training * 50 / 55 * 0.8)
    fits = 100 * -(-training // 256) * (0.5 + 0.6 * at[55]) + 100 * -(-learned // 256) * (0.5 + 0.6 * at[50])
    judged = (0.3 + 0.6 * at[50]) + -(-(training - learned) // 256) * (0.05 + 0.12 * at[50])
    assert spent["train"] == pytest.approx(2 + fits + judged)
    text, batch = 0.3 + 0.6 * at[55], 0.05 + 0.12 * at[55]
    assert spent["evaluate"] == pytest.approx(2 + 3 * text + 2 * -(-16_500 // 256) * batch)


def test_a_given_backbone_looks_at_the_training_part_once(paper):
    counted = Counted(40_000, 16_500, "")
    entry = replace(paper.splits["ntu60_55_5"], backbone_weights="some.pt")
    given = replace(paper, splits=paper.splits | {"ntu60_55_5": entry})
    spent = durations.split_seconds(given, "ntu60_55_5", counted, RATES)
    trained = durations.split_seconds(paper, "ntu60_55_5", counted, RATES)
    assert spent["pretrain"] == pytest.approx(2 + round(40_000 * 55 / 60) * (0.11 + 0.013))
    assert {**spent, "pretrain": 0} == {**trained, "pretrain": 0}


def test_what_is_kept_in_memory_is_read_once(paper):
    few, many = (durations.split_seconds(paper, "ntu60_55_5", Counted(n, n, ""), RATES) for n in (600, 60_000))
    assert few["pretrain"] == pytest.approx(2 + 550 * (140 * 0.7 + 0.013))
    assert many["pretrain"] == pytest.approx(2 + 55_000 * 140 * 0.713)
    assert few["features"] == pytest.approx(2 + (550 + 600) * 0.123)


def test_repeats_and_their_backbones_are_counted(paper):
    counted = Counted(4_000, 1_000, "")
    once = durations.split_seconds(paper, "ntu60_55_5", counted, RATES)
    thrice = durations.split_seconds(replace(paper, seeds=[1, 2, 3]), "ntu60_55_5", counted, RATES)
    own = durations.split_seconds(replace(paper, repeat="everything"), "ntu60_55_5", counted, RATES)
    assert thrice["train"] == pytest.approx(3 * once["train"])
    assert thrice["pretrain"] == once["pretrain"]
    assert own["pretrain"] == pytest.approx(2 + 3 * (once["pretrain"] - 2))


def test_workers_beside_each_other():
    assert durations.makespan([3.0, 3.0, 2.0, 2.0, 2.0], 1) == 12
    assert durations.makespan([3.0, 3.0, 2.0, 2.0, 2.0], 2) == 7  # 3 2 2 and 3 2
    assert durations.makespan([5.0, 1.0, 1.0], 7) == 5


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(4.14, "4.1 s"), (37.2, "37 s"), (110.0, "110 s"), (725.0, "12 min"), (6000.0, "100 min"), (19_000.0, "5.3 h")]
    + [(950_400.0, "11 days"), (0.0, "0 s"), (9.96, "10 s"), (99.4, "99 s"), (99.5, "100 s"), (119.9, "120 s")]
    + [(120.0, "2 min"), (99.4 * 60, "99 min"), (5975.0, "100 min"), (99.5 * 60, "100 min"), (7199.0, "120 min")]
    + [(7200.0, "2 h"), (99.5 * 3600, "4.1 days"), (172_799.0, "48 h"), (172_800.0, "2 days")]
    + [(99.4 * 86_400, "99 days"), (99.5 * 86_400, "100 days"), (1234 * 86_400.0, "1234 days")],
)
def test_durations_for_people(seconds, said):
    assert durations.shown(seconds) == said


def test_samples_by_what_is_known_of_them(paper, tmp_path):
    index = tmp_path / "index.csv"
    dataset = DataSet.load("datasets/ntu60.yaml")
    assert durations.count(paper, dataset, None, index) == Counted(40_091, 56_578 - 40_091, "as expected")
    for source in ("", "pyskl", "ctr-npz"):
        larger = DataSet.load("datasets/ntu120.yaml", source)
        assert durations.count(paper, larger, None, index) == Counted(63_026, 113_945 - 63_026, "as expected")
    unknown = replace(dataset, expected=None)
    assert durations.count(paper, unknown, None, index) == Counted(0, 0, "as expected, 70% for training")
    demo = replace(paper, profile="demo")
    assert durations.count(demo, dataset, None, index) == Counted(600, 600, "to be written")
    videos = DataSet.load("datasets/pku.yaml")
    assert durations.count(paper, videos, None, index).training == round(0.7 * 20 * 1076)
    index.write_text("name,is_training\na,True\nb,False\nc,True\n")
    assert durations.count(paper, dataset, None, index) == Counted(2, 1, "as packed")


def test_every_stage_is_measured_and_every_split_estimated(root, monkeypatch):
    """On a profile of a few numbers, with the real text encoder; the sizes of what is timed follow from the profile."""
    monkeypatch.chdir(root)
    params = load_params()
    scale = params.profiles["demo"]
    small = replace(scale, frames=12, pretrain=replace(scale.pretrain, width=3, batch_size=5))
    small = replace(small, train=replace(scale.train, batch_size=7), evaluate=replace(scale.evaluate, batch_size=11))
    splits = {name: params.splits[name] for name in ("ntu60_48_12", "pku_46_5_r1")}
    machine = replace(params.machine, device="cpu")
    params = replace(params, profile="demo", profiles={"demo": small}, splits=splits, machine=machine)
    monkeypatch.setattr(rates, "LONG", 1e-9)
    lines = list(durations.estimate(params))
    assert [line.split(":")[0] for line in lines[:6]] == [
        "time  parse ntu60", "time  parse ntu120", "time  parse pku", f"time  CPU, machine.threads {machine.threads}",
        "time  ntu60_48_12", "time  pku_46_5_r1",
    ]  # fmt: skip
    assert "extrapolated from 2 steps" in lines[3]
    for stage in ("pretrain", "features", "train", "evaluate"):
        assert f"{stage} " in lines[4]
    assert "in all" in lines[6]
    assert "at a time" in lines[-1]


@pytest.mark.slow
def test_the_command_prints_the_times(root):
    done = subprocess.run(
        [sys.executable, "-m", "scople", "doctor", "--time"], cwd=root, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert "time  in all: " in done.stdout
