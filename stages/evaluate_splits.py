"""One variant on the test subjects of every split that it was trained on: what `stages.evaluate` does."""

from scople.base.documents import listed
from scople.base.errors import ScopleError
from scople.base.params import Params
from scople.pipeline.evaluation import evaluate_split
from scople.pipeline.layout import Layout
from scople.pipeline.running import run


def main(params: Params, variant: str) -> str:
    """Evaluate one split after the other."""
    layout = Layout.of(params, variant, "baselines")
    names = [name for name in params.splits if layout.model(name, params.seeds[0]).exists()]
    if not names:
        raise ScopleError(f"no model of variant '{variant}' is there: run `python -m stages.train_splits {variant}`.")
    told = "; ".join(f"{name}: {evaluate_split(params, layout, name)}" for name in names)
    without = [name for name in params.splits if name not in names]
    return f"{told}; no model on {listed(without)}" if without else told


if __name__ == "__main__":
    run(main)
