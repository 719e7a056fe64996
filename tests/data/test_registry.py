"""Data sets by one vocabulary: what a source may be, and what each entry promises."""

import pytest

from avsnet.data import registry
from avsnet.data.reading import Reading
from avsnet.data.registry import DataSetInfo, data_sets, find_data_set, open_data, recognise, register_data_set
from avsnet.errors import DataError, OptionError
from places import SHARED


@pytest.fixture
def real():
    root = SHARED / "batvision_v2_sample" / "BatvisionV2"
    if not root.is_dir():
        pytest.skip("the real recording is not beside the checkout")
    return root


def test_the_real_tree_is_recognised_and_read_as_recorded(real):
    opened = open_data(real)
    assert (opened.name, opened.cap) == ("batvision_v2:BatvisionV2", 30.0)
    sample = opened.data[0]
    assert sample["waveform"].shape == (2, 20_000)
    assert sample["depth"].shape == (1, 720, 1280)
    assert open_data(f"batvision_v2:{real}").data[0]["id"] == sample["id"]


def test_no_folder_and_an_unknown_layout_are_errors(tmp_path):
    with pytest.raises(DataError, match=r"no such folder; give that of a data set, or batvision_v1:ROOT"):
        open_data(tmp_path / "none")
    with pytest.raises(OptionError, match=r"'folders:x' is none of batvision_v1:ROOT.*no folder of that name"):
        open_data("folders:x")
    with pytest.raises(DataError, match="no data set that we know"):
        open_data(tmp_path)


def test_a_folder_that_looks_like_two_data_sets_names_both(tmp_path):
    (tmp_path / "Attic").mkdir()
    for path in (tmp_path / "train.csv", tmp_path / "Attic" / "train.csv"):
        path.write_text("a,b\n")
    with pytest.raises(DataError, match="may be batvision_v1 or batvision_v2; give batvision_v1:"):
        recognise(tmp_path)
    assert find_data_set(f"batvision_v2:{tmp_path}")[0].name == "batvision_v2"


def test_frames_have_no_depth_to_open_and_a_split_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OptionError, match=r"frames:.* has no depth; it serves data\.train, with data\.interval"):
        open_data(f"frames:{tmp_path}")
    with pytest.raises(OptionError, match=r"no split 'val', only train, test"):
        open_data(f"visual_echoes:{tmp_path}", Reading("val"))


def test_names_are_lower_snake_case_and_given_once():
    with pytest.raises(OptionError, match="is not lower snake case"):
        DataSetInfo("Two Words", lambda where, reading: [])
    with pytest.raises(OptionError, match="registered already"):
        register_data_set(data_sets()["folder"])


def test_every_entry_says_how_its_source_looks_and_its_published_counts_are_of_its_splits():
    for name, info in data_sets().items():
        assert info.form.startswith(f"{name}:") and registry.data_sets()[name] is info
        assert set(info.published) <= {*info.splits, "all"}
