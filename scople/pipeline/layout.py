"""Where the stages read and write; `dvc.yaml` names the same places."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scople.base.checkpoints import fingerprint
from scople.base.params import Params
from scople.data.class_names import ClassEntry, load_classes, load_dataset_classes
from scople.data.splits import Split, load_split

DATASETS = Path("datasets")
FIGURE3 = ("prefix_length", "layer_depth", "joint_prompts")


@dataclass(frozen=True)
class Layout:
    """Places of one profile; nothing here touches the disk.

    The outputs of each pipeline lie in a room of their own. The root's pipeline has the room "" and runs the
    `variant` of `params.yaml`. Those of `ablations/dvc.yaml` and `baselines/dvc.yaml` have the rooms "ablations" and
    "baselines", with a folder for each variant. So the tables of one never depend on whether the other was run, and
    an experiment with another `variant` has its metrics in the same place.
    """

    profile: str
    room: str = ""
    variant: str = ""

    @classmethod
    def of(cls, params: Params, variant: str = "", room: str = "ablations") -> "Layout":
        """The places of a variant in a room; without a variant, those of the root's pipeline."""
        return cls(params.profile, room if variant else "", variant)

    def raw(self, folder: str) -> Path:
        """Raw archives as the data sets are distributed."""
        return Path("data/raw") / self.profile / folder

    def is_synthetic(self, folder: str) -> bool:
        """Whether the demo stage writes this raw folder."""
        return self.profile == "demo" and folder in ("ntu", "pku")

    def corpus(self, dataset: str) -> Path:
        """Packed sequences of a data set."""
        return self._work / "corpus" / dataset

    def backbone(self, split: str, number: int) -> Path:
        """Weights of a backbone that saw the seen classes of this split."""
        return self._work / "backbone" / split / f"{number}.safetensors"

    def features(self, split: str, part: str, number: int) -> Path:
        """Joint features by one of the split's backbones; `part` is training or test."""
        return self._work / "features" / split / part / f"{number}.safetensors"

    def intervals(self, split: str, part: str, number: int) -> Path:
        """Interval features of the same samples by the same backbone."""
        return self._work / "intervals" / split / part / f"{number}.safetensors"

    def classes(self, split: str) -> Path:
        """Class list of the split's data set, beside its features."""
        return self._work / "features" / split / "classes.csv"

    def model(self, split: str, seed: int | str) -> Path:
        """What the method learned, one repeat."""
        return self._room / "model" / self.variant / split / f"{seed}.safetensors"

    def gates(self, split: str, seed: int | str) -> Path:
        """The gates' constants of one repeat, chosen on pseudo-unseen classes."""
        return self._room / "model" / self.variant / split / f"{seed}.gates.json"

    def history(self, split: str, seed: int | str) -> Path:
        """Loss per epoch of one repeat."""
        return self._room / "history" / "scople" / self.variant / split / f"{seed}.csv"

    def backbone_history(self, split: str, number: int) -> Path:
        """Loss per epoch of a backbone."""
        return self._work / "history" / "backbone" / split / f"{number}.csv"

    def corpus_origin(self, dataset: str) -> Path:
        """What the files behind a packed corpus have lost."""
        return self._work / "history" / "corpus" / f"{dataset}.json"

    def backbone_origin(self, split: str) -> Path:
        """Where a backbone came from that was not trained here; no file if it was."""
        return self._work / "history" / "backbone" / split / "given.json"

    def evaluation(self, split: str) -> Path:
        """Metrics of every repeat, per-class accuracies and controls."""
        return self._room / "evaluation" / self.variant / f"{split}.json"

    def predictions(self, split: str) -> Path:
        """True and predicted class of every test sample."""
        return self._room / "evaluation" / self.variant / f"{split}.predictions.csv"

    def attention(self, split: str) -> Path:
        """Mean attention of each class over the joint prompts and the joints."""
        return self._room / "evaluation" / self.variant / f"{split}.attention.csv"

    def metrics(self, split: str) -> Path:
        """The flat JSON of ZSL, S, U and H, in git."""
        return self._results / "metrics" / self.variant / f"{split}.json"

    def provenance(self, split: str) -> Path:
        """What the metrics file of the same name was made from, in git."""
        return self._results / "provenance" / self.variant / f"{split}.json"

    def figure3(self, split: str, setting: str) -> Path:
        """One panel of Figure 3 as numbers, on one split."""
        return self._room / "figure3" / split / f"{setting}.csv"

    def calibration_features(self, split: str, number: int) -> Path:
        """Joint features of training samples by a backbone for the calibration of its own scores."""
        return self._work / "baselines" / "calibration" / split / f"{number}.safetensors"

    def scatter(self, split: str) -> Path:
        """Metrics of several repeats of either kind on one split."""
        return self._room / "scatter" / f"{split}.csv"

    def diagnostics(self, split: str) -> Path:
        """Checks on the numbers of a split, see `scople.judging.diagnostics`."""
        return self._room / "diagnostics" / f"{split}.csv"

    @property
    def preflight(self) -> Path:
        """What the preflight stage writes when everything is in place."""
        return self._work / "preflight.json"

    @property
    def tables(self) -> Path:
        """The paper's tables, in git."""
        return self._results / "tables"

    @property
    def machine(self) -> Path:
        """The machine that computed the results, in git."""
        return self._results / "machine.json"

    @property
    def figures(self) -> Path:
        """Pictures, in git."""
        return self._results / "figures"

    @property
    def _work(self) -> Path:
        return Path("work") / self.profile

    @property
    def _room(self) -> Path:
        return self._work / self.room

    @property
    def _results(self) -> Path:
        return Path("results") / self.profile / self.room


def split_file(params: Params, split: str) -> Path:
    """The file with a split's classes: the one in the folder that `random_splits` names, if that has this split."""
    told = DATASETS / "splits" / params.random_splits / f"{split}.yaml"
    return told if told.exists() else DATASETS / "splits" / f"{split}.yaml"


def load_problem(params: Params, split: str) -> tuple[Split, list[ClassEntry]]:
    """A split's seen and unseen labels, and the classes of its data set in label order."""
    classes = load_dataset_classes(DATASETS / f"{params.dataset_of(split)}.yaml")
    return load_split(split_file(params, split), len(classes), params.seed), classes


def load_featured_problem(params: Params, split: str) -> tuple[Split, list[ClassEntry]]:
    """As `load_problem`, but with the class list that lies beside the split's features."""
    params.dataset_of(split)  # raises if params.yaml does not know the split
    classes = load_classes(Layout(params.profile).classes(split))
    return load_split(split_file(params, split), len(classes), params.seed), classes


def identity(split: Split, classes: Sequence[ClassEntry]) -> dict[str, str]:
    """What marks the artefacts of a split: its name, and a digest of its seen and unseen lists and its class names."""
    lists = [split.seen, split.unseen, [entry.name for entry in classes]]
    return {"split": split.name, "classes": fingerprint(lists, {})}
