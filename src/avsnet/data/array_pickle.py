"""Pickles of arrays from strangers, read without running anything they ask for.

A pickle is a program: it names functions, and plain `pickle.load` calls them. The reader here knows the seven names
that NumPy's arrays need, and puts a small class of its own behind each, so that not even NumPy's code (whose
`__setstate__` trusts its caller) is driven by the file. Any other name is refused before it is looked up.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from avsnet.errors import DataError

_PLAIN_KINDS = "biuf"


def read_array_pickle(path: str | Path) -> Any:
    """Read a pickle made of dicts, tuples, lists, numbers, texts and arrays of numbers.

    Args:
        path: the file, of any pickle protocol and of Python 2 or 3, NumPy 1 or 2.

    Returns:
        What was pickled; each array is an `np.ndarray` of booleans, integers or floats, perhaps read-only.

    Raises:
        DataError: the file cannot be read, is truncated, or asks for anything else; the message names what.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            found = _ArrayUnpickler(file).load()
        return _with_arrays(found, {})
    except _Refused as error:
        raise DataError(f"{path}: {error}; the file is damaged or hostile, do not load it by other means") from None
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the path of the pickle") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path of the pickle") from None
    except Exception as error:  # on broken bytes the unpickler raises nearly anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataError(f"{path}: broken or truncated pickle ({reason}); download it again") from None


class _Refused(Exception):
    """A name that no array needs."""


class _Array:
    """Stands for `numpy.ndarray`, and called, for `_reconstruct`: the array comes with the state."""

    def __init__(self, *_: object) -> None:
        self.array: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, raw = state
        self.array = _shaped(raw, dtype, shape, "F" if fortran else "C")


class _Dtype:
    """Stands for `numpy.dtype`: a kind and a size, then the byte order as state."""

    def __init__(self, code: str, *_: object) -> None:
        self.dtype = np.dtype(str(code))
        if self.dtype.kind not in _PLAIN_KINDS:
            raise _Refused(f"holds an array of type {code!r}, not of plain numbers")

    def __setstate__(self, state: Any) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


class _FromBuffer(_Array):
    """Stands for `_frombuffer`, how protocol 5 keeps an array."""

    def __init__(self, raw: Any, dtype: Any, shape: Any, order: str, axes: Any = None) -> None:
        if order == "K":
            self.array = _shaped(raw, dtype, shape, "C").transpose(axes)
        else:
            self.array = _shaped(raw, dtype, shape, order)


class _Scalar:
    """Stands for `scalar`: one number."""

    def __new__(cls, dtype: Any, raw: Any) -> Any:
        return _shaped(raw, dtype, (), "C").item()

    def __setstate__(self, state: Any) -> None:
        raise _Refused("gives a state to a number")


class _Encode:
    """Stands for `_codecs.encode`: the way protocol 2 wraps bytes, as Latin-1 and nothing else."""

    def __new__(cls, text: str, encoding: str) -> Any:
        if encoding != "latin1":
            raise _Refused(f"asks for the encoding {encoding!r}")
        return text.encode("latin1")

    def __setstate__(self, state: Any) -> None:
        raise _Refused("gives a state to bytes")


# A class with `__setstate__` also keeps a file from setting attributes on the stand-ins themselves.
_STAND_INS: dict[tuple[str, str], type] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Encode,
}
for _home in ("numpy.core", "numpy._core"):
    _STAND_INS[f"{_home}.multiarray", "_reconstruct"] = _Array
    _STAND_INS[f"{_home}.multiarray", "scalar"] = _Scalar
    _STAND_INS[f"{_home}.numeric", "_frombuffer"] = _FromBuffer


class _ArrayUnpickler(pickle._Unpickler):
    """In Python: the one in C makes room for as many entries as the number that a file gives to one, up to 64 GB."""

    def __init__(self, file: BinaryIO) -> None:
        # Python 2 kept an array's bytes as a text; Latin-1 gives them back one by one.
        super().__init__(file, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        stand_in = _STAND_INS.get((module, name))
        if stand_in is None:
            raise _Refused(f"refused, because it asks to load {module}.{name}, which no array needs")
        return stand_in


def _shaped(raw: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    """The array of these bytes, without a copy."""
    if isinstance(raw, str):
        raw = raw.encode("latin1")
    return np.frombuffer(raw, dtype.dtype).reshape(tuple(shape), order=order)


def _with_arrays(found: Any, done: dict[int, tuple[Any, Any]]) -> Any:
    """The same with arrays in the place of their stand-ins; `done` keeps a shared part from being walked twice."""
    if isinstance(found, _Array):
        if found.array is None:
            raise ValueError("an array without its numbers")
        return found.array
    if found is None or isinstance(found, bool | int | float | str | bytes):
        return found
    if id(found) in done:
        return done[id(found)][1]
    if isinstance(found, dict):
        done[id(found)] = found, found
        for key in found:
            found[key] = _with_arrays(found[key], done)
        return found
    if isinstance(found, list | tuple):
        whole = type(found)(_with_arrays(part, done) for part in found)
        done[id(found)] = found, whole
        return whole
    raise _Refused(f"holds a {type(found).__name__.lstrip('_')}, which is neither a number, a text nor an array")
