"""The model of one split as a folder that can be passed on: weights, settings and a card."""

import json
from dataclasses import asdict
from importlib.metadata import version

from scople.backbone.pretraining import load_backbone
from scople.base.artefacts import content_digest, load_sealed_json, load_weights
from scople.base.errors import ScopleError
from scople.base.params import Params
from scople.data.class_names import names_of
from scople.data.joints import JOINT_NAMES
from scople.pipeline.assembly import Assembly, build_model, build_tower, require_names
from scople.pipeline.layout import Layout, identity, load_featured_problem
from scople.pipeline.running import run
from scople.prediction.card import model_card
from scople.prediction.model_folder import ModelConfig, described_encoder, model_place, save_model_folder

PACKAGES = ("scople", "torch", "numpy", "safetensors")


def main(params: Params, split_name: str) -> str:
    """Put the first repeat's backbone and model into one folder, with what they need to answer."""
    layout, repeat = Layout(params.profile), params.seeds[0]
    settings = params.settings()
    require_names(settings, "a model folder")
    split, classes = load_featured_problem(params, split_name)
    problem, dataset = identity(split, classes), params.dataset_of(split_name)
    weights = layout.backbone(split_name, params.backbone_of(repeat))
    backbone = load_backbone(weights, num_classes=len(split.seen), width=params.scale.pretrain.width, **problem)
    tower = build_tower(params.scale)
    assembly = Assembly.of(params, "", dataset, tower)
    model = build_model(settings, tower, backbone.fc.in_features, params.repeat_seed(repeat))
    origin = content_digest(backbone.state_dict())
    belongs = assembly.identity(params, params.repeat_seed(repeat), problem, origin)
    again = f"run `python -m stages.train {split_name} {repeat}`"
    load_weights(model, "model", layout.model(split_name, repeat), again=again, **belongs)
    gates = load_sealed_json("gates", layout.gates(split_name, repeat), again=again, **belongs)
    try:
        known = json.loads(layout.provenance(split_name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ScopleError(
            f"{layout.provenance(split_name)} is missing or damaged: run `python -m stages.evaluate {split_name}`."
        ) from error
    config = ModelConfig(
        split=split_name,
        dataset=dataset,
        profile=params.profile,
        variant=params.variant,
        repeat=repeat,
        is_synthetic=layout.is_synthetic(params.raw_folder_of(dataset)),
        frames=params.scale.frames,
        joints=list(JOINT_NAMES),
        width=params.scale.pretrain.width,
        method=asdict(settings),
        batches={"features": params.scale.features.batch_size, "scores": params.scale.evaluate.batch_size},
        text_encoder=described_encoder(params.scale.text_encoder, params.scale.text_weights, tower),
        seen=names_of(classes, split.seen),
        unseen=names_of(classes, split.unseen),
        thresholds={gate: entry["threshold"] for gate, entry in gates.items()},
        computed_by=known["computed_by"],
        versions={name: version(name).partition("+")[0] for name in PACKAGES},
        made_from=known["made_from"],
    )
    card = model_card(config, known["test_samples"], known["chance"], list(known["repeats"].values()))
    folder = model_place(params.profile, split_name)
    save_model_folder(folder, config, backbone, model, card)
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    return f"{len(split.seen)} seen classes of {dataset}, {size:.1f} MB in {folder}"


if __name__ == "__main__":
    run(main)
