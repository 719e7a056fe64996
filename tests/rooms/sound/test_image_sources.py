"""Mirror reflections against the lattice of a shoebox's images, against occlusion, and against a panel's size."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from avsnet.audio.rig import Rig
from avsnet.rooms.geometry.materials import BANDS, MATERIALS, material_index
from avsnet.rooms.geometry.raycast import ray_caster
from avsnet.rooms.geometry.scene import Look, box, join, look_along, rectangles, shell
from avsnet.rooms.geometry.surfaces import Clutter, Surfaces
from avsnet.rooms.sound.image_sources import direct_sound, mirror_reflections
from avsnet.rooms.sound.rig import RecordingRig

SIZE = np.array([6.0, 4.6, 2.9])
CAMERA = np.array([-0.7, 0.35, 1.3])
AXES = look_along(0.2, -0.05)
EARS = ((-0.1, 0.05, -0.04), (0.12, 0.03, -0.02))
OMNI = RecordingRig(geometry=Rig(speaker=(0.02, 0.1, 0.05), ears=EARS), behind=(1.0,) * 8, direct=1.0)
PLASTER = Look(material_index("plaster"))
MARBLE = Look(material_index("marble"))


def reflections(quads, rig=OMNI, camera=CAMERA, clutter=None, longest=60.0):
    surfaces = Surfaces.of(quads, clutter)
    return mirror_reflections(surfaces, ray_caster(quads), rig.placed(camera, AXES), longest)


def lattice(size, source, order):
    """Image sources of a shoebox of one order: per axis 2 i L + x after 2 |i| mirrors, 2 i L - x after |2 i - 1|."""
    images = []
    for turn in product((0, 1, -1), repeat=3):
        for flip in product((False, True), repeat=3):
            mirrors = sum(abs(2 * i - 1) if f else 2 * abs(i) for i, f in zip(turn, flip, strict=True))
            if mirrors == order:
                images.append(
                    [2 * i * s + (-x if f else x) for i, f, s, x in zip(turn, flip, size, source, strict=True)]
                )
    return np.array(images)


@pytest.mark.parametrize("order, count", [(1, 6), (2, 18)])
def test_a_shoebox_has_the_images_of_the_lattice(order, count):
    corner = np.array([SIZE[0] / 2, SIZE[1] / 2, 0.0])
    placed = OMNI.placed(CAMERA, AXES)
    found = reflections(shell(SIZE, [PLASTER] * 6))
    assert len(lattice(SIZE, placed.speaker + corner, order)) == count
    images = np.concatenate([lattice(SIZE, placed.speaker + corner, n) for n in (1, 2)])
    for ear in (0, 1):
        lengths = np.linalg.norm(images - (placed.ears[ear] + corner), axis=1)
        np.testing.assert_allclose(np.sort(found.length[found.ear == ear]), np.sort(lengths), rtol=1e-12)


def test_an_image_is_as_loud_as_its_path_and_walls_say():
    found = reflections(shell(SIZE, [PLASTER] * 6), clutter=Clutter(0.1, 0.2))
    kept = (1 - np.array(MATERIALS[PLASTER.material].absorption)) * 0.9
    mirrored = kept * (1 - np.array(MATERIALS[PLASTER.material].scattering)) * 0.8
    loudness = found.amplitude * found.length[:, None]
    once = np.isclose(loudness[:, -1], np.sqrt(mirrored[-1]))
    assert once.sum() == 12  # six walls, two ears
    np.testing.assert_allclose(loudness[once], np.tile(np.sqrt(mirrored), (12, 1)), rtol=1e-6)
    np.testing.assert_allclose(loudness[~once], np.tile(mirrored, (36, 1)), rtol=1e-6)


def test_direct_sound_falls_with_distance_and_keeps_the_share_that_the_rig_lets_through():
    near = direct_sound(replace(OMNI, direct=0.2).placed(CAMERA, AXES))
    np.testing.assert_allclose(near.length, OMNI.geometry.direct_paths)
    np.testing.assert_allclose(near.amplitude, np.tile(0.2 / OMNI.geometry.direct_paths[:, None], 8), rtol=1e-6)


def test_a_wall_straight_ahead_is_louder_in_the_high_bands_than_one_behind():
    rig = replace(OMNI, behind=RecordingRig().behind)
    forward = AXES[2]
    right, up = AXES[0], -AXES[1]
    front = rectangles(CAMERA + 1.5 * forward - 2 * right - 2 * up, 4 * right, 4 * up, MARBLE)
    back = rectangles(CAMERA - 1.5 * forward - 2 * right - 2 * up, 4 * up, 4 * right, MARBLE)
    ahead, behind = reflections(front, rig), reflections(back, rig)
    assert len(ahead.ear) == len(behind.ear) == 2
    ratio = ahead.amplitude / behind.amplitude
    assert (np.diff(ratio, axis=1) > 0).all() and ratio[:, -1].min() > 5.0


def test_a_rectangle_that_faces_away_reflects_nothing():
    right, up, forward = AXES[0], -AXES[1], AXES[2]
    corner = CAMERA + 1.5 * forward - right - up
    assert len(reflections(rectangles(corner, 2 * right, 2 * up, MARBLE)).ear) == 2
    assert len(reflections(rectangles(corner, 2 * up, 2 * right, MARBLE)).ear) == 0


def test_a_screen_hides_the_wall_behind_it_and_is_heard_itself():
    room = shell(SIZE, [PLASTER] * 6)
    screen = box((1.0, 0.2), (0.1, 3.0, 2.8), 0.0, 0.0, PLASTER)
    placed = OMNI.placed(CAMERA, AXES)

    def heard(found, x):
        """How many ears hear the speaker mirrored in the plane at `x`."""
        image = placed.speaker + [2 * (x - placed.speaker[0]), 0.0, 0.0]
        lengths = np.linalg.norm(image - placed.ears, axis=1)
        return sum(np.isclose(found.length[found.ear == ear], lengths[ear]).any() for ear in (0, 1))

    empty, hidden = reflections(room), reflections(join([room, screen]))
    assert (heard(empty, SIZE[0] / 2), heard(hidden, SIZE[0] / 2)) == (2, 0)
    assert (heard(empty, 0.95), heard(hidden, 0.95)) == (0, 2)


def test_a_small_panel_reflects_only_high_frequencies():
    side = 0.3
    right, up, forward = AXES[0], -AXES[1], AXES[2]
    middle = CAMERA + 2.0 * forward - 0.06 * up
    panel = rectangles(middle - side / 2 * (right + up), side * right, side * up, MARBLE)
    found = reflections(panel)
    assert len(found.ear) == 2
    loudness = found.amplitude[0] / found.amplitude[0, -1]
    limit = 343.0 * 1.0 / side**2  # c r1 r2 / ((r1 + r2) S) with r1 = r2 = 2 m
    low = np.array(BANDS) < 0.9 * limit
    assert 3 <= low.sum() < 8
    slope = loudness[low] / np.array(BANDS)[low]
    np.testing.assert_allclose(slope, slope[0], rtol=0.05)  # pressure grows with frequency up to the limit


def test_two_small_panels_are_not_followed_from_one_to_the_other():
    room = shell(np.array([0.9, 0.9, 0.9]), [PLASTER] * 6)
    rig = RecordingRig(geometry=Rig(speaker=(0.0, 0.0, 0.0), ears=((0.0, 0.01, 0.0), (0.0, 0.0, 0.01))))
    found = reflections(room, rig, np.array([0.0, 0.0, 0.45]))
    assert len(found.ear) == 12


def test_paths_longer_than_asked_for_are_left_out():
    room = shell(SIZE, [PLASTER] * 6)
    every, near = reflections(room), reflections(room, longest=6.0)
    assert 0 < len(near.ear) == (every.length < 6.0).sum() < len(every.ear)
