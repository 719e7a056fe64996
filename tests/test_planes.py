"""Planes of depth maps made from planes: what is found must be what was put in."""

import numpy as np
import pytest

from avsnet.geometry import intrinsics_from_fov, pixel_rays
from avsnet.planes import Foot, counts_distance, find_planes

HEIGHT, WIDTH, FOV = 96, 128, 80.0
TOLERANCE = 0.02

# A corner seen from inside, camera axes: the wall at the left, the wall at the right, the floor.
CORNER = np.array([[-np.sin(0.6), 0.0, np.cos(0.6)], [np.sin(0.9), 0.05, np.cos(0.9)], [0.0, 0.96, 0.28]])
CORNER /= np.linalg.norm(CORNER, axis=1, keepdims=True)
DISTANCES = np.array([2.5, 2.0, 1.2])


def camera(height=HEIGHT, width=WIDTH):
    return intrinsics_from_fov(width, height, FOV)


def inside(normals, distances, height=HEIGHT, width=WIDTH):
    """Depth of the nearest plane that each ray meets: t with normal . (t ray) = distance."""
    reach = pixel_rays(camera(height, width), height, width) @ np.asarray(normals).T
    with np.errstate(divide="ignore"):
        times = np.where(reach > 1e-9, np.asarray(distances) / reach, np.inf)
    return times.min(axis=-1)


def everywhere(depth):
    return np.ones(depth.shape, dtype=bool)


def find(depth, tolerance=TOLERANCE, valid=None):
    valid = everywhere(depth) if valid is None else valid
    return find_planes(depth, valid, camera(*depth.shape), tolerance)


def nearest(planes, normal):
    """The plane whose normal is nearest to this one, and the angle between them in radians."""
    best = max(planes, key=lambda plane: np.dot(plane.normal, normal))
    return best, np.arccos(np.clip(np.dot(best.normal, normal), -1, 1))


def test_a_corner_gives_its_three_walls():
    planes, unexplained = find(inside(CORNER, DISTANCES))
    assert len(planes) == 3
    for normal, distance in zip(CORNER, DISTANCES, strict=True):
        plane, angle = nearest(planes, normal)
        assert angle < 0.01
        assert plane.distance == pytest.approx(distance, rel=0.005)
        assert np.linalg.norm(plane.normal) == pytest.approx(1.0)
    assert unexplained < 0.01


def test_shares_are_those_of_the_pixels_and_come_largest_first():
    depth = inside(CORNER, DISTANCES)
    rays = pixel_rays(camera(), HEIGHT, WIDTH)
    owner = np.argmax((rays @ CORNER.T) / DISTANCES, axis=-1)
    planes, unexplained = find(depth)
    shares = [plane.share for plane in planes]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) + unexplained == pytest.approx(1.0)
    for number, normal in enumerate(CORNER):
        # Along the edges pixels of one wall are within the tolerance of the other.
        assert nearest(planes, normal)[0].share == pytest.approx(np.mean(owner == number), abs=0.04)


@pytest.mark.parametrize("factor", [1e-3, 7.0, 1e4])
def test_the_scale_of_the_map_scales_the_distances_and_nothing_else(factor):
    depth = inside(CORNER, DISTANCES) * (1 + 0.003 * np.random.default_rng(0).normal(size=(HEIGHT, WIDTH)))
    one, many = find(depth), find(factor * depth)
    assert one[1] == pytest.approx(many[1])
    for plane, scaled in zip(one[0], many[0], strict=True):
        assert scaled.distance == pytest.approx(factor * plane.distance, rel=1e-6)
        np.testing.assert_allclose(scaled.normal, plane.normal, atol=1e-6)
        assert (scaled.share, scaled.foot) == (plane.share, plane.foot)
        assert scaled.spread == pytest.approx(plane.spread, rel=1e-6)


def test_what_lies_under_the_mask_does_not_matter():
    depth = inside(CORNER, DISTANCES)
    valid = np.random.default_rng(1).random(depth.shape) < 0.8
    clean = find(np.where(valid, depth, 0.0), valid=valid)
    dirty = find(np.where(valid, depth, 1e3), valid=valid)
    assert clean[1] == dirty[1]
    for one, other in zip(clean[0], dirty[0], strict=True):
        np.testing.assert_array_equal(one.normal, other.normal)
        assert (one.distance, one.share, one.foot) == (other.distance, other.share, other.foot)
    for normal, distance in zip(CORNER, DISTANCES, strict=True):
        assert nearest(clean[0], normal)[0].distance == pytest.approx(distance, rel=0.005)


