"""Training time of SCoPLe beside a PURLS-style text side: what the paper puts at 53 and 72 minutes, in one run.

    python -m benchmarks.training_time [--encoder minilm] [--device cuda] > training_time.csv

All rows train the same skeleton side on one batch of random features in the paper's setting (split 110/10, batch 256)
and differ in where the class texts come from. They take turns, so as to share what else the machine does.

- scople: this package.
- plain scople: eq. 1-10 class by class, with 77 tokens each (`benchmarks.text_step.plain_embeddings`).
- purls-style: eight fixed sentences for each class, with 77 tokens each, encoded by the frozen encoder at every step
  although the result never changes, as azzh1/PURLS does. Its generated descriptions are replaced by the class name,
  which costs the same at 77 tokens, and its eight embeddings by their mean, so that the skeleton side is SCoPLe's.

Minutes of a run are the median step times 100 epochs of 226 steps: nobody waits for a whole run.
"""

import argparse
import csv
import functools
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.text_step import plain_embeddings, random_clip
from scople.base.params import load_params
from scople.base.shapes import JOINTS
from scople.data.class_names import names_of
from scople.model.language_prompts import LanguagePrompts
from scople.model.losses import skeleton_to_text, text_to_skeleton, training_logits, weighted
from scople.model.scople import SCoPLe
from scople.pipeline.assembly import build_model
from scople.pipeline.layout import load_problem
from scople.text.minilm import MiniLmTower
from scople.text.tower import TextTower

SPLIT = "ntu120_110_10"
SAMPLES = 57_767
"""Training samples of the split's 110 seen classes."""

FEATURE_WIDTH = 256
PAPER_MINUTES = {"scople": 53, "purls-style": 72}
SENTENCES = (
    *(
        f"A cropped video of people's {part} motions that"
        for part in ("head", "hands", "torso", "legs")
    ),
    *(f"A trimmed video of the {part} of the motion that" for part in ("start", "middle", "end")),
    "A video of people's motion that",
)  # fmt: skip


def paper_model(encoder: str) -> tuple[SCoPLe, list[str]]:
    """SCoPLe with the settings of `params.yaml` at the paper's sizes, and the split's seen classes.

    Args:
        encoder: "clip", random weights in the shapes of ViT-B/32, or "minilm".
    """
    params = load_params()
    split, classes = load_problem(params, SPLIT)
    tower = random_clip() if encoder == "clip" else MiniLmTower.pretrained()
    return build_model(params.method, tower, FEATURE_WIDTH, params.seed), names_of(classes, split.seen)


def eight_texts(tower: TextTower, class_names: list[str]) -> Callable[[], Tensor]:
    """A PURLS-style text side: embeddings "K E", made anew at each call and without a gradient."""
    sides = [_fixed_sentence(tower, sentence) for sentence in SENTENCES]

    @torch.no_grad()
    def embeddings() -> Tensor:
        return torch.stack([plain_embeddings(side, class_names) for side in sides]).mean(0)

    return embeddings


def _fixed_sentence(tower: TextTower, sentence: str) -> LanguagePrompts:
    return LanguagePrompts(
        tower,
        text_prompting="none",
        phrase=sentence,
        prefix_length=0,
        layer_depth=0,
        alpha=0.0,
        prompt_std=0.0,
        prefix_streams="both",
        layer_prompts="every",
        prompted_residual="aggregated",
        generator=torch.Generator(),
    )


def seconds_of_step(
    model: SCoPLe, optimiser: torch.optim.Optimizer, text: Callable[[], Tensor], samples: Tensor, targets: Tensor
) -> float:
    """One training step as in `scople.methods.fitting.fit`, with class texts from `text`."""
    _wait(samples.device)
    start = time.perf_counter()
    logits, columns = training_logits(model, samples, text(), targets, "candidate")
    loss = weighted(skeleton_to_text(logits, columns), text_to_skeleton(logits, columns), 0.5)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    _wait(samples.device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    """Measure and print the table as CSV."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", choices=("clip", "minilm"), default="clip")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)

    params = load_params()
    train = params.profiles["paper"].train
    steps = train.epochs * -(-SAMPLES // train.batch_size)
    model, class_names = paper_model(arguments.encoder)
    model.to(arguments.device).train()
    tower = model.text.tower
    samples = torch.randn(train.batch_size, JOINTS, FEATURE_WIDTH, device=arguments.device)
    targets = torch.randint(len(class_names), (train.batch_size,), device=arguments.device)
    optimiser = torch.optim.Adam([each for each in model.parameters() if each.requires_grad], lr=train.learning_rate)
    texts = {
        "scople": functools.partial(model.text, model.text.tokenize(class_names)),
        "plain scople": functools.partial(plain_embeddings, model.text, class_names),
        "purls-style": eight_texts(tower, class_names),
    }
    few = (plain_embeddings, model.text, class_names[:2])
    seconds_of_step(model, optimiser, functools.partial(*few), samples, targets % 2)  # what is done once only
    rounds = [
        {name: seconds_of_step(model, optimiser, text, samples, targets) for name, text in texts.items()}
        for _ in range(arguments.rounds)
    ]

    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(
        ["method", "text_encoder", "device", "seconds_per_step", "least", "largest", "times_scople"]
        + ["extrapolated_minutes_per_run", "paper_minutes"]
    )
    for name in texts:
        seconds = [each[name] for each in rounds]
        median = statistics.median(seconds)
        ratio = statistics.median(each[name] / each["scople"] for each in rounds)
        table.writerow(
            [name, arguments.encoder, arguments.device]
            + [f"{value:.3f}" for value in (median, min(seconds), max(seconds))]
            + [f"{ratio:.2f}", f"{median * steps / 60:.0f}", PAPER_MINUTES.get(name, "")]
        )


if __name__ == "__main__":
    main()
