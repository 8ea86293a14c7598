"""A method on the training part of one split's features, and the gates' constants on its pseudo-unseen classes."""

from scople.base.params import Params
from scople.pipeline.layout import Layout
from scople.pipeline.running import run
from scople.pipeline.training import train_repeat


def main(params: Params, split_name: str, seed: str, variant: str = "") -> str:
    """Train on every seen class; then once more without the pseudo-unseen ones, to calibrate the gates."""
    return train_repeat(params, Layout.of(params, variant), split_name, seed)


if __name__ == "__main__":
    run(main)
