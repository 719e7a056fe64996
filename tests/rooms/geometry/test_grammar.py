"""Rooms drawn from a seed: what the grammar promises holds for every room tried."""

from dataclasses import fields

import numpy as np
import pytest

from avsnet.errors import OptionError
from avsnet.rooms.geometry.blocks import bounds
from avsnet.rooms.geometry.furniture import AGAINST_WALL, FREE
from avsnet.rooms.geometry.grammar import draw_scene
from avsnet.rooms.geometry.raycast import ray_caster
from avsnet.rooms.geometry.scene import Quads
from avsnet.rooms.geometry.walk import FRAMES, draw_walk
from avsnet.rooms.preset import DOMAINS, find_domain, find_preset

PRESET = find_preset("rooms-1")
SEEDS = range(40)


def draw(domain, seed, preset=PRESET):
    return draw_scene(find_domain(domain, preset), preset, np.random.SeedSequence([7, seed]))


@pytest.fixture(scope="module", params=DOMAINS)
def rooms(request):
    return find_domain(request.param, PRESET), [draw(request.param, seed) for seed in SEEDS]


def smallest(domain, room):
    return domain.k[0] if room.ambiguous else 1.0


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_same_seed_gives_the_same_room_and_another_seed_another(domain):
    one, again, other = (draw(domain, seed) for seed in (5, 5, 6))
    for entry in fields(Quads):
        np.testing.assert_array_equal(getattr(one.quads, entry.name), getattr(again.quads, entry.name))
    assert one.lamps == again.lamps and one.camera_height == again.camera_height
    np.testing.assert_array_equal(one.start, again.start)
    assert not np.allclose(one.size, other.size)


def test_every_room_type_is_drawn_and_about_as_many_rooms_are_ambiguous_as_wanted(rooms):
    domain, drawn = rooms
    assert {room.room_type for room in drawn} == set(domain.rooms)
    assert 0.1 < np.mean([room.ambiguous for room in drawn]) < 0.5


def test_sizes_lie_in_the_type_s_ranges_but_for_what_a_cued_room_is_stretched(rooms):
    domain, drawn = rooms
    for room in drawn:
        entry = domain.rooms[room.room_type]
        stretch = (1.0, 1.0) if room.ambiguous else domain.k
        narrowest = PRESET.narrowest / smallest(domain, room)
        for side, (low, high) in zip(room.size[:2], (entry.length, entry.width), strict=True):
            assert low * stretch[0] - 1e-9 <= side <= max(high * stretch[1], narrowest) + 1e-9
        assert room.size[:2].min() * smallest(domain, room) >= PRESET.narrowest - 1e-9
        assert 2.2 <= room.size[2] <= max(2.2, entry.height[1] * stretch[1] ** 0.5)


def test_camera_heights_are_metric_but_in_ambiguous_rooms(rooms):
    domain, drawn = rooms
    for room in drawn:
        low = smallest(domain, room)
        if room.ambiguous:
            assert 0.20 / low <= room.camera_height <= PRESET.free_heights[1]
        else:
            within = [a <= room.camera_height <= b for a, b in PRESET.rig_heights]
            assert any(within) or room.camera_height == pytest.approx(room.size[2] - PRESET.clearance)


def test_rectangles_are_rectangles_of_some_size_with_reflectances(rooms):
    for room in rooms[1]:
        quads = room.quads
        assert np.isfinite(quads.corner).all() and (quads.area > 1e-6).all()
        np.testing.assert_allclose(np.sum(quads.u * quads.v, axis=1), 0.0, atol=1e-9)
        for colour in (quads.colour, quads.accent):
            assert (colour >= 0.0).all()


