"""A pickle of arrays is read exactly, and one that asks for anything else runs nothing."""

import contextlib
import io
import os
import pickle
import resource

import numpy as np
import pytest

from avsnet.data.array_pickle import read_array_pickle
from avsnet.errors import DataError

CALLS = []


def called(*arguments):
    """What a hostile pickle of this file asks for; it must never be."""
    CALLS.append(arguments)


class Hostile:
    """Pickles as a call of any function with any arguments."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


def written(path, content, protocol=4):
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def same(found, wanted):
    if isinstance(wanted, dict):
        return list(found) == list(wanted) and all(same(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list | tuple):
        return type(found) is type(wanted) and len(found) == len(wanted) and all(map(same, found, wanted))
    if isinstance(wanted, np.ndarray):
        return found.dtype == wanted.dtype and np.array_equal(found, wanted)
    return found == wanted


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_of_every_order_type_and_protocol_come_back_exactly(tmp_path, protocol):
    numbers = np.random.default_rng(0).normal(size=(2, 3, 4))
    content = {
        ("a", 7, np.int64(90)): {"rgb": (numbers * 9).astype(np.uint8), "depth": numbers.astype(np.float32)},
        "big endian": numbers.astype(">f8"),
        "Fortran": np.asfortranarray(numbers),
        "turned": numbers.transpose(1, 0, 2),
        "sliced": numbers[:, ::2],
        "half": numbers.astype(np.float16),
        "one": [np.float32(0.5), np.bool_(True), None, 3.5, (1, "ä")],
        "shared": [pair := [1, 2], pair],
    }
    assert same(read_array_pickle(written(tmp_path / "a.pkl", content, protocol)), content)


def test_names_of_numpy_1_and_texts_of_python_2_are_understood(tmp_path):
    values = np.arange(200, 206, dtype=np.uint8).reshape(2, 3)
    # Protocol 2 as Python 2 wrote it: the bytes are a text (opcode U), the module has its old name.
    state = pickle.dumps(values, protocol=2).replace(b"numpy._core", b"numpy.core")
    old = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01btR(I1\n(I2\nI3\nt"
    old += b"cnumpy\ndtype\n(U\x02u1I0\nI1\ntR(I3\nU\x01|NNNI-1\nI-1\nI0\ntbI00\nU\x06" + values.tobytes() + b"tb."
    for name, content in {"new": state, "old": old}.items():
        (tmp_path / name).write_bytes(content)
        assert same(read_array_pickle(tmp_path / name), values)


HOSTILE = {
    "os.system": Hostile(os.system, "touch /nowhere"),
    "builtins.eval": Hostile(eval, "1 + 1"),
    "a function of one's own": Hostile(called, 1),
    "nested": {"scene": {(1, 0): {"rgb": [(0, Hostile(called, Hostile(called, 2)))]}}},
    "in a key": {Hostile(called, 3): 1},
    "numpy.load": Hostile(np.load, "a.npy"),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_asks_for_a_function_is_refused_by_name_and_runs_nothing(
    tmp_path, content, protocol, monkeypatch
):
    monkeypatch.setattr(os, "system", called)
    path = written(tmp_path / "a.pkl", content, protocol)
    CALLS.clear()
    with pytest.raises(DataError, match=r"a\.pkl: refused, because it asks to load ") as caught:
        read_array_pickle(path)
    assert not CALLS and "\n" not in str(caught.value)


def test_the_hostile_pickles_of_these_tests_do_harm_where_they_are_loaded_plainly():
    CALLS.clear()
    pickle.loads(pickle.dumps(HOSTILE["nested"]))
    assert CALLS == [(2,), (None,)]


def test_the_refusal_names_module_and_function(tmp_path):
    with pytest.raises(DataError, match=r"asks to load builtins\.eval,"):
        read_array_pickle(written(tmp_path / "a.pkl", Hostile(eval, "1")))


def test_arrays_of_objects_and_of_records_are_refused(tmp_path):
    for content in (np.array([{}, None]), np.zeros(2, "f4,u1"), np.array(["text"]), np.datetime64("2020")):
        with pytest.raises(DataError, match=r"not of plain numbers|broken"):
            read_array_pickle(written(tmp_path / "a.pkl", content))


def test_a_stand_in_left_in_the_content_or_given_a_state_is_refused(tmp_path):
    array, dtype = b"cnumpy\nndarray\n", b"cnumpy\ndtype\n"
    encode, scalar = b"c_codecs\nencode\n", b"cnumpy.core.multiarray\nscalar\n"
    contents = [name + b"." for name in (array, dtype, encode, scalar)]
    contents += [name + b"}U\x01aI1\nsb." for name in (array, dtype, encode, scalar)]
    contents += [array + b")R.", encode + b"(X\x01\x00\x00\x00aX\x05\x00\x00\x00rot13tR."]
    for content in contents:
        (tmp_path / "a.pkl").write_bytes(content)
        with pytest.raises(DataError):
            read_array_pickle(tmp_path / "a.pkl")


def test_every_truncation_is_told_in_one_line(tmp_path):
    whole = pickle.dumps({"scene": {(1, 0): np.arange(12.0)}}, protocol=4)
    for length in range(len(whole)):
        (tmp_path / "a.pkl").write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"a\.pkl: broken or truncated pickle") as caught:
            read_array_pickle(tmp_path / "a.pkl")
        assert "\n" not in str(caught.value)


def test_no_changed_byte_gets_past_the_typed_error(tmp_path):
    whole = bytearray(pickle.dumps({"scene": {(1, 0): np.arange(3.0)}}, protocol=2))
    generator = np.random.default_rng(0)
    for _ in range(2000):
        changed = whole.copy()
        changed[generator.integers(len(whole))] = generator.integers(256)
        (tmp_path / "a.pkl").write_bytes(changed)
        with contextlib.suppress(DataError):
            read_array_pickle(tmp_path / "a.pkl")


def test_a_number_that_a_file_gives_to_an_entry_makes_no_room_for_as_many(tmp_path):
    """`pickle.Unpickler`, in C, takes 16 bytes for each up to that number: here 4 GB for 40 bytes of file."""
    made = pickle.dumps({"a": 1.0}, protocol=2)
    assert b"q\x00" in made
    (tmp_path / "bomb.pkl").write_bytes(made.replace(b"q\x00", b"r" + (2**27).to_bytes(4, "little")))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert read_array_pickle(tmp_path / "bomb.pkl") == {"a": 1.0}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024  # kibibytes


def test_content_that_holds_itself_or_doubles_at_each_level_ends(tmp_path):
    itself: list = []
    itself.append(itself)
    with pytest.raises(DataError, match=r"RecursionError"):
        read_array_pickle(written(tmp_path / "a.pkl", itself))
    doubled: list = [1]
    for _ in range(60):
        doubled = [doubled, doubled]
    assert len(read_array_pickle(written(tmp_path / "a.pkl", doubled))) == 2


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.pkl: no such file"):
        read_array_pickle(tmp_path / "none.pkl")
    with pytest.raises(DataError, match=r"cannot be read"):
        read_array_pickle(tmp_path)


def test_the_reader_gives_the_same_as_plain_pickle_on_what_is_harmless(tmp_path):
    content = {"office_4": {(3, 90): {"rgb": np.ones((4, 4, 4), np.uint8), "depth": np.ones((4, 4))}}}
    plain = pickle.load(io.BytesIO(pickle.dumps(content)))
    assert same(read_array_pickle(written(tmp_path / "a.pkl", content)), plain)
