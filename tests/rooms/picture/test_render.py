"""The picture's depth is geometry, its light is the law of the lamp, and neither knows how large the room is."""

from dataclasses import replace

import numpy as np
import pytest

from avsnet.geometry import intrinsics_from_fov, unproject
from avsnet.rooms.geometry.grammar import draw_scene
from avsnet.rooms.geometry.raycast import ray_caster
from avsnet.rooms.geometry.scene import Lamp, Look, Scene, View, box, join, look_along, shell
from avsnet.rooms.geometry.texture import PATTERNS
from avsnet.rooms.picture.render import render
from avsnet.rooms.preset import find_domain, find_preset

SIZE = np.array([6.0, 4.0, 3.0])
WHITE = Look(0, PATTERNS.index("plain"), (0.5, 0.5, 0.5), roughness=0.0)
LAMP = Lamp((0.0, 0.0, 2.9), (0.0, 0.0), (4.0, 4.0, 4.0), hangs=False)
HEIGHT, WIDTH = 60, 80
CAMERA = intrinsics_from_fov(WIDTH, HEIGHT, 90.0)


def scene(parts=(), lamps=(LAMP,), ambient=0.0, sky=None):
    looks = [replace(WHITE, seed=number) for number in range(6)]
    quads = join([shell(SIZE, looks), *parts])
    return Scene(quads, lamps, (ambient,) * 3, sky, SIZE, np.zeros((1, 4)), np.zeros(3), 1.2, "office", True)


def see(room, view, height=HEIGHT, width=WIDTH, camera=CAMERA, backend="auto"):
    return render(room, ray_caster(room.quads, backend), view, camera, height, width)


def view(yaw=0.0, pitch=0.0, place=(-1.0, 0.5, 1.2)):
    return View(np.array(place), look_along(yaw, pitch), 90.0)