def test_no_ray_from_the_first_camera_leaves_a_closed_room(rooms):
    rng = np.random.default_rng(0)
    for room in rooms[1]:
        camera = np.array([*room.start[:2], room.camera_height])
        directions = rng.normal(size=(1000, 3))
        index, _ = ray_caster(room.quads, "numpy").cast(camera, directions)
        assert (room.sky is None) == (room.room_type != "courtyard")
        if room.sky is None:
            assert (index >= 0).all()
        else:
            assert (index[directions[:, 2] < 0] >= 0).all() and (index < 0).any()


def test_things_stand_before_the_camera(rooms):
    # The prototype of this grammar looked at bare walls: half of a room's view should be things, not the shell.
    shares = []
    for room in rooms[1]:
        camera = np.array([*room.start[:2], room.camera_height])
        turn = room.start[2] + np.linspace(-0.6, 0.6, 60)
        level = np.column_stack([np.cos(turn), np.sin(turn), np.full(60, -0.15)])
        _, t = ray_caster(room.quads, "numpy").cast(camera, level)
        points = camera + t[:, None] * level
        margin = np.minimum(points[:, :2] + room.size[:2] / 2, room.size[:2] / 2 - points[:, :2]).min(axis=1)
        shares.append(np.mean((margin > 0.05) & (points[:, 2] > 0.02)))
    assert np.mean(shares) > 0.25


def test_walks_keep_their_clearance_at_the_smallest_k(rooms):
    domain, drawn = rooms
    rng = np.random.default_rng(0)
    found = 0
    for number, room in enumerate(drawn[:20]):
        caster = ray_caster(room.quads)
        for place in range(2):
            walk = draw_walk(room, caster, PRESET, smallest(domain, room), False, [number, place])
            if walk is None:
                continue
            found += 1
            directions = rng.normal(size=(400, 3))
            directions /= np.linalg.norm(directions, axis=1, keepdims=True)
            for frame in (0, 30, FRAMES - 1):
                _, t = caster.cast(walk.view(frame).position, directions)
                assert t.min() * smallest(domain, room) > 0.17  # half the clearance: straight below is the floor
                side = np.abs(directions[:, 2]) < 0.4
                assert t[side].min() * smallest(domain, room) > 0.3
    assert found > 35


PIECES = {
    piece for table in (AGAINST_WALL, FREE) for kinds in table.values() for some in kinds.values() for piece in some
}


@pytest.mark.parametrize("piece", sorted(PIECES, key=lambda piece: piece.__name__), ids=lambda piece: piece.__name__)
def test_furniture_stands_on_the_floor_about_the_origin_and_is_of_human_size(piece):
    for seed in range(5):
        low, high = bounds(piece(np.random.default_rng(seed)))
        assert -1e-9 <= low[2] <= 0.09
        assert 0.2 < high[2] < 6.5
        assert (high - low)[:2].max() < 5.0 and (high - low)[:2].min() > 0.1
        assert np.abs(low + high)[:2].max() < 1.3  # not far off the middle


def test_a_preset_tells_what_was_changed_in_it_and_refuses_nonsense():
    changed = find_preset("rooms-1,ambiguous=0.6,k=0.7:1.4")
    assert changed.name == "rooms-1,ambiguous=0.6,k=0.7:1.4"
    assert changed.ambiguous == 0.6 and {domain.k for domain in changed.domains} == {(0.7, 1.4)}
    assert draw("offices", 1, find_preset("rooms-1,ambiguous=1")).ambiguous
    for name, reason in {
        "rooms-9": "rooms-1",
        "rooms-1,k=1.6:0.5": "smaller first",
        "rooms-1,k=0.5": "only ambiguous",
        "rooms-1,k=a:b": "no knob",
        "rooms-1,ambiguous=1.5": "between 0 and 1",
        "rooms-1,height=2": "only ambiguous",
        "rooms-1,k=nan:1": "smaller first",
    }.items():
        with pytest.raises(OptionError, match=reason):
            find_preset(name)
    with pytest.raises(OptionError, match=r"'caves'.*offices, historic"):
        find_domain("caves", PRESET)
