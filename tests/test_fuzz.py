"""A slice of `make fuzz`: broken and hostile files end in an error of ours or a sound result, in every reader."""

import shutil

import fuzz
import pytest


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    (folder / "case").mkdir()
    return fuzz.seeds(folder)


@pytest.mark.parametrize("reader", fuzz.READERS)
def test_every_reader_takes_a_whole_file_or_its_cases_would_show_nothing(reader, whole):
    found = set()
    for path in whole[reader]:
        case = path.parent / "case" / f"case{path.suffix}"
        shutil.copy(path, case)
        found.add(fuzz.outcome(fuzz.READERS[reader][1], case))
    assert "accepted" in found and found <= {"accepted", "typed"}


@pytest.mark.parametrize("seed", [101, 102])
def test_a_slice_of_cases_has_no_fault(seed):
    counts, faults = fuzz.run(300, seed)
    assert not faults, "\n".join(faults)
    assert counts["typed"] > 100 and counts["accepted"] > 20
