"""Spaces open into one another without a gap, and what is behind a hole lies behind it."""

import numpy as np
import pytest

from avsnet.rooms.geometry.raycast import ray_caster
from avsnet.rooms.geometry.scene import Look, join
from avsnet.rooms.geometry.shells import Frame, Opening, Space, barrel, passage, recess

LOOK = Look(material=0)
FRAMES = [Frame(), Frame((2.0, -1.0), 1), Frame((0.3, 4.0), 2), Frame((-5.0, 0.5), 3)]


def closed(space):
    return [space.sides((LOOK,) * 4), space.level(True, LOOK), space.level(False, LOOK)]


def inside(space, count, rng):
    low, high = np.array([*space.low, space.base]), np.array([*space.high, space.base + space.height])
    return space.frame.to_world(rng.uniform(low + 0.01, high - 0.01, (count, 3)))


def assert_closed(quads, points, rng):
    """Every ray from inside meets the front of something."""
    directions = rng.normal(size=points.shape)
    index, _ = ray_caster(quads, "numpy").cast(points, directions)
    assert (index >= 0).all()
    assert (np.sum(quads.normal[index] * directions, axis=1) < 0).all()
    return index


@pytest.mark.parametrize("frame", FRAMES)
def test_a_space_without_openings_is_a_closed_box_of_its_size(frame):
    space = Space((-2.0, -1.5), (3.0, 2.0), 2.5, frame=frame)
    quads = join(closed(space))
    assert len(quads) == 6
    assert_closed(quads, inside(space, 500, np.random.default_rng(0)), np.random.default_rng(1))
    assert quads.area.sum() == pytest.approx(2 * (5 * 3.5 + 5 * 2.5 + 3.5 * 2.5))
    np.testing.assert_allclose(space.area()[1::2] - space.area()[::2], [5, 3.5] if frame.turns % 2 == 0 else [3.5, 5])


@pytest.mark.parametrize("side", range(4))
@pytest.mark.parametrize("frame", FRAMES[:2])
def test_a_room_behind_a_doorway_is_reached_through_it_and_nothing_leaks(side, frame):
    space = Space((-3.0, -2.0), (3.0, 2.0), 2.6, frame=frame)
    hole = Opening(1.0, 2.0, 0.0, 2.1)
    space.openings[side].append(hole)
    beyond, entrance = space.behind(side, hole, 3.0, (0.5, 1.0), 0.2)
    beyond.openings[3].append(entrance)
    rooms = [*closed(space), passage(space, side, hole, 0.2, LOOK, LOOK), *closed(beyond)]
    quads = join(rooms)
    first_behind = sum(len(part) for part in rooms[:4])
    rng = np.random.default_rng(side)
    index = assert_closed(quads, inside(space, 3000, rng), rng)
    assert 0 < np.mean(index >= first_behind) < 0.2
    index = assert_closed(quads, inside(beyond, 3000, rng), rng)
    assert 0 < np.mean(index < sum(len(part) for part in rooms[:3])) < 0.2
    # The hole's middle is open to a place right before it and right behind it.
    before, behind = (space.on_side(side, 1.5, 1.0, away)[None] for away in (0.5, -0.7))
    assert not ray_caster(quads, "numpy").occluded(before, behind).any()
    beside = space.on_side(side, 2.5, 1.0, 0.5)[None]
    assert ray_caster(quads, "numpy").occluded(beside, space.on_side(side, 2.5, 1.0, -0.7)[None]).all()


@pytest.mark.parametrize("side", range(4))
def test_a_wing_as_high_as_the_room_makes_one_closed_space(side):
    space = Space((-3.0, -2.0), (3.0, 2.0), 2.6)
    hole = Opening(0.0, 1.8, 0.0, 2.6)
    space.openings[side].append(hole)
    wing, _ = space.behind(side, hole, 2.5)
    parts = [*closed(space), wing.sides((LOOK, LOOK, LOOK, None)), wing.level(True, LOOK), wing.level(False, LOOK)]
    quads, rng = join(parts), np.random.default_rng(side)
    assert_closed(quads, inside(space, 2000, rng), rng)
    assert_closed(quads, inside(wing, 2000, rng), rng)
    assert len(space.sides((LOOK,) * 4)) == 4  # one wall is shorter, none is cut in two


@pytest.mark.parametrize("side", range(4))
def test_a_window_is_a_shallow_closed_space(side):
    space = Space((-3.0, -2.0), (3.0, 2.0), 2.6)
    hole, pane = Opening(1.0, 2.2, 0.9, 2.1), Look(material=3)
    space.openings[side].append(hole)
    quads = join([*closed(space), recess(space, side, hole, 0.2, LOOK, pane)])
    rng = np.random.default_rng(side)
    assert_closed(quads, inside(space, 3000, rng), rng)
    at = space.on_side(side, 1.6, 1.5, 1.0)
    index, t = ray_caster(quads, "numpy").cast(at, space.on_side(side, 1.6, 1.5, 0.0)[None] - at)
    assert quads.material[index[0]] == 3 and t[0] == pytest.approx(1.2)
    assert quads.area[index[0]] == pytest.approx(1.2 * 1.2)


def test_holes_over_each_other_are_cut_out_of_one_wall():
    space = Space((0.0, 0.0), (6.0, 4.0), 6.0)
    for low, high in ((0.0, 2.0), (3.0, 4.0)):
        space.openings[0].append(Opening(1.0, 2.0, low, high))
    wall = space.sides((LOOK, None, None, None))
    assert wall.area.sum() == pytest.approx(6 * 6 - 2 - 1)


def test_a_barrel_vault_closes_the_room():
    space = Space((-5.0, -1.5), (5.0, 1.5), 3.0)
    quads = join([space.sides((LOOK,) * 4), space.level(True, LOOK), barrel(space, 1.2, LOOK)])
    rng = np.random.default_rng(0)
    points = inside(space, 5000, rng)
    assert_closed(quads, points, rng)
    # Over the middle the crown is 1.2 above the walls.
    _, t = ray_caster(quads, "numpy").cast(np.array([0.3, 0.0, 1.0]), np.array([[0.0, 0.0, 1.0]]))
    assert 1.0 + t[0] == pytest.approx(4.2, abs=0.1)
