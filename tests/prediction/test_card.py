"""The card: limits and licence before results, and metadata that the Hub reads."""

from dataclasses import replace

import pytest
from huggingface_hub import ModelCard

from scople.judging.certainty import mean_over_splits
from scople.prediction.card import SYNTHETIC, model_card

SAMPLES = {"seen": 7, "unseen": 5}
REPEATS = [
    {"zsl": 40.0, "seen": 30.0, "unseen": 20.0, "harmonic": 24.0},
    {"zsl": 47.0, "seen": 31.0, "unseen": 23.0, "harmonic": 26.4},
]


@pytest.fixture
def config(parts):
    return parts[0]


def test_sections_stand_in_the_order_that_warns_first(config):
    text = model_card(config, SAMPLES, 50.0, REPEATS)
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == ["## Limitations", "## Licence of the data", "## Results", "## Use"]


def test_the_hub_reads_the_metadata(config):
    data = ModelCard(model_card(config, SAMPLES, 50.0, REPEATS)).data
    assert (data.license, data.library_name) == ("mit", "scople")
    assert data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    assert "synthetic" in data.tags
    values = {result.metric_name.split(":")[0]: result.metric_value for result in data.eval_results}
    assert values == {"ZSL": 43.5, "S": 30.5, "U": 21.5, "H": 25.2}


@pytest.mark.parametrize(
    ("encoder", "base", "words"),
    [
        ({"name": "clip"}, "openai/clip-vit-base-patch32", "`openai/clip-vit-base-patch32`"),
        (
            {"name": "clip:ViT-L-14", "weights": "laion2b_s32b_b82k"},
            "laion/CLIP-ViT-L-14-laion2B-s32B-b82K",
            "`laion/CLIP-ViT-L-14-laion2B-s32B-b82K`",
        ),
        ({"name": "clip:ViT-L-14"}, None, "`CLIP-ViT-L/14 (tensors 7f)`"),
        ({"name": "sbert:a/folder"}, None, "`folder (tensors 7f)`"),
    ],
)
def test_the_text_encoder_is_named(config, encoder, base, words):
    text = model_card(replace(config, text_encoder={"digest": "7f", **encoder}), SAMPLES, 50.0, REPEATS)
    assert ModelCard(text).data.base_model == base
    assert f"the text encoder {words} is not in it" in text


def test_results_have_the_standard_error_of_several_trainings(config):
    text = model_card(config, SAMPLES, 50.0, REPEATS)
    error = mean_over_splits([40.0, 47.0]).error
    (row,) = [line for line in text.splitlines() if line.startswith("| ZSL")]
    assert [cell.strip() for cell in row.strip("|").split("|")][1:] == ["43.5", f"{error:.1f}"]
    assert "2 trainings" in text
    assert "Chance of ZSL is 50.0 %" in text
    alone = model_card(config, SAMPLES, 50.0, REPEATS[:1])
    assert "unknown" in next(line for line in alone.splitlines() if line.startswith("| ZSL"))


def test_a_model_of_synthetic_motion_says_so(config):
    assert SYNTHETIC in model_card(config, SAMPLES, 50.0, REPEATS)
    real = model_card(replace(config, is_synthetic=False), SAMPLES, 50.0, REPEATS)
    assert "synthetic" not in real


@pytest.mark.parametrize(
    ("dataset", "licence", "words"),
    [("ntu120", "ntu-rgbd", "ROSE Lab"), ("pku", "pku-mmd", "Peking"), ("own", "unknown", "ask whoever made them")],
)
def test_the_licence_of_the_data_is_named(config, dataset, licence, words):
    text = model_card(replace(config, is_synthetic=False, dataset=dataset), SAMPLES, 50.0, REPEATS)
    data = ModelCard(text).data
    assert (data.license, data.license_name) == ("other", licence)
    assert words in text.split("## Licence of the data")[1].split("## Results")[0].replace("\n", " ")
