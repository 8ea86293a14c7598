"""The one exception that is shown to a person."""


class ScopleError(ValueError):
    """What is wrong, in one sentence: the value, the bound, and what to do about it.

    Stages print the message and exit with a non-zero code, without a traceback. Anything else that is raised
    is a fault of this repository.
    """
