"""What a long run needs, looked at before it starts: `make doctor`.

One line for each check, whatever they find; exit code 1 if one of them asks for something. No stage of the pipeline: it
reads no recording, downloads nothing and writes nothing.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from scople.commands.environment import Finding, examine_environment


def main() -> None:
    """Print every finding, the environment first: without its packages nothing else can be looked at."""
    environment = examine_environment(Path("requirements.lock"))
    try:
        from scople.commands.checkup import examine
        from scople.pipeline.running import run, told
    except ModuleNotFoundError as error:
        show(environment)
        sys.exit(f"error: doctor: {error.name} is not installed and all other checks need it: call `make setup`.")
    with told("doctor"):
        findings = show(environment)
    run(lambda params: conclude(findings + show(examine(params))))


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
