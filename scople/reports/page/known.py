"""What is known of a profile: the parts that its page is made of, some of which may be absent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from scople.reports.page.moving import Recording

TABLES = {
    "table1": "Table 1: text prompts alone",
    "table2": "Table 2: fixed splits",
    "table3": "Table 3: means of random splits",
    "table4": "Table 4: what each part adds",
}
"""The paper's tables and what they are about."""


@dataclass(frozen=True)
class Absent:
    """Stands where a part is not there.

    Attributes:
        what: the part, as the end of a sentence.
        why: what is missing.
        call: the command that makes it, or shows it.
    """

    what: str
    why: str
    call: str


@dataclass(frozen=True)
class Confusion:
    """Samples by true class (row) and predicted class (column), seen classes first."""

    counts: Int[np.ndarray, "K K"]
    names: Sequence[str]
    is_unseen: Bool[np.ndarray, " K"]


@dataclass(frozen=True)
class SplitParts:
    """What is known of one split.

    Attributes:
        name: of the split.
        gates: the curves that the thresholds were chosen from, see `scople.judging.calibration.calibrate_gates`.
        tested: gate → `seen` and `unseen` on the test part, per cent.
        confusion: under the gate of the run.
        looked_at: class → the joints that its name looks at.
        history: loss per epoch of SCoPLe.
        backbone_history: loss per epoch of its backbone.
        recordings: of test subjects.
    """

    name: str
    gates: Mapping[str, Mapping[str, Any]] | Absent
    tested: Mapping[str, Mapping[str, float]]
    confusion: Confusion | Absent
    looked_at: Mapping[str, str]
    history: pd.DataFrame | Absent
    backbone_history: pd.DataFrame | Absent
    recordings: Sequence[Recording] | Absent


@dataclass(frozen=True)
class Known:
    """What is known of a profile; `Absent` where its files are not there.

    Attributes:
        profile: its name.
        variant: the model.
        gate: of the run.
        note: what keeps the numbers from being compared with the paper's; empty where nothing does.
        notice: what to know before the recordings are passed on; empty where nothing is.
        metrics: a row a split: `split`, `zsl`, `seen`, `unseen`, `harmonic`, and `<metric>_std` over several repeats.
        provenance: split → the document beside its metrics.
        summary: means over groups of splits, see `scople.reports.tables.summary`.
        controls: the table of that name.
        losses: likewise.
        per_class: likewise.
        tables: name, as in `TABLES` → the table.
        figure3: means over splits, see `scople.reports.tables.figure3_means`.
        usual: setting of Figure 3 → its value in all other runs.
        diagnostics: the table of that name.
        splits: parts of each split.
        settings: of the method, and of the profile's scale.
        params: text of params.yaml.
        computed_by: what computed the results.
        made_with: commit and versions, where somebody asks for the page; a stage has none, its lock names its inputs.
    """

    profile: str
    variant: str
    gate: str
    note: str
    notice: str
    metrics: pd.DataFrame | Absent
    provenance: Mapping[str, Mapping[str, Any]]
    summary: Mapping[str, float] | Absent
    controls: pd.DataFrame | Absent
    losses: pd.DataFrame | Absent
    per_class: pd.DataFrame | Absent
    tables: Mapping[str, pd.DataFrame | Absent]
    figure3: pd.DataFrame | Absent
    usual: Mapping[str, int]
    diagnostics: pd.DataFrame | Absent
    splits: Sequence[SplitParts]
    settings: Mapping[str, object]
    params: str
    computed_by: Mapping[str, str] | Absent
    made_with: Mapping[str, str]
