"""Frozen backbones of one split → joint features, training part and test part in folders of their own."""

from scople.backbone.pretraining import load_backbone
from scople.base.params import Params
from scople.data.class_names import save_classes
from scople.data.corpus import Corpus
from scople.pipeline.backbones import extract_parts
from scople.pipeline.layout import Layout, identity, load_problem
from scople.pipeline.running import run


def main(params: Params, split_name: str) -> str:
    """Extract the features of the samples that the split opens, by each of its backbones."""
    layout = Layout(params.profile)
    split, classes = load_problem(params, split_name)
    corpus = Corpus.open(layout.corpus(params.dataset_of(split_name)))
    problem = identity(split, classes)
    for number in params.backbone_seeds:
        weights = layout.backbone(split_name, number)
        backbone = load_backbone(weights, num_classes=len(split.seen), width=params.scale.pretrain.width, **problem)
        training, test = extract_parts(params, corpus, split, backbone)
        training.save(layout.features(split_name, "training", number), **problem)
        test.save(layout.features(split_name, "test", number), **problem)
    save_classes(classes, layout.classes(split_name))
    size = " x ".join(map(str, test.features.shape[1:]))
    return f"{len(training.labels)} training and {len(test.labels)} test samples, {size} each"


if __name__ == "__main__":
    run(main)
