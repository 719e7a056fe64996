"""No unreadable row ends an epoch; too many of them do, and say so."""

import gc
import tracemalloc
import warnings

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from torch.utils.data import Dataset

from avsnet.audio.range_axis import RangeAxis
from avsnet.data.batvision_v2 import BatVisionV2
from avsnet.data.loading import SampleLoader
from avsnet.data.sample import check_sample
from avsnet.errors import DataError


class Rows(Dataset):
    """Samples by index, of which some cannot be read, some were corrected, and some are larger."""

    def __init__(self, length: int, broken=(), corrected=(), larger=(), error: type[Exception] = DataError) -> None:
        self.length, self.broken, self.corrected, self.larger, self.error = length, broken, corrected, larger, error

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict:
        if index in self.broken:
            raise self.error(f"room/{index}: a.wav: is empty")
        image = torch.full((3, 4, 6 if index not in self.larger else 7), index / 1000)
        return {
            "image": image,
            "id": f"room/{index:04}",
            "notes": "ears of unequal length" if index in self.corrected else "",
        }


def epoch(loader: SampleLoader) -> tuple[list[dict], list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        batches = list(loader)
    # From Python 3.12 on forking workers beside other threads is deprecated, and said: torch's business.
    return batches, [str(warning.message) for warning in caught if warning.category is not DeprecationWarning]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_unreadable_row_is_left_out_counted_and_named_at_the_end(workers):
    loader = SampleLoader(Rows(300, broken=[5, 299]), 8, num_workers=workers)
    batches, said = epoch(loader)
    ids = [name for batch in batches for name in batch["id"]]
    assert ids == [f"room/{index:04}" for index in range(300) if index not in (5, 299)]
    for batch in batches:
        check_sample(batch, batched=True)
    assert [row.index for row in loader.unreadable] == [5, 299]
    (message,) = said
    assert message.startswith("left out of 300 rows: 2 rows cannot be read: room/5: a.wav: is empty | room/299: ")


@pytest.mark.parametrize("workers", [0, 2])
def test_more_than_one_in_a_hundred_stops_with_the_reasons(workers):
    loader = SampleLoader(Rows(300, broken=[5, 40, 60, 80]), 8, num_workers=workers)
    seen = []
    with pytest.raises(DataError, match=r"4 rows cannot be read: room/5: .*more than 1\.0% of 300 rows") as caught:
        for batch in loader:
            seen += batch["id"]
    assert "\n" not in str(caught.value)
    assert len(seen) == 77  # ten whole batches, less the three rows that were left out


def test_exactly_one_in_a_hundred_passes_and_the_share_can_be_chosen():
    assert len(epoch(SampleLoader(Rows(100, broken=[7]), 10))[0]) == 10
    assert len(epoch(SampleLoader(Rows(10, broken=[7]), 5, tolerance=0.1))[0]) == 2
    with pytest.raises(DataError, match="1 rows cannot be read"):
        list(SampleLoader(Rows(99, broken=[7]), 10))


def test_a_batch_without_a_readable_row_is_left_out():
    batches, _ = epoch(SampleLoader(Rows(8, broken=[2, 3]), 2, tolerance=0.5))
    assert [batch["id"][0] for batch in batches] == ["room/0000", "room/0004", "room/0006"]


def test_every_epoch_counts_anew():
    loader = SampleLoader(Rows(200, broken=[1, 2], corrected=[3]), 50, shuffle=True)
    for _ in range(3):
        batches, said = epoch(loader)
        assert sum(len(batch["id"]) for batch in batches) == 198
        assert len(loader.unreadable) == 2 and loader.notes == {"ears of unequal length": 1}
        assert len(said) == 2


def test_rows_that_were_corrected_are_counted_at_the_end():
    _, (message,) = epoch(SampleLoader(Rows(20, corrected=[3, 4, 11]), 4))
    assert message == "corrected in 20 rows: 3 rows: ears of unequal length"


def test_a_whole_epoch_says_nothing():
    batches, said = epoch(SampleLoader(Rows(20), 4))
    assert len(batches) == 5 and said == []


def test_only_ten_reasons_are_named_and_all_are_kept():
    loader = SampleLoader(Rows(40, broken=range(12)), 40, tolerance=0.5)
    _, (message,) = epoch(loader)
    assert "room/9:" in message and "room/10:" not in message and message.endswith("and 2 more")
    assert len(loader.unreadable) == 12


def test_a_mistake_in_the_code_is_not_taken_for_an_unreadable_row():
    with pytest.raises(ZeroDivisionError):
        list(SampleLoader(Rows(200, broken=[3], error=ZeroDivisionError), 4))


@pytest.mark.parametrize("workers", [0, 2])
def test_samples_that_make_no_batch_are_named_with_the_mend(workers):
    with pytest.raises(DataError, match=r"image \[\(3, 4, 6\), \(3, 4, 7\)\].*give one size"):
        list(SampleLoader(Rows(4, larger=[2]), 4, num_workers=workers))


@pytest.fixture
def room(tmp_path):
    """A V2 tree of 200 rows that share one instance's files, but for two of which one is missing."""
    wave = np.random.default_rng(0).normal(0.0, 0.01, (2000, 2))
    soundfile.write(tmp_path / "a.wav", wave, 44_100, subtype="PCM_32")
    folder = tmp_path / "root" / "Room"
    folder.mkdir(parents=True)
    np.save(folder / "a.npy", np.full((18, 32), 2000, np.uint16))
    Image.new("RGB", (32, 18)).save(folder / "a.jpeg")
    lines = ["audio path,audio file name,depth path,depth file name,camera path,camera file name"]
    for number in range(200):
        (folder / f"audio_{number}.wav").symlink_to(tmp_path / "a.wav")
        depth = "a.npy" if number not in (50, 150) else f"depth_{number}.npy"
        lines.append(f"Room,audio_{number}.wav,Room,{depth},Room,a.jpeg")
    (folder / "train.csv").write_text("\n".join(lines))
    return folder.parent


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_of_batvision_survives_missing_files(room, workers):
    data = BatVisionV2(room, size=(9, 16), axis=RangeAxis(2000, None))
    loader = SampleLoader(data, 16, shuffle=True, num_workers=workers)
    batches, (message,) = epoch(loader)
    for batch in batches:
        check_sample(batch, batched=True)
    assert sum(len(batch["id"]) for batch in batches) == 198
    for number in (50, 150):
        assert f"Room/{number}: " in message and f"depth_{number}.npy: cannot be read (No such file" in message


def test_memory_does_not_grow_from_epoch_to_epoch(room):
    loader = SampleLoader(BatVisionV2(room, size=(9, 16), axis=RangeAxis(2000, None)), 16)
    held = []
    tracemalloc.start()
    for _ in range(3):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in loader:
                pass
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert held[2] - held[1] < 200_000  # one batch of 16 takes 300 kB
