"""Which triplets there are, against a slow reference, and which of them teach nothing."""

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from avsnet.data.transforms import flip
from avsnet.data.triplets import DARK, STILL, Triplets, check_usable, continuous, find_triplets
from avsnet.errors import DataError, OptionError, UnusableError


class Moving(Dataset):
    """Frame i shows a texture shifted by i pixels."""

    def __init__(self, count=8):
        self.count, self.texture = count, torch.rand(3, 16, 64, generator=torch.Generator().manual_seed(0))

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        camera = torch.tensor([[20.0, 0.0, 11.0], [0.0, 20.0, 7.5], [0.0, 0.0, 1.0]])
        return {"id": f"frame/{index}", "image": self.texture[..., index : index + 24].clone(), "intrinsics": camera}


def by_rank(recordings, interval):
    """Each frame with those whose ranks in its recording are `interval` lower and higher, by counting."""
    rank = [sum(other == one for other in recordings[:place]) for place, one in enumerate(recordings)]
    found = []
    for target, one in enumerate(recordings):
        beside = {rank[place] - rank[target]: place for place, other in enumerate(recordings) if other == one}
        if -interval in beside and interval in beside:
            found.append((beside[-interval], target, beside[interval]))
    return found


@pytest.mark.parametrize("interval", [1, 2, 5, 20])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_triplets_are_those_of_the_slow_reference_however_recordings_interleave(seed, interval):
    recordings = np.random.default_rng(seed).integers(0, 4, 120).tolist()
    found = find_triplets(recordings, interval)
    assert found == by_rank(recordings, interval)
    assert all(len({recordings[place] for place in triplet}) == 1 for triplet in found)


def test_a_recording_of_n_frames_has_n_less_two_intervals_triplets():
    sizes = [39, 40, 41, 100]
    recordings = [name for name, size in enumerate(sizes) for _ in range(size)]
    assert len(find_triplets(recordings, 20)) == sum(max(0, size - 40) for size in sizes) == 61


@pytest.mark.parametrize("interval", [0, -1, 2.0])
def test_an_interval_that_is_no_number_of_frames_is_refused(interval):
    with pytest.raises(OptionError, match="interval"):
        find_triplets(["a"] * 9, interval)


def test_a_gap_begins_a_recording_only_if_it_is_longer_than_five_times_the_median():
    assert continuous([0.0, 1.0, 2.0, 7.0, 8.0]) == [0] * 5
    assert continuous([0.0, 1.0, 2.0, 7.1, 8.0]) == [0, 0, 0, 1, 1]
    assert continuous([]) == [] and continuous([3.0]) == [0]


def test_a_triplet_holds_three_pictures_and_the_camera_of_its_target():
    frames = Moving()
    triplets = Triplets(frames, find_triplets([0] * 8, 3))
    assert len(triplets) == 2
    one = triplets[1]
    assert (one["id"], list(one)) == ("frame/4", ["id", "image", "earlier", "later", "intrinsics"])
    for key, place in (("earlier", 1), ("image", 4), ("later", 7)):
        assert torch.equal(one[key], frames[place]["image"])
    assert torch.equal(one["intrinsics"], frames[4]["intrinsics"])
    with pytest.raises(DataError, match=r"no triplets; .* smaller data\.interval"):
        Triplets(frames, find_triplets([0] * 8, 4))


def test_a_mirrored_triplet_shows_the_mirrored_world_in_all_three():
    one = Triplets(Moving(), [(0, 3, 6)])[0]
    mirrored = flip(one)
    assert all(torch.equal(mirrored[key], one[key].flip(-1)) for key in ("image", "earlier", "later"))
    assert mirrored["intrinsics"][0].tolist() == [20.0, 0.0, 24 - 1 - 11.0]
    assert one["intrinsics"][0, 2] == 11.0


def triplet(**changes):
    return Triplets(Moving(), [(0, 3, 6)])[0] | changes


@pytest.mark.parametrize("name", ["image", "earlier", "later"])
def test_one_dark_frame_is_enough(name):
    with pytest.raises(UnusableError, match=rf"^frame/3: dark, its {name} has a mean of 0.029"):
        check_usable(triplet(**{name: torch.full((3, 16, 24), DARK - 1e-3)}))
    check_usable(triplet(**{name: torch.full((3, 16, 24), DARK + 1e-3)}))


@pytest.mark.parametrize("name", ["earlier", "later"])
def test_one_neighbour_that_is_the_target_again_is_enough_and_noise_does_not_hide_it(name):
    still = triplet()
    noise = 0.006 * torch.randn(still["image"].shape, generator=torch.Generator().manual_seed(1))
    assert float(noise.abs().mean()) > STILL
    with pytest.raises(UnusableError, match=r"^frame/3: still, neighbours differ by 0\.00"):
        check_usable(still | {name: still["image"] + noise})


def test_pictures_smaller_than_a_square_can_be_judged():
    picture = torch.full((3, 2, 3), 0.5)
    check_usable({"id": "a", "image": picture, "earlier": picture + 0.1, "later": picture - 0.1})
