"""Where the reference data lies, and what is skipped without it."""

import os
from pathlib import Path

import pytest

# Before torch: a bound on how long its threads spin, as `stages` sets it.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
import torch  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]


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
    torch.set_num_threads(2)