AHEAD = np.array([0.0, 0.0, 1.0])


def middle(depth, value, half=14):
    """The map with a square of another depth round its middle, where the wall ahead mirrors sound."""
    changed = depth.copy()
    changed[HEIGHT // 2 - half : HEIGHT // 2 + half, WIDTH // 2 - half : WIDTH // 2 + half] = value
    return changed


WALL = np.full((HEIGHT, WIDTH), 3.0)


@pytest.mark.parametrize(
    ("depth", "foot"),
    [
        (WALL, Foot.SEEN),
        (middle(WALL, 3.05), Foot.SEEN),  # within three tolerances: a picture on the wall
        (middle(WALL, 3.0 * np.exp(0.055)), Foot.SEEN),
        (middle(WALL, 3.0 * np.exp(0.065)), Foot.OPEN),
        (middle(WALL, 3.0 * np.exp(-0.065)), Foot.HIDDEN),
        (middle(WALL, 2.0), Foot.HIDDEN),  # a box before the wall
        (middle(WALL, 7.0), Foot.OPEN),  # a doorway in it
        (middle(WALL, 0.0), Foot.OUTSIDE),  # unknown, as good as not in the picture
    ],
    ids=["seen", "nearly", "just", "just beyond", "just before", "hidden", "open", "unknown"],
)
def test_the_foot_of_a_wall_ahead_is_named_after_what_stands_there(depth, foot):
    plane, angle = nearest(find(depth, valid=depth > 0)[0], AHEAD)
    assert angle < 0.01
    assert plane.distance == pytest.approx(3.0, rel=0.01)
    assert plane.foot is foot


def test_the_foot_of_walls_beside_floor_and_ceiling_is_outside_the_picture():
    corridor = [[-1.0, 0, 0], [1.0, 0, 0], [0, 1.0, 0], [0, -1.0, 0], [0, 0, 1.0]]
    planes, _ = find(inside(corridor, [0.9, 1.1, 1.2, 1.4, 9.0]))
    for normal in corridor[:4]:
        plane, angle = nearest(planes, normal)
        assert angle < 0.02
        assert plane.foot is Foot.OUTSIDE


def test_the_foot_of_a_slanted_wall_may_be_ahead_and_yet_outside_the_picture():
    # 50 degrees to the side, where the picture ends at 40.
    slanted = np.array([np.sin(np.radians(50)), 0.0, np.cos(np.radians(50))])
    plane, angle = nearest(find(inside([slanted, AHEAD], [1.5, 6.0]))[0], slanted)
    assert angle < 0.01
    assert plane.foot is Foot.OUTSIDE
    nearer = np.array([np.sin(np.radians(30)), 0.0, np.cos(np.radians(30))])
    assert nearest(find(inside([nearer], [1.5]))[0], nearer)[0].foot is Foot.SEEN


def test_the_normals_point_away_from_the_camera_and_distances_are_positive():
    depth = inside(CORNER, DISTANCES) * np.exp(0.05 * np.random.default_rng(2).normal(size=(HEIGHT, WIDTH)))
    planes, _ = find(depth, tolerance=0.08)
    rays = pixel_rays(camera(), HEIGHT, WIDTH)
    assert planes
    for plane in planes:
        on_it = np.abs(depth * (rays @ plane.normal) / plane.distance - 1) < 0.08
        assert plane.distance > 0
        assert on_it.mean() >= 0.9 * plane.share  # n . x = d holds for its pixels


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (3, 128), (96, 2)])
def test_a_map_too_small_has_no_plane(size):
    assert find_planes(np.full(size, 2.0), np.ones(size, bool), camera(*size), TOLERANCE) == ([], 1.0)


def test_a_map_without_a_valid_pixel_has_no_plane():
    assert find(np.zeros((HEIGHT, WIDTH)), valid=np.zeros((HEIGHT, WIDTH), bool)) == ([], 1.0)


def test_a_plane_smaller_than_3_percent_of_the_picture_is_left_out():
    small, large = (inside([AHEAD], [4.0], 96, 127) for _ in range(2))  # too narrow to be thinned
    small[30:47, 60:78] = 2.0  # 2.5 %
    large[30:50, 60:80] = 2.0  # 3.3 %
    planes, unexplained = find(small)
    assert [round(plane.distance, 3) for plane in planes] == [4.0]
    assert unexplained == pytest.approx(np.mean(small == 2.0))
    planes, unexplained = find(large)
    assert [round(plane.distance, 3) for plane in planes] == [4.0, 2.0]
    assert unexplained == 0.0


