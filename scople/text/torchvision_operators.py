"""Make open_clip and transformers importable even if torchvision's compiled library does not load.

Both packages import torchvision for images, which this project never uses. A torchvision wheel built for CUDA cannot
load its compiled library with a CPU build of torch. Its import then fails with `operator torchvision::nms does not
exist`, because Python code attaches shape rules to operators that only the library declares. Declaring those operators
is enough for the import; calling one still fails, as it should.
"""

import functools
from importlib.machinery import PathFinder
from importlib.util import find_spec

import torch


@functools.cache
def declare_torchvision_operators() -> torch.library.Library | None:
    """Declare the operators that torchvision's import needs, if its compiled library does not load.

    Call it before importing open_clip or transformers; repeated calls do nothing.

    Returns:
        The declarations, which last as long as this object (the cache keeps it); None if none are needed.
    """
    package = find_spec("torchvision")
    if package is None:
        return None
    compiled = PathFinder.find_spec("_C", package.submodule_search_locations)
    try:
        if compiled is None:
            raise OSError("torchvision has no compiled library")
        torch.ops.load_library(compiled.origin)  # as torchvision's own import does; loading twice is harmless
    except OSError:
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return library
    return None
