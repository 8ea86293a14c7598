"""What `doctor` finds, and what it can find before any package is imported: the versions of Python and packages."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True)
class Finding:
    """One line of `doctor`.

    Attributes:
        subject: what was looked at.
        found: what is there.
        expected: what should be there.
        advice: what to do; empty where all is well.
    """

    subject: str
    found: str
    expected: str
    advice: str = ""

    def __str__(self) -> str:
        line = f"{'TO DO' if self.advice else 'ok   '} {self.subject}: {self.found}; expected {self.expected}"
        return f"{line}; {self.advice}" if self.advice else line


def examine_environment(lock: Path) -> Iterator[Finding]:
    """Look at the versions of Python and of every package that a lock file pins, a line `name==version` each."""
    yield examine_python(sys.version_info[:3])
    yield examine_packages(lock)


def examine_python(found: tuple[int, ...]) -> Finding:
    """Compare with the oldest Python that the code runs on."""
    oldest = ".".join(map(str, OLDEST_PYTHON))
    advice = "" if found >= OLDEST_PYTHON else "call `make clean setup PYTHON=` with the path of a newer one"
    return Finding("Python", ".".join(map(str, found)), f"{oldest} or newer", advice)


def examine_packages(lock: Path) -> Finding:
    """Compare the installed packages with the lock file; what a build adds behind a `+` does not count."""
    try:
        pins = dict(re.findall(r"^([\w.-]+)==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE))
    except (OSError, UnicodeDecodeError) as error:
        return Finding("packages", f"{lock} cannot be read ({error})", "the pinned versions", f"restore {lock.name}")
    differing = [f"{name} {_installed(name) or 'missing'} ({pin})" for name, pin in pins.items() if not _is(name, pin)]
    found = f"{len(pins) - len(differing)} of {len(pins)} as pinned"
    if differing:
        more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
        found += f", not {', '.join(differing[:3])}{more}"
    advice = "call `make setup` and use its environment .venv" if differing else ""
    return Finding("packages", found, f"all in {lock.name}", advice)


def _is(name: str, pin: str) -> bool:
    return _installed(name).partition("+")[0] == pin.partition("+")[0]


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
