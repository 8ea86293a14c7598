"""The page of the profile, from all that the pipeline has made; it names no commit, so that it repeats to the byte."""

from pathlib import Path

from scople.base.files import whole
from scople.base.params import Params
from scople.pipeline.running import run
from scople.prediction.profile import profile_page


def main(params: Params) -> str:
    """Write it; recordings are on it if they are synthetic."""
    text = profile_page(params, licensed=False)
    with whole(Path("work") / params.profile / "page.html") as path:
        path.write_text(text, encoding="utf-8")
    return f"{len(text.encode()) / 1e6:.1f} MB"


if __name__ == "__main__":
    run(main)
