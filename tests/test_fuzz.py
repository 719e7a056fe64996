"""A slice of `make fuzz`: broken and hostile files end in an error of ours or a sound result, in every reader."""

import runpy

import pytest

from places import ROOT

fuzz = runpy.run_path(str(ROOT / "tools" / "fuzz.py"))


@pytest.mark.parametrize("seed", [101, 102])
def test_a_slice_of_cases_has_no_fault(seed):
    counts, faults = fuzz["run"](300, seed)
    assert not faults, "\n".join(faults)
    assert counts["typed"] > 100 and counts["accepted"] > 20
