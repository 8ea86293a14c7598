"""Frozen backbones of one split → joint features and interval features; each part has a folder of its own."""

from scople.backbone.pretraining import load_backbone
from scople.base.params import Params
from scople.data.class_names import save_classes
from scople.data.corpus import Corpus
from scople.pipeline.backbones import PARTS, extract_part
from scople.pipeline.layout import Layout, identity, load_problem
from scople.pipeline.running import run


def main(params: Params, split_name: str) -> str:
    """Extract the features of the samples that the split opens, by each of its backbones."""
    layout = Layout(params.profile)
    split, classes = load_problem(params, split_name)
    corpus = Corpus.open(layout.corpus(params.dataset_of(split_name)))
    problem = identity(split, classes)
    counts = {}
    for number in params.backbone_seeds:
        weights = layout.backbone(split_name, number)
        backbone = load_backbone(weights, num_classes=len(split.seen), width=params.scale.pretrain.width, **problem)
        for part in PARTS:
            features, intervals = extract_part(params, corpus, split, backbone, part)
            features.save(layout.features(split_name, part, number), **problem)
            intervals.save(layout.intervals(split_name, part, number), **problem)
            counts[part], size = len(intervals.labels), " x ".join(map(str, intervals.features.shape[1:]))
            del features, intervals  # the next part needs their room
    save_classes(classes, layout.classes(split_name))
    return f"{counts['training']} training and {counts['test']} test samples, {size} each"


if __name__ == "__main__":
    run(main)
