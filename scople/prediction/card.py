"""The card of a model folder, in the Hub's form: what the model cannot do and whose data it saw come before results."""

from collections.abc import Mapping, Sequence

from huggingface_hub import EvalResult, ModelCardData
from tabulate import tabulate

from scople.base.encoders import parsed, title_of
from scople.judging.certainty import Mean, mean_over_splits
from scople.prediction.model_folder import ModelConfig
from scople.text.clip import hub_name

TERMS = {
    "ntu": ("ntu-rgbd", "https://rose1.ntu.edu.sg/dataset/actionRecognition/", "NTU RGB+D of ROSE Lab"),
    "pku": ("pku-mmd", "https://www.icst.pku.edu.cn/struct/Projects/PKUMMD.html", "PKU-MMD of Peking University"),
}
"""Beginning of a data set's name → name and link of its licence, and what it is."""

ENCODERS = {"minilm": "sentence-transformers/all-MiniLM-L6-v2", "clip": "openai/clip-vit-base-patch32"}
"""Names on the Hub of the text encoders that have one of their own here."""

METRICS = {
    "zsl": "ZSL: unseen classes among themselves",
    "seen": "S: seen classes under the gate",
    "unseen": "U: unseen classes under the gate",
    "harmonic": "H: harmonic mean of S and U",
}

SYNTHETIC = "This model learned from synthetic motion, made by a program: do not rely on what it says of real people."
"""What is said with every answer of such a model."""

BODY = """\
# SCoPLe on {split}

Zero-shot recognition of skeleton actions: a recording of a body's joints and a few labels in words go in, a probability
of each label comes out. A reimplementation of *Semantic-guided Cross-Modal Prompt Learning for Skeleton-based Zero-shot
Action Recognition* (CVPR 2025). The folder holds a Shift-GCN and what SCoPLe learned on {seen} seen classes of
{dataset}; the text encoder `{encoder}` is not in it.

## Limitations

{synthetic}- It always chooses one of the labels that it is given. It cannot say that none of them is right.
- A probability says how the labels compare with each other. It has not been calibrated on recordings of other people,
  cameras or rooms.
- It sees 25 joints of one or two bodies and nothing else: no object, no face, no finger.
- It learned from short recordings of one action each, seen by a fixed camera. Long ones have to be cut into windows.
- How well a new label works depends on how near its words and its motion are to those of the {seen} seen classes.
- It is meant for research. Do not let it decide anything about a person.

## Licence of the data

{licence}

## Results

Test subjects of {split}, in per cent. {repeats}

{results}

Chance of ZSL is {chance:.1f} %. The test part has {test_seen} recordings of seen and {test_unseen} of unseen classes:
{unseen}. Computed on {device}, torch {torch}.

## Use

```python
import scople

model = scople.load("this/folder")
for answer in model.predict(sequences, ["wave", "clap", "sit down"]):
    print(answer.best, answer.margin)
```

`sequences` are float32 arrays (persons, frames, 25 joints, 3), in metres, y up, 30 frames a second, joints as in
`config.json`. `scople predict FILE --model this/folder --labels "wave, clap, sit down"` reads common file formats.
"""


def model_card(
    config: ModelConfig, test_samples: Mapping[str, int], chance: float, repeats: Sequence[Mapping[str, float]]
) -> str:
    """The text of `README.md`, with the Hub's metadata at its head.

    Args:
        config: what the folder holds.
        test_samples: number of `seen` and `unseen` test samples.
        chance: of ZSL, per cent.
        repeats: `zsl`, `seen`, `unseen` and `harmonic` of each training, per cent.
    """
    means = {name: mean_over_splits([repeat[name] for repeat in repeats]) for name in METRICS}
    rows = [[METRICS[name], f"{mean.value:.1f}", _error(mean)] for name, mean in means.items()]
    base, encoder = _encoder(**config.text_encoder)
    names, licence = _licence(config)
    source = "synthetic recordings" if config.is_synthetic else config.dataset
    data = ModelCardData(
        model_name=f"SCoPLe on {config.split}",
        library_name="scople",
        language="en",
        tags=["skeleton", "action-recognition", "zero-shot", *(["synthetic"] if config.is_synthetic else [])],
        base_model=base,
        eval_results=[
            EvalResult(
                task_type="zero-shot-classification",
                dataset_type=config.dataset,
                dataset_name=f"{config.split} ({source})",
                metric_type="accuracy",
                metric_name=f"{METRICS[name]}, per cent",
                metric_value=round(mean.value, 4),
            )
            for name, mean in means.items()
        ],
        **names,
    )
    said = f"- {SYNTHETIC} The figures below are of synthetic recordings, too.\n" if config.is_synthetic else ""
    body = BODY.format(
        split=config.split,
        dataset=config.dataset,
        seen=len(config.seen),
        encoder=encoder,
        synthetic=said,
        licence=licence,
        repeats=_repeats(config.repeat, len(repeats)),
        results=tabulate(rows, ["", "mean", "standard error"], tablefmt="github", disable_numparse=True),
        chance=chance,
        test_seen=test_samples["seen"],
        test_unseen=test_samples["unseen"],
        unseen=", ".join(config.unseen),
        device=config.computed_by["device"],
        torch=config.computed_by["torch"],
    )
    return f"---\n{data.to_yaml()}\n---\n\n{body}"


def _encoder(name: str, digest: str, weights: str = "") -> tuple[str | None, str]:
    """The text encoder's name on the Hub if it has one, and what the text calls it."""
    if base := ENCODERS.get(name):
        return base, base
    base = hub_name(weights, parsed(name)[1]) if weights else ""
    return base or None, base or f"{title_of(name, weights)} (tensors {digest})"


def _licence(config: ModelConfig) -> tuple[dict[str, str], str]:
    """Metadata, and the paragraph."""
    if config.is_synthetic:
        return {"license": "mit"}, (
            "The recordings that it learned from are synthetic and belong to nobody; the programs that made them, and "
            "these weights, are under the MIT licence."
        )
    for beginning, (name, link, what) in TERMS.items():
        if config.dataset.startswith(beginning):
            return {"license": "other", "license_name": name, "license_link": link}, (
                f"The model learned from {what}: {link}. Read its terms before you pass on what derives from the "
                "recordings, such as this folder."
            )
    return {"license": "other", "license_name": "unknown"}, (
        f"The model learned from recordings of {config.dataset}, whose licence this card does not know: ask whoever "
        "made them before you pass this folder on."
    )


def _error(mean: Mean) -> str:
    return f"{mean.error:.1f}" if mean.splits > 1 else "unknown"


def _repeats(repeat: int, count: int) -> str:
    if count > 1:
        return f"Means over {count} trainings with their standard errors; this folder holds training {repeat}."
    return "Of one training, so that a standard error over trainings is unknown."
