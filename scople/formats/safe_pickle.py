"""Pickles that hold data: NumPy arrays, numbers, texts, lists, tuples and dictionaries. Nothing in a file is run.

A pickle is a program for a stack machine that may call whatever Python can import. Here it can call six functions of
this file in the places of NumPy's own, and they only note what they are given. An array is made when it is asked for,
after a check of its type and its size against the bytes that the file really has; so no number in a file can make
memory soar. Which codes the machine knows is listed; all others are refused.

`load_located` is for files of several GB: it leaves the content of arrays where it lies and only notes the places.
"""

import io
import math
import os
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BufferedIOBase
from typing import Any

import numpy as np
from jaxtyping import Num

from scople.base.errors import ScopleError, printable
from scople.data.samples import BadMember

_TYPE = re.compile(r"[biufcSU?]\d{0,4}")
_NUMBERS = re.compile(r"[fiu][1248]")

LOCATED_FROM = 1024
"""Bytes from which a content is left in its file by `load_located`."""

LARGEST_REST = 2**28
"""Bytes beside such contents that `load_located` reads; NTU-120's annotations have a fifth of it."""

LARGEST_FRAME = 2**24
"""Bytes of a pickle's frame; Python writes 64 KB, and one longer object."""


MOST_CODES = 2**24
"""Codes of a pickle that are believed, of which each may make an object of a hundred bytes; NTU-120 has 5 million."""


class PackedType:
    """A NumPy type as a pickle describes it: a name such as f4, and the order of its bytes."""

    __slots__ = ("name", "order")

    def __init__(self, name: str, order: str = "<"):
        self.name = name
        self.order = order


@dataclass(frozen=True, slots=True)
class Place:
    """Bytes that were left in a pickle's file.

    Attributes:
        offset: where they begin.
        length: their number.
        form: bytes, or what earlier protocols have in their stead: "text" (UTF-8) that stands for "latin1" bytes.
    """

    offset: int
    length: int
    form: str = "bytes"

    def can_hold(self, size: int) -> bool:
        """Whether `size` bytes can be in it; a byte from 128 on is two bytes of UTF-8."""
        return self.length == size if self.form == "bytes" else size <= self.length <= 2 * size

    def read(self, file: BufferedIOBase) -> bytes:
        """The bytes.

        Raises:
            BadMember: the file has other bytes there than a pickle could have left.
        """
        file.seek(self.offset)
        content = file.read(self.length)
        if len(content) < self.length:
            raise BadMember("the file ends within an array")
        try:
            return content if self.form == "bytes" else content.decode().encode("latin1")
        except UnicodeError as error:
            raise BadMember("the bytes of an array are no text") from error


class PackedArray:
    """An array as a pickle describes it: its bytes, and how they are to be read."""

    __slots__ = ("shape", "kind", "is_fortran", "content")

    def __init__(self, shape: tuple[int, ...], kind: PackedType | None, is_fortran: bool, content: bytes | Place):
        self.shape = shape
        self.kind = kind
        self.is_fortran = is_fortran
        self.content = content

    def array(self, file: BufferedIOBase | None = None) -> Num[np.ndarray, "..."]:
        """The array itself; `file` is the pickle where `load_located` left its bytes there.

        Raises:
            BadMember: it does not hold real numbers, or its bytes do not fill its shape.
        """
        if self.kind is None or not _NUMBERS.fullmatch(self.kind.name) or self.kind.name == "f1":
            raise BadMember("an array holds something other than numbers")
        dtype = np.dtype(self.kind.order + self.kind.name)
        size, content = math.prod(self.shape) * dtype.itemsize, self.content
        length = content.length if isinstance(content, Place) else len(content)
        if isinstance(content, Place) and file is not None and content.can_hold(size):
            content = content.read(file)
            length = len(content)
        if isinstance(content, Place) or length != size:
            raise BadMember(f"an array of shape {printable(str(self.shape))} has {length} bytes")
        return np.frombuffer(content, dtype).reshape(self.shape, order="F" if self.is_fortran else "C")


def load(content: bytes) -> Any:
    """The value that a pickle holds, with every NumPy array or number as a `PackedArray`.

    Raises:
        BadMember: it holds or asks for anything else, or it is damaged.
    """
    return _value(_Machine(io.BytesIO(content), len(content)))


def load_located(file: BufferedIOBase) -> Any:
    """As `load`, but bytes and texts from `LOCATED_FROM` bytes on are left in the file, as a `Place` each.

    Memory is taken for everything else, of which there may be `LARGEST_REST`.

    Raises:
        BadMember: as for `load`, or there is more of everything else.
    """
    return _value(_Locating(file))


def _value(machine: "_Machine") -> Any:
    try:
        return machine.load()
    except ScopleError:
        raise
    # A stack machine on damaged input raises whatever the objects on its stack raise.
    except Exception as error:
        raise BadMember(f"it is no whole pickle ({printable(str(error) or type(error).__name__)})") from error


