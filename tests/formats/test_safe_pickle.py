"""What NumPy pickles comes back; what would run code, or make memory soar, is refused before it does."""

import builtins
import io
import os
import pickle
import subprocess
import tracemalloc
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from scople.base.errors import ScopleError
from scople.data.samples import BadMember
from scople.formats import safe_pickle
from scople.formats.safe_pickle import PackedArray, load

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dtype", ["f2", "<f4", ">f4", "f8", "i1", ">i4", "u8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_come_back(protocol, dtype, order):
    array = np.asarray(np.arange(2 * 3 * 5).reshape(2, 3, 5), dtype, order=order)
    (packed,) = load(pickle.dumps([array], protocol))
    np.testing.assert_array_equal(packed.array(), array)
    assert packed.array().dtype == array.dtype


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_containers_come_back(protocol):
    value = {"a": [1, 2.5, None, True, -(2**70)], "b": ("x", b"y", {3: "z"}), "c": OrderedDict(d=1)}
    assert load(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numbers_of_numpy_come_back(protocol):
    assert load(pickle.dumps(np.float32(2.5), protocol)).array() == 2.5
    assert load(pickle.dumps(np.int64(-7), protocol)).array() == -7


@pytest.mark.parametrize("protocol", [2, 4])
def test_both_spellings_of_numpy(protocol):
    array = np.arange(7.0)
    content = pickle.dumps(array, protocol)
    spelled = b"numpy._core" if b"numpy._core" in content else b"numpy.core"
    other = {b"numpy._core": b"numpy.core", b"numpy.core": b"numpy._core"}[spelled]
    shorter = len(other) - len(spelled)
    if protocol == 2:
        content = content.replace(spelled, other)
    else:
        text = spelled + b".multiarray"
        content = content.replace(bytes([len(text)]) + text, bytes([len(text) + shorter]) + other + b".multiarray")
        length = int.from_bytes(content[3:11], "little") + shorter
        content = content[:3] + length.to_bytes(8, "little") + content[11:]
    assert other in content
    np.testing.assert_array_equal(load(content).array(), array)


class Calls:
    """Its pickle calls a function."""

    def __init__(self, function, *arguments):
        self.result = function, arguments

    def __reduce__(self):
        return self.result


class Keeps:
    """Its pickle sets a state."""

    def __reduce__(self):
        return dict, (), {"x": 1}


ATTACKS = {
    "os.system": lambda flag: Calls(os.system, f"touch {flag}"),
    "subprocess": lambda flag: Calls(subprocess.check_call, ["touch", str(flag)]),
    "eval": lambda flag: Calls(builtins.eval, f"open({str(flag)!r}, 'w')"),
    "exec": lambda flag: Calls(builtins.exec, f"open({str(flag)!r}, 'w')"),
    "open": lambda flag: Calls(open, str(flag), "w"),
    "getattr": lambda flag: Calls(getattr, os.path.join, "__globals__"),
    "numpy.load": lambda flag: Calls(np.load, str(flag), None, True),
    "numpy.save": lambda flag: Calls(np.save, str(flag), np.ones(3)),
    "numpy memmap": lambda flag: Calls(np.memmap, str(flag), "u1", "w+", 0, (3,)),
    "fromfile": lambda flag: Calls(np.fromfile, str(flag)),
    "unpickler in unpickler": lambda flag: Calls(pickle.loads, pickle.dumps(Calls(os.system, f"touch {flag}"))),
    "path": lambda flag: Path(flag),
    "set": lambda flag: {1, 2},
    "a class": lambda flag: Path,
    "a function": lambda flag: os.system,
    "objects in an array": lambda flag: np.array([Calls(os.system, f"touch {flag}")], dtype=object),
    "fields": lambda flag: np.zeros(3, [("x", "f4")]),
    "in a list": lambda flag: [{"keypoint": np.ones(3), "x": Calls(os.system, f"touch {flag}")}],
    "as a key": lambda flag: {(1, 2): 3},
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_is_run(tmp_path, attack, protocol):
    flag = tmp_path / "run"
    with pytest.raises(BadMember) as caught:
        load(pickle.dumps(ATTACKS[attack](flag), protocol))
    assert "\n" not in str(caught.value)
    assert not flag.exists()


def test_the_attacks_would_work(tmp_path):
    """Against the plain unpickler; otherwise the test above could not fail."""
    flag = tmp_path / "run"
    pickle.loads(pickle.dumps(ATTACKS["os.system"](flag)))
    assert flag.exists()


def calling(module: bytes, name: bytes, arguments: bytes) -> bytes:
    return b"c" + module + b"\n" + name + b"\n" + arguments + b"R."


ODDITIES = {
    "reduce of a reduce": b"cnumpy\ndtype\n(Vf4\ntR(tR.",
    "call without a tuple": b"cnumpy\ndtype\nVf4\nR.",
    "call of a text": b"Vprint\n(tR.",
    "state of a function": b"cnumpy\ndtype\n(dVx\nI1\nsb.",
    "state of a dictionary": b"}}b.",
    "the class of arrays": calling(b"numpy", b"ndarray", b"(I3\nt"),
    "an encoding": calling(b"_codecs", b"encode", b"(Vx\nVrot13\nt"),
    "a dictionary with arguments": calling(b"collections", b"OrderedDict", b"((I1\nI2\nttt"),
    "a type with a name": calling(b"numpy", b"dtype", b"(V(3,)f4\nt"),
    "a huge type": calling(b"numpy", b"dtype", b"(VS99999999999\nt"),
    "dotted name": b"\x80\x04\x8c\x05numpy\x8c\x0adtype.type\x93.",
    "extension": b"\x80\x02\x82\x01.",
    "persistent": b"Vx\nQ.",
    "persistent text": b"Px\n.",
    "instance": b"(inumpy\ndtype\n.",
    "object": b"(cnumpy\ndtype\nVf4\no.",
    "new object": b"\x80\x02cnumpy\ndtype\n)\x81.",
    "buffer": b"\x80\x05\x97.",
    "underflow": b"R.",
    "no end": b"I1\n",
    "memory": b"h\x05.",
    "a tuple in a tuple and so on as a key": b"}" + b")" + b"\x85" * 100_000 + b"I1\ns.",
    "a protocol to come": b"\x80\x09.",
    "items of a number": b"I1\nVx\nI2\ns.",
    "append to a number": b"I1\nI2\na.",
    "digits": b"L" + b"9" * 5000 + b"L\n.",
}


@pytest.mark.parametrize("case", ODDITIES)
def test_odd_programs_are_refused(case):
    with pytest.raises(BadMember) as caught:
        load(ODDITIES[case])
    assert str(caught.value).isprintable()


def test_what_the_file_calls_cannot_be_changed():
    """A second load does what the first did, whatever stood between."""
    array = np.arange(3.0)
    for content in ODDITIES.values():
        with pytest.raises(ScopleError):
            load(content)
    np.testing.assert_array_equal(load(pickle.dumps(array)).array(), array)


def test_a_text_is_encoded_as_often_as_the_file_has_room_for():
    encode = b"c_codecs\nencode\n(Vabc\nVlatin1\ntR"
    assert load(b"(" + 2 * encode + b"t.") == (b"abc", b"abc")
    text = b"V" + b"x" * 3000 + b"\np0\n0"
    again = b"c_codecs\nencode\n(g0\nVlatin1\ntR0"
    with pytest.raises(BadMember, match="more bytes in arrays than in the file"):
        load(text + 7 * again + b"N.")


def test_a_pickle_of_too_many_codes_is_refused(monkeypatch):
    monkeypatch.setattr(safe_pickle, "MOST_CODES", 1000)
    assert len(load(b"(" + 997 * b"]" + b"l.")) == 997
    with pytest.raises(BadMember, match="more than 1000 codes"):
        load(b"(" + 998 * b"]" + b"l.")


@pytest.mark.parametrize(
    "content",
    [
        b"Nr\xff\xff\xff\xff.",  # a place in the memory, far up
        b"\x80\x05\x96" + b"\xff" * 7 + b"\x3f.",  # bytes that the file does not have
        b"\x80\x05\x8e" + b"\xff" * 7 + b"\x3f.",
        b"B\xff\xff\xff\x7f.",
        b"\x80\x04\x95" + b"\xff" * 7 + b"\x3f.",
        pickle.dumps(np.zeros(3)).replace(
            b"K\x03\x85", b"J\xff\xff\xff\x7f\x85"
        ),  # three values, said to be two milliards
    ],
)
def test_numbers_in_a_file_do_not_make_memory_soar(content):
    tracemalloc.start()
    try:
        with suppress(BadMember):
            value = load(content)
            if isinstance(value, PackedArray):
                value.array()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_arrays_of_texts_are_left_alone():
    value = load(pickle.dumps({"names": np.array(["a", "b"]), "keypoint": np.ones(3)}))
    np.testing.assert_array_equal(value["keypoint"].array(), np.ones(3))
    with pytest.raises(BadMember, match="other than numbers"):
        value["names"].array()


def test_a_lying_shape_is_refused():
    content = pickle.dumps(np.zeros((2, 3)), protocol=2).replace(b"K\x02K\x03\x86", b"K\x02K\x05\x86")
    with pytest.raises(BadMember, match=r"shape \(2, 5\) has 48 bytes"):
        load(content).array()


def test_no_stream_is_needed():
    assert load(io.BytesIO(pickle.dumps([1])).getvalue()) == [1]
