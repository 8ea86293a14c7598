"""What a long run needs, looked at before it starts: `make doctor`.

One line for each check, whatever they find; exit code 1 if one of them asks for something. No stage of the pipeline: it
reads no recording, downloads nothing and writes nothing. `scople doctor --time` also times a few steps of each stage,
for which it does read a few recordings.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from scople.commands.environment import Finding, examine_environment

if TYPE_CHECKING:
    from scople.base.params import Params


def main(time: bool = False) -> None:
    """Print every finding, the environment first: without its packages nothing else can be looked at.

    Args:
        time: whether to time a few steps of each stage, too, and to print how long everything will take.
    """
    environment = examine_environment(Path("requirements.lock"))
    try:
        from scople.commands.checkup import examine
        from scople.pipeline.running import run, told
    except ModuleNotFoundError as error:
        show(environment)
        sys.exit(f"error: doctor: {error.name} is not installed and all other checks need it: call `make setup`.")
    with told("doctor"):
        findings = show(environment)

    def rest(params: "Params") -> str:
        found = findings + show(examine(params))
        if time:
            from scople.commands.durations import estimate

            for line in estimate(params):
                print(line, flush=True)
        return conclude(found)

    run(rest)


def show(findings: Iterable[Finding]) -> list[Finding]:
    """Print each as soon as it is found."""
    shown = []
    for finding in findings:
        print(finding, flush=True)
        shown.append(finding)
    return shown


def conclude(findings: list[Finding]) -> str:
    """The last line.

    Raises:
        ScopleError: something is to be done.
    """
    from scople.base.errors import ScopleError

    wanting = sum(finding.advice != "" for finding in findings)
    if wanting:
        raise ScopleError(f"{wanting} of {len(findings)} checks ask for something: see TO DO above.")
    return f"all {len(findings)} checks are well"
