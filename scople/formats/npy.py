"""The header of NumPy's `.npy` format, as a file from outside may have it."""

import warnings
from io import BufferedIOBase

import numpy as np

from scople.base.errors import printable
from scople.data.samples import BadMember


def read_header(file: BufferedIOBase) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether the axes are in Fortran's order, and type of the array whose content comes next.

    Raises:
        BadMember: there is no such header, or the array holds pickled objects or no real numbers.
    """
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of a header that NumPy only half understands
            shape, is_fortran, dtype = read(file)
    # The header is Python text and its reader raises what the parser of Python raises.
    except Exception as error:
        raise BadMember(f"it has no NumPy header ({printable(str(error) or type(error).__name__)})") from error
    if dtype.hasobject:
        raise BadMember("it holds pickled objects")
    if dtype.kind not in "fiu" or dtype.itemsize > 8:
        raise BadMember(f"it holds {printable(str(dtype))}, no numbers of at most 8 bytes")
    return shape, is_fortran, dtype
