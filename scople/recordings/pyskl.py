"""Annotation pickles of pyskl and MMAction2: one annotation, a list of them, or a whole `{'split', 'annotations'}`.

An annotation is a dictionary; `keypoint` (M,T,V,C) is read, with C 3 or 2. All else is left alone, the label too.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from scople.data.samples import BadMember
from scople.formats.safe_pickle import PackedArray, load
from scople.recordings.takes import Take, as_bodies


def read_pyskl(content: bytes) -> list[Take]:
    """The recordings of an annotation file, numbered from 1 where there are several.

    Raises:
        BadMember: the pickle is refused (`scople.formats.safe_pickle`), or an annotation has no such array.
    """
    value = load(content)
    if isinstance(value, dict) and "annotations" in value:
        value = value["annotations"]
    annotations = [value] if isinstance(value, dict) else value
    if not (isinstance(annotations, list | tuple) and annotations):
        raise BadMember("it holds no annotations")
    if len({id(annotation) for annotation in annotations}) < len(annotations):  # a small file would fill the memory
        raise BadMember("it holds an annotation twice")
    packed = [_keypoint(annotation, number) for number, annotation in enumerate(annotations, start=1)]
    if len({id(array.content) for array in packed}) < len(packed):
        raise BadMember("two annotations share an array")
    return [
        Take(_bodies(array, number), number=number if len(packed) > 1 else 0)
        for number, array in enumerate(packed, start=1)
    ]


def _keypoint(annotation: Any, number: int) -> PackedArray:
    array = annotation.get("keypoint") if isinstance(annotation, dict) else None
    if not isinstance(array, PackedArray):
        raise BadMember(f"annotation {number} has no array keypoint")
    return array


def _bodies(array: PackedArray, number: int) -> Float[np.ndarray, "M T V C"]:
    try:
        return as_bodies(array.array())
    except BadMember as error:
        raise BadMember(f"annotation {number}: {error}") from error