def _refuse(what: str) -> BadMember:
    return BadMember(f"it asks for {what}, only NumPy arrays and plain containers are read")


def _type(name: object, *flags: object) -> PackedType:
    if not (isinstance(name, str) and _TYPE.fullmatch(name) and len(flags) <= 2):
        raise _refuse(f"the NumPy type {printable(str(name)) if isinstance(name, str) else type(name).__name__}")
    return PackedType(name)


def _empty_array(kind: object, shape: object, code: object) -> PackedArray:
    return PackedArray((0,), None, False, b"")


def _from_buffer(content: object, kind: object, shape: object, order: object) -> PackedArray:
    return _checked((1, shape, kind, order == "F", content))


def _scalar(kind: object, content: object = b"") -> PackedArray:
    return _checked((1, (), kind, False, content))


def _bytes_of_text(text: object, encoding: object) -> bytes | Place:
    is_text = isinstance(text, str) or (isinstance(text, Place) and text.form == "text")
    if not (is_text and encoding == "latin1"):
        raise _refuse("an encoding other than latin1")
    return replace(text, form="latin1") if isinstance(text, Place) else text.encode("latin1")


def _dictionary() -> dict:
    return {}


def _array_class(*arguments: object) -> None:
    raise _refuse("an array without its content")


_FUNCTIONS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _type,
    ("numpy", "ndarray"): _array_class,
    ("_codecs", "encode"): _bytes_of_text,
    ("collections", "OrderedDict"): _dictionary,
}
for _core in ("numpy.core", "numpy._core"):  # as NumPy 1 and as NumPy 2 spells it
    _FUNCTIONS |= {
        (f"{_core}.multiarray", "_reconstruct"): _empty_array,
        (f"{_core}.multiarray", "scalar"): _scalar,
        (f"{_core}.numeric", "_frombuffer"): _from_buffer,
    }


def _checked(state: object) -> PackedArray:
    if not (isinstance(state, tuple) and len(state) == 5):
        raise BadMember("the description of an array is not complete")
    _, shape, kind, is_fortran, content = state
    is_shape = isinstance(shape, tuple) and len(shape) <= 8 and all(type(n) is int and 0 <= n < 2**40 for n in shape)
    if not (is_shape and isinstance(kind, PackedType)):
        raise BadMember("the description of an array has no shape or no type")
    if isinstance(content, Place) and content.form != "text":
        return PackedArray(shape, kind, bool(is_fortran), content)
    if not isinstance(content, bytes | bytearray):
        raise _refuse("an array of objects")
    return PackedArray(shape, kind, bool(is_fortran), bytes(content))


_KNOWN = (
    "PROTO FRAME STOP MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT "
    "BINFLOAT STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8 UNICODE SHORT_BINUNICODE BINUNICODE "
    "BINUNICODE8 EMPTY_LIST LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT GET BINGET "
    "LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE GLOBAL STACK_GLOBAL"
).split()
"""Codes that work as always; those that fill dictionaries, call and build are written below."""


class _Codes(dict[int, Callable[..., None]]):
    """What each code of the machine does; one that is not listed is refused, and so is one too many."""

    def __init__(self, codes: dict[int, Callable[..., None]]):
        super().__init__(codes)
        self.left = MOST_CODES

    def __getitem__(self, code: int) -> Callable[..., None]:
        self.left -= 1
        if self.left < 0:
            raise BadMember(f"it has more than {MOST_CODES} codes")
        return super().__getitem__(code)

    def __missing__(self, code: int) -> Callable[..., None]:
        raise _refuse(f"the code {code}")


