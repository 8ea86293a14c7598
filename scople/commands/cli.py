"""The command `scople`: one door to what a person calls. `scople --help` teaches it, with an example for each command.

A command's own module is loaded only when it is called, so that help and completion answer at once. Stages of the
pipeline are not commands: DVC calls them as `python -m stages.<name>`.

Exit codes: 0 when all is well, 1 with one sentence when something is to be done, 2 on a wrong call.
"""

import shlex
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

try:
    import typer
except ModuleNotFoundError as error:
    sys.exit(f"error: {error.name} is not installed and every command needs it: call `make setup`.")

app = typer.Typer(
    name="scople",
    help="SCoPLe: zero-shot recognition of skeleton actions. The pipeline itself runs under DVC: `dvc repro`.",
    epilog="Example: scople doctor",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain text: the same in a terminal, a log and a test
    pretty_exceptions_enable=False,  # a fault of this code shows Python's own traceback
)


def _version(wanted: bool) -> bool:
    if wanted:
        print(f"scople {version('scople')}")
        raise typer.Exit
    return wanted


@app.callback()
def root(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of `scople` itself."""


@app.command(epilog="Example: scople doctor")
def doctor(
    time: Annotated[
        bool, typer.Option("--time", help="Time a few steps of each stage and estimate how long everything takes.")
    ] = False,
) -> None:
    """Check what a long run needs.

    Looks at archives, weights, device, memory, disk and versions, prints one line for each and changes nothing. Exit
    code 1 if something is to be done.
    """
    from scople.commands.doctor import main

    _words("doctor")
    main(time=time)


@app.command(epilog="Example: scople verify lock")
def verify(
    what: Annotated[
        Literal["lock", "check"],
        typer.Argument(help="lock: would a stage run again? check: is what a re-run gave the same as the last commit?"),
    ],
) -> None:
    """Check the committed results.

    `lock` needs no data and takes seconds. `check` compares the working tree with the last commit; `make verify` runs
    everything again before it calls it.
    """
    from scople.commands.verify import main
    from scople.pipeline.running import run

    _words("verify", what)
    run(main)


@app.command(epilog="Example: scople compare scople no_prompts")
def compare(
    a: Annotated[str, typer.Argument(help="A variant of params.yaml, `workspace`, a git revision or an experiment.")],
    b: Annotated[str, typer.Argument(help="What to compare it with.")],
) -> None:
    """Print two measurements side by side.

    Each is a variant, a git revision or an experiment. Differences come in tables, the largest first.
    """
    from scople.commands.compare import main
    from scople.pipeline.running import run

    _words("compare", a, b)
    run(main)


@app.command(epilog="Example: scople spread --workers 2 evaluate")
def spread(
    targets: Annotated[
        list[str] | None, typer.Argument(help="Stages or dvc.yaml files, as `dvc repro` takes them; dvc.yaml if none.")
    ] = None,
    workers: Annotated[
        int,
        typer.Option("--workers", "-j", min=0, help="Stages at a time; 0: one a GPU, else what the cores allow."),
    ] = 0,
    force: Annotated[bool, typer.Option("--force", help="Run every stage again, nothing from a cache.")] = False,
    through: Annotated[
        str, typer.Option(help="Program that starts each worker and waits for it, with its options: 'srun --gpus 1'.")
    ] = "",
) -> None:
    """Run the pipeline, several stages beside each other.

    Does what `dvc repro` does, with the same bytes, in less time: splits do not depend on each other. Interrupted or
    failed, it goes on from there when it is called again.
    """
    from scople.commands.spread import main
    from scople.pipeline.running import told

    try:
        starter = shlex.split(through)
    except ValueError as error:
        raise typer.BadParameter(f"{through!r} is no command line ({error}).", param_hint="--through") from error
    with told("spread"):
        print(f"spread: {main(targets or ['dvc.yaml'], workers, force, starter)}")


@app.command(epilog="Example: scople results --check")
def results(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 if a page is stale.")] = False,
) -> None:
    """Write docs/results.md and the measured parts of docs/comparison.md.

    Their tables and sentences are made from the files under results/; no figure in them is typed by hand.
    """
    from scople.commands.results import main
    from scople.pipeline.running import run

    _words("results", *(["check"] if check else []))
    run(main)


@app.command(epilog="Example: scople page --out demo.html")
def page(
    out: Annotated[str, typer.Option(help="The file to write.")] = "page.html",
    recordings: Annotated[
        bool, typer.Option("--recordings", help="Show recordings of real people too; mind the data set's licence.")
    ] = False,
) -> None:
    """Write everything that is known of the profile as one HTML file.

    Tables, charts and moving recordings; it opens from disk and asks nothing of any network. What is not there yet is
    left out with a sentence that names the command which makes it.
    """
    from scople.commands.page import main
    from scople.pipeline.running import run

    _words("page", out, *(["recordings"] if recordings else []))
    run(main)


@app.command(epilog='Example: scople predict recording.skeleton --labels "wave, clap, sit down"')
def predict(
    files: Annotated[list[str], typer.Argument(help="Files, folders, patterns, or `-` for standard input.")],
    labels: Annotated[
        str,
        typer.Option(
            help="What to choose from: labels with commas between them ('\"sit, down\", clap' are two), a .txt file "
            "with one on each line, or a .csv file with a column `label` and perhaps a column `description` that is "
            "read in the label's place."
        ),
    ],
    model: Annotated[
        str, typer.Option(help="A model folder, or a split of params.yaml whose model was exported.")
    ] = "ntu120_110_10",
    top: Annotated[int, typer.Option(min=1, help="Labels to show of each answer; a table of times has two.")] = 5,
    template: Annotated[
        str, typer.Option(help="Words around each label, with {} in its place: 'a person doing {}'.")
    ] = "{}",
    seen_too: Annotated[
        bool, typer.Option("--seen-too", help="Let the gate choose between the model's seen classes and your labels.")
    ] = False,
    window: Annotated[
        float | None,
        typer.Option(min=0.2, max=7200, help="Seconds of the pieces that a long recording is cut into."),
    ] = None,
    stride: Annotated[
        float | None,
        typer.Option(min=0.1, max=7200, help="Seconds from one piece's beginning to the next.  [default: --window]"),
    ] = None,
    output: Annotated[
        Literal["table", "json", "csv"], typer.Option("--format", help="How the answers are written.")
    ] = "table",
    out: Annotated[Path | None, typer.Option(help="Write the answers into this file.")] = None,
    draw: Annotated[
        Path | None,
        typer.Option(help="Draw one recording as .gif or .png, with the joints that the best label looked at."),
    ] = None,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to compute.")] = "auto",
    text_weights: Annotated[
        str, typer.Option(help="Path of the text encoder's weights.  [default: the published ones]")
    ] = "",
    joints: Annotated[
        str, typer.Option(help="Joints of the recordings: a map of datasets/joints, or your own map as a .yaml file.")
    ] = "ntu25",
    fps: Annotated[
        float | None,
        typer.Option(min=1, max=1000, help="Frames a second.  [default: what the file says, or 30]"),
    ] = None,
    unit: Annotated[Literal["m", "mm"], typer.Option(help="Unit of the coordinates.")] = "m",
    up: Annotated[Literal["y", "z", "-y"], typer.Option(help="The axis that points up.")] = "y",
    allow_2d: Annotated[
        bool, typer.Option("--allow-2d", help="Read recordings without depth; the answers are poor.")
    ] = False,
) -> None:
    """Choose labels for recordings of people.

    Give skeleton files and a few labels in your own words. The answer ranks the labels by probability; chance, the
    margin to the second label and whatever looks wrong in the recording stand beside it.

    The model always chooses one of your labels, even if none is right. Exit code 1 if some files have no answer.
    """
    from scople.commands.predict import Call, main
    from scople.recordings.clips import Reading

    reading = Reading(joints=joints, fps=fps, unit=unit, up=up, allow_2d=allow_2d)
    call = Call(
        files=files,
        labels=labels,
        model=model,
        top=top,
        template=template,
        seen_too=seen_too,
        window=window,
        stride=stride,
        output=output,
        out=out,
        drawing=draw,
        device=device,
        text_weights=text_weights,
        reading=reading,
    )
    raise typer.Exit(main(call))


def _words(command: str, *words: str) -> None:
    """Put a command's words where `scople.pipeline.running.run` reads a stage's: on the command line."""
    sys.argv = [command, *words]
