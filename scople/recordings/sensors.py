"""NTU `.skeleton` and PKU-MMD `.txt`: the formats of the pipeline, read as the pipeline reads them.

Both are Kinect v2's joints in metres, y up, 30 frames a second. Bodies are chosen as the parse stage does, so a
sequence has the same bits as in a packed corpus.
"""

from scople.data.skeletons import BODY_CHOICES
from scople.formats import ntu, pku
from scople.recordings.motion import RATE
from scople.recordings.takes import Take


def read_ntu(content: bytes, body_choice: str) -> list[Take]:
    """One `.skeleton` file.

    Raises:
        BadMember: see `scople.formats.ntu.parse_skeleton`; or no frame has a body.
    """
    return [Take(BODY_CHOICES[body_choice](ntu.parse_skeleton(content)), fps=RATE, is_final=True)]


def read_pku(content: bytes) -> list[Take]:
    """One whole video; nothing is cut, for the labels that tell where actions are lie elsewhere.

    Raises:
        BadMember: see `scople.formats.pku.parse_skeleton`.
    """
    notes = () if pku.is_ended(content) else ("The last frame is left out, nothing ends its line.",)
    return [Take(pku.parse_skeleton(content), fps=RATE, notes=notes, is_final=True)]