class _Machine(pickle._Unpickler):
    """The unpickler in Python: its memory is a dictionary, where the one in C makes room for any number that is named.

    Every code is a function here, and those that are not listed do not exist.
    """

    dispatch: _Codes

    def __init__(self, file: Any, most: int):
        super().__init__(file)
        self.dispatch = _Codes(type(self).dispatch)  # which counts for this file alone
        self.left = most

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if not (isinstance(module, str) and isinstance(name, str) and (module, name) in _FUNCTIONS):
            raise _refuse(printable(f"{module}.{name}"))
        return _FUNCTIONS[module, name]

    def persistent_load(self, pid: object) -> None:
        raise _refuse("a persistent object")

    def call(self) -> None:
        arguments, function = self.stack.pop(), self.stack[-1]
        if not (isinstance(arguments, tuple) and any(function is each for each in _FUNCTIONS.values())):
            raise _refuse("a call")
        self.stack[-1] = made = function(*arguments)
        if isinstance(made, bytes):  # of a text that may be named again and again
            self.left -= len(made)
            if self.left < 0:
                raise BadMember("it has more bytes in arrays than in the file")

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, PackedArray):
            packed = _checked(state)
            target.shape, target.kind = packed.shape, packed.kind
            target.is_fortran, target.content = packed.is_fortran, packed.content
        elif isinstance(target, PackedType):
            if not (isinstance(state, tuple) and len(state) >= 5 and state[1] in ("<", ">", "|", "=")):
                raise BadMember("the description of a NumPy type is not complete")
            if any(part is not None for part in state[2:5]):
                raise _refuse("a NumPy type with fields")
            target.order = state[1]
        else:
            raise _refuse(f"a state of {type(target).__name__}")

    def fill(self, target: object, items: list) -> None:
        if not isinstance(target, dict):
            raise _refuse(f"items of {type(target).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Python takes the hash of a tuple without a look at how deep it is.
            if not isinstance(key, str | int | bytes | None):
                raise _refuse(f"a dictionary with keys of the kind {type(key).__name__}")
            target[key] = value

    def set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.fill(self.stack[-1], [key, value])

    def set_items(self) -> None:
        items = self.pop_mark()
        self.fill(self.stack[-1], items)

    def make_dictionary(self) -> None:
        items = self.pop_mark()
        self.append({})
        self.fill(self.stack[-1], items)

    def read_bytes(self) -> None:
        length = int.from_bytes(self.read(8), "little")
        self.append(self.read(min(length, 2**62)))  # without making room for it first


_Machine.dispatch = _Codes(
    {code: pickle._Unpickler.dispatch[code] for code in (getattr(pickle, name)[0] for name in _KNOWN)}
)
_Machine.dispatch |= {
    pickle.REDUCE[0]: _Machine.call,
    pickle.BUILD[0]: _Machine.build,
    pickle.SETITEM[0]: _Machine.set_item,
    pickle.SETITEMS[0]: _Machine.set_items,
    pickle.DICT[0]: _Machine.make_dictionary,
    pickle.BYTEARRAY8[0]: _Machine.read_bytes,
}


class _Metered:
    """The file of a `_Locating`, which reads no more of it than `LARGEST_REST` beside what is left there."""

    def __init__(self, file: BufferedIOBase):
        self.file, self.taken = file, 0

    def read(self, length: int) -> bytes:
        self._count(length)
        return self.file.read(length)

    def readline(self) -> bytes:
        line = self.file.readline(LARGEST_REST)
        self._count(len(line))
        return line

    def readinto(self, buffer: bytearray) -> int:  # of codes that are not known
        raise _refuse("a buffer")

    def _count(self, length: int) -> None:
        self.taken += length
        if self.taken > LARGEST_REST:
            raise BadMember(f"it has more than {LARGEST_REST} bytes beside its arrays")


class _Locating(_Machine):
    """A `_Machine` that leaves long bytes and texts in the file."""

    def __init__(self, file: BufferedIOBase):
        self.metered, self.frame_start = _Metered(file), 0
        self.end = os.fstat(file.fileno()).st_size
        super().__init__(self.metered, LARGEST_REST)

    def load_frame(self) -> None:
        length = int.from_bytes(self.read(8), "little")
        if length > LARGEST_FRAME:
            raise BadMember(f"it has a frame of {length} bytes, more than {LARGEST_FRAME}")
        self.frame_start = self.metered.file.tell()
        self._unframer.load_frame(length)

    def content(self, length: int, form: str) -> Any:
        if length < LOCATED_FROM:
            content = self.read(length)
            return content if form == "bytes" else str(content, "utf-8", "surrogatepass")
        frame = self._unframer.current_frame
        if frame is not None and frame.tell() == frame.getbuffer().nbytes:
            frame = self._unframer.current_frame = None
        if frame is None:
            file, start, end = self.metered.file, 0, self.end
        else:
            file, start, end = frame, self.frame_start, self.frame_start + frame.getbuffer().nbytes
            self.metered.taken -= length
        place = Place(start + file.tell(), length, form)
        if place.offset + length > end:
            raise BadMember("it ends within an array")
        file.seek(length, os.SEEK_CUR)
        return place


def _left(size: int, form: str) -> Callable[[_Locating], None]:
    """What a code does that is followed by a length of `size` bytes and a content."""
    return lambda machine: machine.append(machine.content(int.from_bytes(machine.read(size), "little"), form))


_Locating.dispatch = _Codes(_Machine.dispatch)
_Locating.dispatch |= {
    pickle.FRAME[0]: _Locating.load_frame,
    pickle.SHORT_BINBYTES[0]: _left(1, "bytes"),
    pickle.BINBYTES[0]: _left(4, "bytes"),
    pickle.BINBYTES8[0]: _left(8, "bytes"),
    pickle.BYTEARRAY8[0]: _left(8, "bytes"),
    pickle.SHORT_BINUNICODE[0]: _left(1, "text"),
    pickle.BINUNICODE[0]: _left(4, "text"),
    pickle.BINUNICODE8[0]: _left(8, "text"),
}
