"""A table of strangers names files below its folder, or is refused."""

import pytest

from avsnet.data.batvision_v1 import BatVisionV1
from avsnet.data.batvision_v2 import BatVisionV2
from avsnet.data.table import inside, read_table
from avsnet.errors import DataError

OUTSIDE = ("../secret.npy", "/etc/passwd", "a/../../b.npy", "C:/b.npy", "..")


@pytest.mark.parametrize("cell", OUTSIDE)
def test_a_path_outside_the_folder_is_refused(cell):
    with pytest.raises(DataError, match=r"train\.csv: names .*outside its folder data"):
        inside("data", "a", cell, table="train.csv")


def test_a_path_below_the_folder_is_kept():
    assert inside("data", "a..b/c", "d...npy", table="t") == "data/a..b/c/d...npy"


@pytest.mark.parametrize("cell", OUTSIDE)
def test_tables_of_batvision_stay_in_their_folder(tmp_path, cell):
    columns = "audio path left,audio path right,depth path,camera path left"
    (tmp_path / "train.csv").write_text(f"{columns}\nd/l.npy,d/r.npy,{cell},d/c.jpg")
    (tmp_path / "Hall").mkdir()
    columns = [f"{kind} {part}" for kind in ("audio", "depth", "camera") for part in ("path", "file name")]
    cells = ["Hall/audio", "audio_1.wav", cell, "d.npy", "Hall/camera", "c.jpg"]
    (tmp_path / "Hall" / "train.csv").write_text(",".join(columns) + "\n" + ",".join(cells))
    for data_set in (BatVisionV1, BatVisionV2):
        with pytest.raises(DataError, match="outside its folder"):
            data_set(tmp_path, "train")


@pytest.mark.parametrize("content", [b"\xff\xfe", b'"' + b"a" * 200_000, b"\0,\0\n", b""])
def test_a_table_of_anyone_is_read_or_one_error(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.csv"):
        read_table(tmp_path / "a.csv", ["depth"])
