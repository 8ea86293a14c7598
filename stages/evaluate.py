"""A trained method on the test subjects of one split: ZSL, S, U and H, per class, controls, and data for pictures."""

from scople.base.params import Params
from scople.pipeline.evaluation import evaluate_split
from scople.pipeline.layout import Layout
from scople.pipeline.running import run


def main(params: Params, split_name: str, variant: str = "") -> str:
    """Score every test sample against every candidate class, then let the gate choose between seen and unseen."""
    return evaluate_split(params, Layout.of(params, variant), split_name)


if __name__ == "__main__":
    run(main)
