"""One network for every camera: metres follow the zoom, and so does what the echo means."""

import numpy as np
import pytest
import torch

from avsnet.errors import SampleError
from avsnet.geometry import intrinsics_from_fov, resize_intrinsics
from avsnet.models import create_model
from avsnet.models.avsnet.camera import in_canonical_metres, zoom_of
from avsnet.models.infer import infer

SIZE = (64, 96)


def camera(width, height, fov):
    return torch.from_numpy(intrinsics_from_fov(width, height, fov)).float()[None]


@pytest.fixture(scope="module")
def net():
    return create_model("avsnet_lite0_v", input_size=SIZE, n_bins=8)


def test_the_zoom_is_one_at_sixty_degrees_and_four_to_three_and_no_resizing_changes_it():
    matrix = intrinsics_from_fov(640, 480, 60.0)
    whole = zoom_of(torch.from_numpy(matrix)[None], torch.zeros(1, 3, 480, 640))
    assert whole.item() == pytest.approx(1.0, abs=1e-6)
    squashed = torch.from_numpy(resize_intrinsics(matrix, (480, 640), (64, 96)))[None]
    assert zoom_of(squashed, torch.zeros(1, 3, 64, 96)).item() == pytest.approx(1.0, abs=1e-6)


def test_twice_the_focal_length_is_twice_the_metres_of_the_same_picture(net):
    image = torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    near, far = camera(96, 64, 70.0), camera(96, 64, 70.0)
    far[:, 0, 0] *= 2.0
    far[:, 1, 1] *= 2.0
    one, two = (net({"image": image, "intrinsics": matrix}) for matrix in (near, far))
    for key in ("metric_depth", "bin_centers", "seed_centers"):
        torch.testing.assert_close(two[key], 2.0 * one[key])
    assert torch.equal(net({"image": image})["metric_depth"], one["metric_depth"])  # 70 degrees are assumed


def test_the_middle_of_a_picture_gives_the_metres_that_it_has_in_the_whole():
    class Ideal(torch.nn.Module):
        """Knows how large the thing in the middle is seen: canonical depth = 1 / its share of the width."""

        def forward(self, image):
            share = (image[:, 0] > 0.5).float().mean(dim=(1, 2)).sqrt()
            return 1.0 / share

    picture = torch.zeros(1, 3, 96, 128)
    picture[:, :, 36:60, 48:80] = 1.0  # a thing 1 m wide, seen under a quarter of the width
    matrix = camera(128, 96, 60.0)
    cut = matrix.clone()
    cut[:, 0, 2] -= 32.0
    cut[:, 1, 2] -= 24.0
    middle = picture[:, :, 24:72, 32:96]
    whole = Ideal()(picture) * zoom_of(matrix, picture)
    part = Ideal()(middle) * zoom_of(cut, middle)
    torch.testing.assert_close(part, whole)
    torch.testing.assert_close(zoom_of(cut, middle), 2.0 * zoom_of(matrix, picture))


def test_ranges_shrink_by_the_zoom_from_range_zero_on():
    echo = torch.zeros(2, 2, 3, 100)
    echo[..., 44] = 1.0
    found = in_canonical_metres(echo, torch.tensor([1.0, 2.0]), origin=4.0)
    assert torch.equal(found[0], echo[0])
    assert found[1].amax(dim=(0, 1)).argmax() == 24 and found[1, 0, 0, 24] == 1.0
    assert (in_canonical_metres(torch.ones(1, 2, 3, 100), torch.tensor([2.0]), 4.0)[..., 60:] == 0.0).all()


def test_a_picture_is_measured_by_its_own_camera_at_whatever_size_the_network_sees_it(net):
    picture = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    narrow, wide = (infer(net, picture, camera=intrinsics_from_fov(160, 120, fov)) for fov in (50.0, 80.0))
    factor = np.tan(np.radians(40.0)) / np.tan(np.radians(25.0))
    np.testing.assert_allclose(narrow, factor * wide, rtol=1e-4)


def test_intrinsics_that_are_none_are_refused(net):
    image = torch.zeros(2, 3, *SIZE)
    with pytest.raises(SampleError, match=r"'intrinsics' is \(1, 3, 3\), wanted \(2, 3, 3\)"):
        net({"image": image, "intrinsics": camera(96, 64, 70.0)})
    with pytest.raises(SampleError, match="focal length"):
        net({"image": image, "intrinsics": torch.zeros(2, 3, 3)})
