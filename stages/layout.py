"""Where the stages read and write; `dvc.yaml` names the same places."""

from dataclasses import dataclass
from pathlib import Path

from scople.data.class_names import ClassEntry, load_classes, load_dataset_classes
from scople.data.splits import Split, load_split
from scople.params import Params

DATASETS = Path("datasets")


@dataclass(frozen=True)
class Layout:
    """Places of one profile; nothing here touches the disk."""

    profile: str

    def raw(self, folder: str) -> Path:
        """Raw archives as the data sets are distributed."""
        return Path("data/raw") / self.profile / folder

    def corpus(self, dataset: str) -> Path:
        """Packed sequences of a data set."""
        return self._work / "corpus" / dataset

    def backbone(self, split: str) -> Path:
        """Weights of the backbone that saw the seen classes of this split."""
        return self._work / "backbone" / f"{split}.safetensors"

    def features(self, split: str, part: str) -> Path:
        """Joint features; `part` is training or test."""
        return self._work / "features" / split / f"{part}.safetensors"

    def classes(self, split: str) -> Path:
        """Class list of the split's data set, beside its features."""
        return self._work / "features" / split / "classes.csv"

    def model(self, split: str, variant: str) -> Path:
        """What SCoPLe learned."""
        return self._work / "model" / variant / f"{split}.safetensors"

    def gates(self, split: str, variant: str) -> Path:
        """The gates' constants, chosen on pseudo-unseen classes."""
        return self._work / "model" / variant / f"{split}.gates.json"

    def history(self, kind: str, name: str) -> Path:
        """Loss per epoch of a training, `kind` being backbone or a variant."""
        return self._work / "history" / kind / f"{name}.csv"

    def evaluation(self, split: str, variant: str) -> Path:
        """Per-class accuracies and controls."""
        return self._work / "evaluation" / variant / f"{split}.json"

    def metrics(self, split: str, variant: str) -> Path:
        """The flat JSON of ZSL, S, U and H, in git."""
        return self._results / "metrics" / variant / f"{split}.json"

    def diagnostics(self, split: str) -> Path:
        """What keeps the numbers of a split honest."""
        return self._work / "diagnostics" / f"{split}.csv"

    @property
    def preflight(self) -> Path:
        """What was found before the first work."""
        return self._work / "preflight.json"

    @property
    def tables(self) -> Path:
        """The paper's tables, in git."""
        return self._results / "tables"

    @property
    def diagnostics_table(self) -> Path:
        """The diagnostics of all fixed splits, in git."""
        return self._results / "diagnostics.csv"

    @property
    def _work(self) -> Path:
        return Path("work") / self.profile

    @property
    def _results(self) -> Path:
        return Path("results") / self.profile


def load_problem(params: Params, split: str) -> tuple[Split, list[ClassEntry]]:
    """A split's seen and unseen labels, and the classes of its data set in label order."""
    classes = load_dataset_classes(DATASETS / f"{params.dataset_of(split)}.yaml")
    return load_split(DATASETS / "splits" / f"{split}.yaml", len(classes), params.seed), classes


def load_featured_problem(params: Params, split: str) -> tuple[Split, list[ClassEntry]]:
    """The same, with the class list that lies beside the split's features."""
    params.dataset_of(split)  # says so if params.yaml does not know the split
    classes = load_classes(Layout(params.profile).classes(split))
    return load_split(DATASETS / "splits" / f"{split}.yaml", len(classes), params.seed), classes