def test_depth_is_along_the_axis_and_pixel_centres_lie_at_whole_coordinates():
    picture = see(scene(), view())
    # The wall at x = 3 stands square to the camera, 4 ahead.
    middle = picture.depth[HEIGHT // 2 - 3 : HEIGHT // 2 + 3, WIDTH // 2 - 3 : WIDTH // 2 + 3]
    np.testing.assert_allclose(middle, 4.0, rtol=1e-5)
    # Below the horizon's row a floor pixel r rows down is 1.2 f / r away.
    row = HEIGHT - 1
    expected = 1.2 * CAMERA[1, 1] / (row - CAMERA[1, 2])
    assert picture.depth[row, WIDTH // 2] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("yaw", "pitch"), [(0.0, 0.0), (0.7, -0.2), (-2.0, 0.3)])
def test_every_pixel_unprojected_lies_on_the_rectangle_it_names(yaw, pitch):
    room, eye = scene([box((1.0, -0.5), (0.6, 0.8, 0.9), 0.0, 0.4, WHITE)]), view(yaw, pitch)
    picture = see(room, eye)
    points = eye.to_world(unproject(picture.depth, CAMERA)).reshape(-1, 3)
    index = picture.index.ravel()
    assert (index >= 0).all() and (yaw or (index >= 6).any())
    height = np.sum((points - room.quads.corner[index]) * room.quads.normal[index], axis=1)
    np.testing.assert_allclose(height, 0.0, atol=1e-4)


def test_light_falls_off_by_the_square_and_the_slant():
    picture = see(scene(), view(pitch=-1.0))
    points = view(pitch=-1.0).to_world(unproject(picture.depth, CAMERA))
    floor = (picture.index == 0) & (points[..., 0] < 2.5)
    towards = np.array(LAMP.position) - points[floor]
    distance = np.linalg.norm(towards, axis=1)
    expected = 0.5 * 4.0 * (towards[:, 2] / distance) / distance**2
    assert floor.sum() > 500
    # Pixels at outlines average over several directions.
    close = np.isclose(picture.radiance[floor][:, 0], expected, rtol=0.01)
    assert close.mean() > 0.95


FINE = intrinsics_from_fov(320, 240, 90.0)
BLOCK = box((0.0, 0.0), (1.0, 1.0, 0.2), 1.5, 0.0, WHITE)
BESIDE = {"pitch": -0.6, "place": (-2.5, 0.0, 1.2)}


def shadowed(half):
    """Light on the floor under a lamp of this half width, and how far from under the block's middle each pixel is."""
    picture = see(scene([BLOCK], [replace(LAMP, half=(half, half))]), view(**BESIDE), 240, 320, FINE)
    points = view(**BESIDE).to_world(unproject(picture.depth, FINE))
    floor = (picture.index == 0) & (points[..., 0] < 2.0)
    return picture.radiance[floor][:, 0], np.abs(points[floor][:, :2]).max(axis=1)


def test_a_box_throws_a_shadow_where_it_hides_the_lamp():
    # The lamp hangs at 2.9, the box's upper edge at 1.7: on the floor its shadow reaches 0.5 * 2.9 / 1.2 = 1.21.
    light, reach = shadowed(0.0)
    assert (light[reach < 1.1] < 0.02).mean() > 0.97
    assert (light[(reach > 1.35) & (reach < 1.9)] > 0.05).mean() > 0.97
    assert (reach < 1.1).sum() > 1000


def test_a_wide_lamp_softens_the_shadow():
    hard, soft = shadowed(0.0), shadowed(0.4)
    # A lamp 0.8 wide makes a penumbra 0.8 * 1.7 / 1.2 = 1.1 wide about the edge at 1.21.
    for inner, outer, sharp, mild in ((0.8, 0.95, 0.0, 0.22), (1.1, 1.3, None, 0.55), (1.4, 1.55, 1.0, 0.8)):
        share = []
        for light, reach in (hard, soft):
            ring = (reach > inner) & (reach < outer)
            share.append(np.median(light[ring] * (2.9**2 + reach[ring] ** 2) ** 1.5 / (0.5 * 4.0 * 2.9)))
        assert sharp is None or share[0] == pytest.approx(sharp, abs=0.1)
        assert share[1] == pytest.approx(mild, abs=0.15)


def test_a_lamp_that_hangs_leaves_the_ceiling_dark():
    eye = view(pitch=0.5)
    lamp = replace(LAMP, position=(0.0, 0.0, 2.0))
    free, hanging = (see(scene(lamps=[replace(lamp, hangs=hangs)]), eye) for hangs in (False, True))
    ceiling = free.index == 1
    assert ceiling.sum() > 100
    assert free.radiance[ceiling].min() > 0.0 and hanging.radiance[ceiling].max() < 1e-6


def test_corners_get_less_of_the_light_from_everywhere_than_open_walls():
    picture = see(scene(lamps=(), ambient=1.0), view())
    wall = picture.index == 3
    points = view().to_world(unproject(picture.depth, CAMERA))
    away = np.minimum(2.0 - np.abs(points[..., 1]), np.minimum(points[..., 2], 3.0 - points[..., 2]))
    assert picture.radiance[wall & (away < 0.2)].mean() < 0.8 * picture.radiance[wall & (away > 1.0)].mean()


def test_outside_is_the_sky_and_has_no_depth():
    room = scene(sky=(0.3, 0.6, 0.9), ambient=0.5)
    room = replace(room, quads=room.quads.take([0, 2, 3, 4, 5]))
    picture = see(room, view(pitch=0.4))
    outside = picture.index < 0
    assert outside.any() and not outside.all()
    assert (picture.depth[outside] == 0.0).all() and (picture.depth[~outside] > 0.0).all()
    # At outlines it mixes with the wall.
    assert np.median(picture.radiance[outside], axis=0) == pytest.approx([0.3, 0.6, 0.9], rel=0.3)


def furnished(seed, domain="offices"):
    preset = find_preset("rooms-1")
    return draw_scene(find_domain(domain, preset), preset, np.random.SeedSequence([3, seed]))


@pytest.mark.parametrize("domain", ["offices", "historic"])
def test_the_same_room_at_another_scale_is_the_same_picture(domain):
    room = furnished(1, domain)
    eye = View(np.array([*room.start[:2], room.camera_height]), look_along(room.start[2], 0.0), 90.0)
    k = 1.7
    lamps = tuple(
        replace(
            lamp,
            position=tuple(k * np.array(lamp.position)),
            half=tuple(k * np.array(lamp.half)),
            power=tuple(k * k * np.array(lamp.power)),
        )
        for lamp in room.lamps
    )
    large = replace(room, quads=room.quads.scaled(k), lamps=lamps, size=k * room.size)
    one, other = see(room, eye), see(large, eye.scaled(k))
    np.testing.assert_allclose(other.depth, k * one.depth, rtol=1e-3, atol=1e-6)
    # Rounding moves a shadow's edge here and there.
    assert np.mean(np.abs(other.radiance - one.radiance) > 0.02 * one.radiance.mean()) < 0.03


def test_both_ray_casters_give_the_same_picture():
    pytest.importorskip("embreex")
    room = furnished(2)
    eye = View(np.array([*room.start[:2], room.camera_height]), look_along(room.start[2], 0.0), 90.0)
    fast, exact = (see(room, eye, 48, 64, intrinsics_from_fov(64, 48, 90.0), name) for name in ("embree", "numpy"))
    assert np.mean(fast.index == exact.index) > 0.995
    assert np.median(np.abs(fast.radiance - exact.radiance)) < 1e-4
    assert np.mean(np.abs(fast.radiance - exact.radiance) > 0.05) < 0.03