def test_shares_are_of_the_known_pixels():
    depth, valid = WALL.copy(), np.zeros(WALL.shape, bool)
    valid[:, :64] = True
    depth[:12, :64] = np.random.default_rng(0).uniform(5.0, 50.0, (12, 64))  # an eighth of what is known
    planes, unexplained = find(depth, valid=valid)
    assert planes[0].share == pytest.approx(7 / 8, abs=0.01)
    assert sum(plane.share for plane in planes) + unexplained == pytest.approx(1.0)


def test_a_map_four_times_larger_gives_the_same_planes_within_1_percent():
    small, large = (find(inside(CORNER, DISTANCES, *size)) for size in ((96, 128), (384, 512)))
    assert len(small[0]) == len(large[0]) == 3
    for normal in CORNER:
        one, other = nearest(small[0], normal)[0], nearest(large[0], normal)[0]
        assert other.distance == pytest.approx(one.distance, rel=0.01)
        assert np.dot(one.normal, other.normal) > np.cos(0.01)
        assert other.share == pytest.approx(one.share, abs=0.01)
        assert other.spread == pytest.approx(one.spread, rel=0.1)


def test_the_predicted_spread_is_that_of_distances_over_many_maps():
    # Each sixth by sixth of the picture errs on its own, by 1 %, as the prediction takes it.
    depth, deviation = inside(CORNER, DISTANCES), 0.01
    rng = np.random.default_rng(3)
    logs = {number: [] for number in range(3)}
    predicted = {number: [] for number in range(3)}
    for _ in range(40):
        cells = np.kron(rng.normal(size=(6, 6)), np.ones((HEIGHT // 6, WIDTH // 6 + 1)))[:, :WIDTH]
        planes, _ = find(depth * np.exp(deviation * cells), tolerance=0.06)
        for number, normal in enumerate(CORNER):
            plane, angle = nearest(planes, normal)
            assert angle < 0.1
            logs[number].append(np.log(plane.distance))
            predicted[number].append(plane.spread * deviation)
    for number in range(3):
        ratio = np.std(logs[number]) / np.mean(predicted[number])
        assert 0.5 < ratio < 2.0, (number, ratio)


def test_a_plane_seen_in_a_corner_of_the_picture_is_known_less_well_than_one_that_fills_it():
    whole = find(WALL)[0][0].spread
    valid = np.zeros((HEIGHT, WIDTH), bool)
    valid[:24, :32] = True
    part = find(WALL, valid=valid)[0][0].spread
    assert 0.1 < whole < 0.5 < 2.0 < part


def test_a_map_of_distances_along_the_rays_is_told_from_depth():
    depth = inside(CORNER, DISTANCES)
    rays = np.linalg.norm(pixel_rays(camera(), HEIGHT, WIDTH), axis=-1)
    assert counts_distance(depth * rays, everywhere(depth), camera())
    bent = depth * np.exp(0.05 * np.random.default_rng(0).normal(size=depth.shape))
    for other in (depth, 0.3 * depth, bent, depth / rays):
        assert not counts_distance(other, everywhere(depth), camera())


def test_no_more_than_ten_planes_are_taken():
    steps = np.repeat(1.3 ** np.arange(12), 5)
    depth = np.tile(steps[:, None], (1, 60))
    planes, left = find_planes(depth, depth > 0.0, intrinsics_from_fov(60, 60, FOV), TOLERANCE)
    assert len(planes) == 10 and left == pytest.approx(2 / 12, abs=0.01)


def test_a_camera_that_sees_nearly_to_the_side_sees_the_foot_of_a_wall_there():
    height, width = 25, 61
    matrix = np.array([[1.0, 0.0, 30.0], [0.0, 1.0, 12.0], [0.0, 0.0, 1.0]])
    beside = np.array([np.sqrt(1.0 - 0.05**2), 0.0, 0.05])  # 87 degrees, 20 pixels to the right of the middle
    reach = pixel_rays(matrix, height, width) @ beside
    depth = np.where(reach > 0.5, 1.0 / np.maximum(reach, 0.5), 0.0)
    plane, angle = nearest(find_planes(depth, depth > 0.0, matrix, TOLERANCE)[0], beside)
    assert angle < 0.01 and plane.foot is Foot.SEEN


def test_a_plane_of_exactly_3_percent_is_taken():
    depth = np.full((100, 100), 4.0)
    depth[30:45, 60:80] = 2.0  # 300 pixels of 10 000
    planes, left = find(depth)
    assert [round(plane.distance, 3) for plane in planes] == [4.0, 2.0] and left == 0.0


def test_a_map_too_rough_for_planes_tells_nothing_of_what_it_counts():
    depth = inside(CORNER, DISTANCES) * np.linalg.norm(pixel_rays(camera(), HEIGHT, WIDTH), axis=-1)
    assert counts_distance(depth, everywhere(depth), camera())
    rough = np.ones(depth.shape)
    rough[:20] = np.random.default_rng(0).uniform(2.0, 9.0, (20, WIDTH))
    rays = np.linalg.norm(pixel_rays(camera(), HEIGHT, WIDTH), axis=-1)
    bent, flat = (find(one, 0.01)[1] for one in (rough * depth, rough * depth / rays))
    assert 0.1 < flat < bent - 0.12  # it looks like distances, but for what lies on no plane either way
    assert not counts_distance(rough * depth, everywhere(depth), camera())


@pytest.mark.parametrize(("size", "grid"), [((96, 128), 48 * 64), ((48, 1280), 24 * 64), ((769, 64), 193 * 64)])
def test_a_map_is_thinned_to_64_columns_and_to_24_to_256_rows(size, grid):
    depth = np.full(size, 3.0)
    depth[0, 0] = 50.0
    planes, left = find(depth)
    assert len(planes) == 1 and left == pytest.approx(1.0 / grid)


@pytest.mark.parametrize(("known", "found"), [(2, 0), (3, 1)])
def test_a_square_proposes_a_plane_if_six_tenths_of_it_are_known(known, found):
    rows, columns = np.indices((8, 8))  # only squares of 5 fit in
    valid = (rows + 2 * columns) % 5 < known  # as many of every five
    assert len(find(np.full((8, 8), 3.0), valid=valid)[0]) == found


def test_five_pixels_each_way_are_enough_for_a_plane():
    assert len(find(np.full((5, 5), 3.0))[0]) == 1 and not find(np.full((5, 4), 3.0))[0]


@pytest.mark.parametrize(("column", "row", "foot"), [(0, 0, "SEEN"), (-1, 0, "OUTSIDE"), (0, -1, "OUTSIDE")])
def test_the_first_pixel_of_a_picture_may_be_a_foot(column, row, foot):
    matrix = np.array([[50.0, 0.0, column], [0.0, 50.0, row], [0.0, 0.0, 1.0]])
    planes, _ = find_planes(np.full((40, 60), 3.0), np.ones((40, 60), bool), matrix, TOLERANCE)
    assert [plane.foot for plane in planes] == [Foot[foot]]


def slow_spread(depth, valid):
    """Of a wall straight ahead at 3 m: the standard deviation of its distance if each sixth errs by 1, by loops."""
    scatter, cells, count = np.zeros((3, 3)), set(), 0
    rays = pixel_rays(camera(), HEIGHT, WIDTH)
    for row in range(0, HEIGHT, 2):
        for column in range(0, WIDTH, 2):
            if valid[row, column]:
                point = depth[row, column] * rays[row, column]
                scatter += np.outer(point, point)
                cells.add((int(6 * row / HEIGHT), int(6 * column / WIDTH)))
                count += 1
    m = AHEAD / 3.0
    return np.sqrt(m @ np.linalg.inv(scatter / count) @ m / len(cells)) / (m @ m)


@pytest.mark.parametrize("part", [np.s_[:, :], np.s_[:, :44], np.s_[20:70, 30:]])
def test_the_spread_is_that_of_a_fit_whose_sixths_err_alone(part):
    valid = np.zeros(WALL.shape, bool)
    valid[part] = True
    (plane,), _ = find(WALL, valid=valid)
    assert plane.spread == pytest.approx(slow_spread(WALL, valid), rel=1e-4)


def test_neither_a_narrow_view_nor_noise_is_taken_for_distances():
    narrow = intrinsics_from_fov(WIDTH, HEIGHT, 8.0)
    assert not counts_distance(WALL, everywhere(WALL), narrow)
    distances = inside(CORNER, DISTANCES) * np.linalg.norm(pixel_rays(camera(), HEIGHT, WIDTH), axis=-1)
    noisy = distances * np.exp(0.03 * np.random.default_rng(0).normal(size=distances.shape))
    assert not counts_distance(noisy, everywhere(noisy), camera())
