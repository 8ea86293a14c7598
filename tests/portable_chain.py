"""The chain of `test_stages` in the current folder, then a digest of every file that it wrote; for `test_arithmetic`.

Call with the last step, `features` or `tables`, and the file for the digests. Pictures are left out: the emulator does
not survive matplotlib.
"""

import stages  # noqa: F401, I001
import json
import sys
from pathlib import Path

import torch
from test_stages import extract_features, train_and_evaluate

from scople.base.arithmetic import settle
from scople.base.files import sha256
from scople.base.params import load_params
from stages import tables

if __name__ == "__main__":
    last, digests = sys.argv[1:]
    params = load_params()
    settle(params.machine.arithmetic, params.machine.threads)
    torch.use_deterministic_algorithms(True)
    extract_features(params)
    if last == "tables":
        train_and_evaluate(params)
        tables.main(params, "main")
    written = (path for folder in ("work", "results") for path in Path(folder).rglob("*") if path.is_file())
    Path(digests).write_text(json.dumps({str(path): sha256(path) for path in sorted(written)}, indent=1))
