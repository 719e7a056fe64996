import pytest

from avsnet.data.named import open_data
from avsnet.errors import DataError
from places import SHARED


@pytest.fixture
def real():
    root = SHARED / "batvision_v2_sample" / "BatvisionV2"
    if not root.is_dir():
        pytest.skip("the real recording is not beside the checkout")
    return root


def test_the_real_tree_is_recognised_and_read_as_recorded(real):
    named = open_data(real, "test")
    assert (named.name, named.cap) == ("v2:BatvisionV2", 30.0)
    sample = named.data[0]
    assert sample["waveform"].shape == (2, 20_000)
    assert sample["depth"].shape == (1, 720, 1280)
    small = open_data(real, "test", size=(72, 128), samples=3200, align=299).data[0]
    assert small["waveform"].shape == (2, 3200) and small["image"].shape == (3, 72, 128)


def test_no_folder_and_an_unknown_layout_are_errors(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        open_data(tmp_path / "none")
    with pytest.raises(DataError, match="no layout that we know"):
        open_data(tmp_path)
