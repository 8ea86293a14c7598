"""The page of a profile as a file that a person opens; what is on it, `scople.prediction.profile` knows."""

from pathlib import Path

from scople.base.params import Params
from scople.commands.outputs import check_place, write_text
from scople.prediction.profile import made_with, profile_page

PAGE = "page.html"
"""Where a page goes if nobody says."""


def main(params: Params, out: str = PAGE, recordings: str = "") -> str:
    """Write the page.

    Args:
        params: of the profile.
        out: where to.
        recordings: "recordings" if those of real people are shown as well.

    Raises:
        ScopleError: nothing was measured, a file is damaged, or `out` is no place for a file.
    """
    path = Path(out)
    check_place("--out", path)
    text = profile_page(params, licensed=bool(recordings), made_with=made_with())
    write_text(text, path)
    return f"{path}, {len(text.encode()) / 1e6:.1f} MB: open it in a browser"
