"""One variant on several splits, with its gates: what `stages.train` does, without a start for each of them."""

from scople.base.params import Params
from scople.pipeline.layout import Layout
from scople.pipeline.running import run
from scople.pipeline.training import train_splits


def main(params: Params, variant: str, split_names: str = "") -> str:
    """Train every repeat on every split, or on those that are named, with commas between them."""
    names = split_names.split(",") if split_names else list(params.splits)
    return train_splits(params, Layout.of(params, variant, "baselines"), names)


if __name__ == "__main__":
    run(main)
