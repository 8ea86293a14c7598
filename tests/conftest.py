"""Where the reference data lies, and what is skipped without it."""

import os
from pathlib import Path

import pytest

from scople.base.arithmetic import settle
from scople.base.params import load_params

ROOT = Path(__file__).resolve().parents[1]
ARITHMETIC = load_params(ROOT / "params.yaml").machine.arithmetic


def _folder(name: str) -> Path:
    real = Path(os.environ.get("SCOPLE_REAL_DATA", ROOT.parent / "shared" / "real"))
    folder = real if name == "real" else real.parent / name
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder}; set SCOPLE_REAL_DATA to the folder of real recordings")
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Real recordings and their expected arrays."""
    return _folder("real")


@pytest.fixture(scope="session")
def golden() -> Path:
    """Published Shift-GCN weights with expected outputs."""
    return _folder("golden")


@pytest.fixture(scope="session")
def reference() -> Path:
    """Class lists, splits and the paper's tables as first transcribed."""
    return _folder("reference")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(autouse=True)
def _two_threads():
    """Rounding depends on the thread count: fix it."""
    settle(ARITHMETIC, 2)
