"""The one exception that is shown to a person."""


class ScopleError(ValueError):
    """What is wrong, in one sentence: the value, the bound, and what to do about it.

    Stages print the message and exit with a non-zero code, without a traceback. Anything else that is raised
    is a fault of this repository.
    """


def printable(text: bytes | str, longest: int = 40) -> str:
    """`text` in ASCII on one line, cut to `longest` characters: what a report may quote from a damaged file."""
    shown = ascii(text if isinstance(text, str) else text[: longest + 1].decode("latin-1"))[1:-1]
    return shown if len(shown) <= longest else shown[: longest - 3] + "..."
