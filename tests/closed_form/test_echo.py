"""The echo of a room against image sources written out by hand, mirror symmetry, and what energy must do."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from avsnet.audio.chirp import SAMPLE_RATE, matched_filter, sweep
from avsnet.audio.direct_sound import direct_sound
from avsnet.audio.rig import Rig
from avsnet.rooms.geometry.scene import look_along
from closed_form.echo import echo, first_order, impulse_response, second_order
from closed_form.furnished import furnished_room
from closed_form.raycast import cast
from closed_form.scene import Quads, Room, box, join, shell

RIG = Rig(origin="known")
POINT = Rig(speaker=(0.0, 0.0, 0.0), ears=((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)))
SIZE = np.array([6.0, 4.6, 2.9])
CAMERA = np.array([-0.7, 0.35, 1.3])
START = 0.0068
TAPS = 8 * SAMPLE_RATE  # hertz of an impulse response
WOOD = np.full(4, 0.2)


class Still:
    """A random generator without chance: no tail, no body, no noise, the rig's middle band."""

    def normal(self, *args, size=None):
        return np.zeros(size) if size is not None else 0.0

    def uniform(self, low, high, size):
        return np.zeros(size)


def empty_room(absorption=0.1, *, size=SIZE, camera=CAMERA, yaw=0.2, furniture=()):
    """`absorption` is one for all walls or one for each of floor, ceiling, -x, +x, -y, +y."""
    paints = np.full((6, 4), 0.5)
    paints[:, 3] = absorption
    return Room(join([shell(size, paints), *furniture]), size, camera, look_along(yaw, -0.05), 70.0, 0)


def ends(room, rig=RIG):
    return room.to_world(np.array(rig.speaker)), room.to_world(np.array(rig.ears))


def taps(room, rig=RIG, duration=0.1):
    return impulse_response(room, rig, duration, Still())


def reflected(room, rig=RIG, duration=0.1):
    """The response without the direct sound."""
    response = taps(room, rig, duration)
    for ear in range(2):
        response[ear, round(rig.direct_paths[ear] / rig.speed_of_sound * TAPS)] = 0.0
    return response


def images(size, source, order):
    """Image sources of a shoebox of one order, from the lattice: per axis i L + x, or i L + (L - x) where i is odd."""
    low = np.array([-size[0] / 2, -size[1] / 2, 0.0])
    found = []
    for cell in product(range(-order, order + 1), repeat=3):
        if sum(map(abs, cell)) == order:
            inside = [side - x if i % 2 else x for i, side, x in zip(cell, size, source - low, strict=True)]
            found.append(low + np.array(cell) * size + inside)
    return np.array(found)


def lattice_lengths(size, speaker, ear, order):
    return np.sort(np.linalg.norm(images(size, speaker, order) - ear, axis=1))


def mirrored(room):
    """The room and its camera seen in a mirror that swaps left and right."""
    flip = np.array([1.0, -1.0, 1.0])
    quads = room.quads
    swapped = Quads(quads.corner * flip, quads.v * flip, quads.u * flip, quads.colour, quads.absorption)
    axes = room.axes * flip * np.array([[-1.0], [1.0], [1.0]])  # its right is the old left
    return replace(room, quads=swapped, camera=room.camera * flip, axes=axes)


@pytest.mark.parametrize("reach", [0.05, 0.1, 0.4])
def test_the_first_arrival_is_the_direct_distance_over_the_speed_of_sound(reach):
    rig = RIG.with_speaker_distance(reach)
    response = taps(empty_room(), rig)
    first = np.argmax(response != 0.0, axis=1) / TAPS
    np.testing.assert_allclose(first, rig.direct_paths / 343.0, atol=0.5 / TAPS)


def test_sound_of_another_speed_arrives_at_other_times():
    slow, fast = (np.argmax(reflected(empty_room(), replace(RIG, speed_of_sound=c)) != 0, axis=1) for c in (320, 360))
    np.testing.assert_allclose(slow * 320.0, fast * 360.0, rtol=1e-3)


def test_a_recording_starts_to_speak_when_the_direct_sound_is_there():
    for seed, start in ((0, START), (1, 0.0221)):
        waveform = echo(empty_room(), RIG, seed=seed, start=start)
        expected = (start + RIG.direct_paths.min() / 343.0) * SAMPLE_RATE
        assert direct_sound(waveform) == pytest.approx(expected, abs=2.0)  # the rig's response delays by about one


@pytest.mark.parametrize("wall", range(6))
def test_a_walls_echo_is_heard_within_a_sample_of_its_image_source(wall):
    absorption = np.ones(6)
    absorption[wall] = 0.02  # every other wall is an open window
    room = empty_room(absorption)
    speaker, ears = ends(room)
    axis, place = [(2, 0.0), (2, 2.9), (0, -3.0), (0, 3.0), (1, -2.3), (1, 2.3)][wall]
    image = speaker.copy()
    image[axis] = 2 * place - speaker[axis]
    # The tail is drawn anew for each recording, and fades in their mean.
    waveform = np.mean([echo(room, RIG, seed=seed, start=START, duration=0.1) for seed in range(40)], axis=0)
    envelope = np.abs(matched_filter(waveform, sweep()))
    for ear in range(2):
        direct = np.argmax(envelope[ear])
        path = np.linalg.norm(image - ears[ear])
        delay = (path - RIG.direct_paths[ear]) / 343.0 * SAMPLE_RATE
        after = round(0.0015 * SAMPLE_RATE)  # the rig's own body has answered by then
        heard = after + np.argmax(envelope[ear, direct + after :])
        assert heard == pytest.approx(delay, abs=1.0)


def test_first_order_paths_of_an_empty_room_are_the_six_images_of_the_lattice():
    speaker, ears = ends(empty_room())
    for ear in ears:
        index, _, length = first_order(empty_room().quads, speaker, ear)
        assert index.tolist() == [0, 1, 2, 3, 4, 5]
        np.testing.assert_allclose(np.sort(length), lattice_lengths(SIZE, speaker, ear, 1), rtol=1e-12)


@pytest.mark.parametrize("size", [(6.0, 4.6, 2.9), (25.0, 1.8, 2.5), (9.0, 14.0, 7.0)])
def test_second_order_paths_of_an_empty_room_are_the_eighteen_images_of_the_lattice(size):
    room = empty_room(size=np.array(size), camera=np.array([-0.31 * size[0], 0.17 * size[1], 1.1]))
    speaker, ears = ends(room)
    for ear in ears:
        pair, _, length = second_order(room.quads, speaker, ear)
        assert len(pair) == 18
        np.testing.assert_allclose(np.sort(length), lattice_lengths(room.size, speaker, ear, 2), rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2])
def test_pyroomacoustics_finds_the_same_image_sources(order):
    pra = pytest.importorskip("pyroomacoustics", reason="pyroomacoustics is not installed")
    room = empty_room()
    speaker, ears = ends(room)
    low = np.array([-SIZE[0] / 2, -SIZE[1] / 2, 0.0])
    oracle = pra.ShoeBox(SIZE, fs=SAMPLE_RATE, materials=pra.Material(0.1), max_order=2, air_absorption=False)
    oracle.add_source(speaker - low)
    oracle.add_microphone_array((ears - low).T)
    oracle.image_source_model()
    source = oracle.sources[0]
    theirs = source.images[:, source.orders == order].T + low
    for ear in ears:
        ours = (first_order if order == 1 else second_order)(room.quads, speaker, ear)[-1]
        np.testing.assert_allclose(np.sort(ours), np.sort(np.linalg.norm(theirs - ear, axis=1)), rtol=1e-5)


def sees(quads, start, end):
    """The rectangle that a ray from `start` meets first on its way to `end`, -1 if it gets there."""
    index, t = cast(quads, start, (end - start)[None])
    return index[0] if t[0] < 1 - 1e-9 else -1


def scattered_pairs(room, count, seed):
    """Places for a speaker and an ear anywhere in the room: one leg of a path may be blocked and not another."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-0.45, 0.45, (count, 2, 3)) * room.size + [0.0, 0.0, room.size[2] / 2]


def test_first_order_paths_of_a_furnished_room_are_those_that_rays_find():
    # Slow and other way round: the ear is mirrored too, and from both ends the rectangle must be the first thing met.
    found = 0
    for domain, seed in (("offices", 8), ("historic", 15)):
        room = furnished_room(domain, seed)
        quads = room.quads
        for speaker, ear in [(ends(room)[0], ends(room)[1][0]), *scattered_pairs(room, 8, seed)]:
            seen = []
            for number, (corner, normal) in enumerate(zip(quads.corner, quads.normal, strict=True)):
                if min(np.dot(end - corner, normal) for end in (speaker, ear)) <= 0:
                    continue
                images = (end - 2 * np.dot(end - corner, normal) * normal for end in (ear, speaker))
                met = [sees(quads, end, image) for end, image in zip((speaker, ear), images, strict=True)]
                seen += [number] if met == [number, number] else []
            assert first_order(quads, speaker, ear)[0].tolist() == seen
            found += sum(number >= 6 for number in seen)
    assert found >= 4  # furniture was heard too


def test_second_order_paths_of_a_furnished_room_are_those_that_rays_find():
    room = furnished_room("offices", 12)
    quads, found = room.quads, 0
    large = np.flatnonzero(quads.area > 1.0)
    mirror = {n: lambda p, n=n: p - 2 * np.dot(p - quads.corner[n], quads.normal[n]) * quads.normal[n] for n in large}
    for speaker, ear in scattered_pairs(room, 6, 0):
        seen = []
        for first, second in product(large, large):
            image = mirror[first](speaker)
            before = np.dot(speaker - quads.corner[first], quads.normal[first])
            behind = np.dot(ear - quads.corner[second], quads.normal[second])
            if first == second or before <= 0 or behind <= 0:
                continue
            # From the ear back: to the second rectangle, off it to the first, off that to the speaker.
            index, t = cast(quads, ear, (mirror[second](image) - ear)[None])
            if index[0] != second or t[0] >= 1:
                continue
            stop2 = ear + t[0] * (mirror[second](image) - ear) + 1e-9 * quads.normal[second]
            index, t = cast(quads, stop2, (image - stop2)[None])
            if index[0] != first or t[0] >= 1 or np.dot(stop2 - quads.corner[first], quads.normal[first]) <= 0:
                continue
            stop1 = stop2 + t[0] * (image - stop2) + 1e-9 * quads.normal[first]
            seen += [(first, second)] if sees(quads, stop1, speaker) == -1 else []
        assert list(map(tuple, second_order(quads, speaker, ear)[0].tolist())) == seen
        found += len(seen)
    assert 20 < found < 6 * 18  # an empty room has eighteen each


def test_a_rectangle_mirrors_on_its_front_only_and_only_what_falls_on_it():
    sheet = Quads(*(np.array([row]) for row in ([-1.0, -1, 0], [2.0, 0, 0], [0.0, 2, 0], [1.0, 1, 1])), np.zeros(1))
    above, below = np.array([0.2, 0.1, 1.0]), np.array([0.3, 0.1, -1.0])
    assert first_order(sheet, above, above + [0.1, 0.0, 0.5])[0].tolist() == [0]
    assert first_order(sheet, below, below - [0.1, 0.0, 0.5])[0].tolist() == []
    assert first_order(sheet, above, below)[0].tolist() == first_order(sheet, below, above)[0].tolist() == []
    beside = np.array([1.5, 0.0, 0.0])
    assert first_order(sheet, above + beside, above + beside)[0].tolist() == []


def test_every_path_of_a_furnished_room_is_as_long_as_its_legs_and_leaves_as_it_came():
    found = 0
    for seed in range(4):
        room = furnished_room("historic", seed)
        speaker, (ear, _) = ends(room)
        index, point, length = first_order(room.quads, speaker, ear)
        pair, points, length2 = second_order(room.quads, speaker, ear)
        for walls, stops, total in zip(
            [*index[:, None], *pair], [*point[:, None], *points], [*length, *length2], strict=True
        ):
            way = np.array([speaker, *stops, ear])
            legs = np.diff(way, axis=0)
            lengths = np.linalg.norm(legs, axis=1)
            assert lengths.sum() == pytest.approx(total, rel=1e-9)
            legs /= lengths[:, None]
            for wall, arriving, leaving in zip(walls, legs, legs[1:], strict=False):
                normal = room.quads.normal[wall]
                np.testing.assert_allclose(leaving, arriving - 2 * np.dot(arriving, normal) * normal, atol=1e-7)
            found += 1
    assert found > 40


def test_a_room_twice_as_large_has_paths_twice_as_long():
    crate = box((1.5, -0.8), (1.6, 1.5, 1.4), 0.01, 0.3, WOOD)
    lengths = []
    for factor in (1.0, 2.0):
        room = empty_room(furniture=[crate])
        quads = replace(room.quads, **{key: factor * getattr(room.quads, key) for key in ("corner", "u", "v")})
        room = replace(room, quads=quads, size=factor * room.size, camera=factor * room.camera)
        speaker, ears = ends(room, POINT)
        np.testing.assert_array_equal(speaker, room.camera)
        lengths.append([path(quads, speaker, ears[0])[-1] for path in (first_order, second_order)])
    for once, twice in zip(*lengths, strict=True):
        assert len(once) >= 6
        np.testing.assert_allclose(twice, 2 * once, rtol=1e-9)


def test_a_box_between_removes_the_walls_path_and_puts_its_own_in_its_place():
    room = empty_room(yaw=0.0)
    speaker, ears = ends(room)
    cupboard = box((1.5, 0.35), (0.5, 1.2, 2.0), 0.3, 0.0, WOOD)  # 1.95 m ahead, in the way to the end wall
    behind = empty_room(yaw=0.0, furniture=[cupboard])
    aside = empty_room(yaw=0.0, furniture=[box((1.5, -1.5), (0.5, 1.2, 2.0), 0.3, 0.0, WOOD)])
    for ear in ears:
        assert 3 in first_order(room.quads, speaker, ear)[0]
        assert 3 in first_order(aside.quads, speaker, ear)[0]
        index, point, length = first_order(behind.quads, speaker, ear)
        assert 3 not in index
        front = 6 + 2  # the cupboard's face towards -x
        assert point[index == front][0, 0] == pytest.approx(1.25)
        to_front = 2 * 1.25 - speaker[0] - ear[0]
        across = np.linalg.norm((speaker - ear)[1:])
        assert length[index == front][0] == pytest.approx(np.hypot(to_front, across))
        # Nor does the wall behind it serve in a path of two reflections that would pass the cupboard.
        pairs, points, _ = second_order(behind.quads, speaker, ear)
        for stop in points[pairs == 3]:
            assert abs(stop[1] - 0.35) > 0.6 or abs(stop[2] - 1.3) > 1.0


def test_rectangles_under_a_square_metre_take_no_part_in_second_order_paths():
    room = empty_room(furniture=[box((1.5, 0.35), (0.5, 0.9, 0.9), 0.9, 0.0, WOOD)])
    speaker, ears = ends(room)
    assert 8 in first_order(room.quads, speaker, ears[0])[0]
    assert second_order(room.quads, speaker, ears[0])[0].max() < 6


def test_a_mirrored_room_swaps_the_ears():
    lopsided = Rig(speaker=(0.15, 0.1, 0.02), ears=((-0.1, 0.05, -0.04), (0.14, 0.0, -0.01)))
    flip = np.array([-1.0, 1.0, 1.0])
    left, right = (tuple(flip * ear) for ear in lopsided.ears)
    other = Rig(speaker=tuple(flip * lopsided.speaker), ears=(right, left))
    for room in (empty_room(yaw=0.4), furnished_room("offices", 11)):
        np.testing.assert_allclose(mirrored(room).quads.normal, room.quads.normal * [1, -1, 1], atol=1e-12)
        assert np.linalg.det(mirrored(room).axes) == pytest.approx(1.0)
        ours, theirs = taps(room, lopsided), taps(mirrored(room), other)
        np.testing.assert_allclose(theirs, ours[::-1], atol=1e-9)
        assert np.abs(theirs - ours).max() > 0.01  # the room is not its own mirror image


def test_a_wall_to_the_left_reaches_the_left_ear_first_and_louder():
    absorption = np.ones(6)
    absorption[5] = 0.05  # +y: left of a camera that looks along +x
    response = reflected(empty_room(absorption, yaw=0.0))
    left, right = np.argmax(response, axis=1)
    assert left < right
    assert response[0].max() > 1.5 * response[1].max()  # the head shades: far more than the longer path takes


def test_more_absorption_leaves_less_energy():
    specular = [np.sum(reflected(empty_room(a)) ** 2) for a in (0.0, 0.05, 0.2, 0.5, 0.9, 1.0)]
    assert (np.diff(specular) < 0).all()
    assert specular[-1] == 0.0
    whole = []
    for absorption in (0.02, 0.1, 0.3, 0.8):  # with the tail, as recorded: energy 4 ms after the direct sound and later
        waveform = echo(empty_room(absorption), RIG, seed=3)
        late = direct_sound(waveform) + round(0.004 * SAMPLE_RATE)
        whole.append(np.sum(waveform[:, late:] ** 2) / np.sum(waveform**2))
    assert (np.diff(whole) < 0).all()


def test_one_reflection_keeps_one_minus_the_absorption_of_its_energy():
    absorption = np.ones(6)
    absorption[3] = 0.0
    mirror = reflected(empty_room(absorption))
    absorption[3] = 0.36
    np.testing.assert_allclose(reflected(empty_room(absorption)), 0.8 * mirror, rtol=1e-12)
    assert np.count_nonzero(mirror) == 2


def test_the_echo_of_a_large_wall_falls_as_one_over_the_path():
    levels = []
    for distance in (1.0, 2.0, 4.0):
        size, absorption = np.array([20.0, 20.0, 20.0]), np.array([1, 1, 1, 0, 1, 1])
        room = empty_room(absorption, size=size, camera=np.array([10.0 - distance, 0.0, 10.0]), yaw=0.0)
        room = replace(room, axes=look_along(0.0, 0.0))
        levels.append(reflected(room, POINT).max() * 2 * distance)
    np.testing.assert_allclose(levels, levels[0], rtol=1e-9)
    # Speaker and ears favour ahead, the ears by 0.6 as a cosine: 1 and 0.5 + 0.25 (1 + 0.6).
    assert levels[0] == pytest.approx(0.9)


def test_a_small_plates_echo_grows_with_its_area_until_it_is_a_mirror():
    def level(width):
        plate = box((1.8, 0.35), (0.02, width, width), 1.3 - width / 2, 0.0, np.zeros(4))
        room = replace(empty_room(1.0, furniture=[plate]), axes=look_along(0.0, 0.0))
        return reflected(room, POINT).max()

    np.testing.assert_allclose([level(0.1) / level(0.05), level(0.14) / level(0.1)], [4.0, 1.96], rtol=1e-6)
    assert level(1.0) == level(2.0) == pytest.approx(0.9 / (2 * 2.49))


def test_the_tail_decays_by_60_db_in_sabines_time():
    room = empty_room(0.15)
    rng = np.random.default_rng(0)
    tail = impulse_response(room, RIG, 0.4, rng) - taps(room, duration=0.4)
    step = round(0.01 * TAPS)
    energy = np.sum(tail[:, : 40 * step].reshape(2, 40, step) ** 2, axis=(0, 2))[2:]
    per_second = np.polyfit(np.arange(len(energy)) * 0.01, 10 * np.log10(energy), 1)[0]
    area = 2 * (6.0 * 4.6 + 6.0 * 2.9 + 4.6 * 2.9)
    sabine = 0.161 * 6.0 * 4.6 * 2.9 / ((0.15 + 0.1) * area)  # 0.1: clutter
    assert -60 / per_second == pytest.approx(sabine, rel=0.03)


def test_before_the_sweep_there_is_only_noise_of_the_level_asked_for():
    for noise_db in (-45.0, -30.0):
        waveform = echo(empty_room(), RIG, seed=0, start=0.1, noise_db=noise_db)
        noise = waveform[:, : round(0.1 * SAMPLE_RATE)]
        assert 20 * np.log10(noise.std() / 0.5) == pytest.approx(noise_db, abs=0.3)


def test_a_recording_has_two_ears_its_length_and_a_peak_of_one_half():
    waveform = echo(furnished_room("offices", 2), RIG, seed=2, duration=0.2, noise_db=-60.0)
    assert waveform.shape == (2, round(0.2 * SAMPLE_RATE)) and waveform.dtype == np.float32
    assert np.abs(waveform).max() == pytest.approx(0.5, abs=0.003)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_recording():
    room = furnished_room("offices", 3)
    one, again, other = (echo(room, RIG, seed=seed) for seed in (4, 4, 5))
    assert one.tobytes() == again.tobytes()
    assert one.tobytes() != other.tobytes()


def test_another_seed_leaves_the_geometry_alone():
    room = empty_room()
    one, other = (impulse_response(room, RIG, 0.05, np.random.default_rng(seed)) for seed in (0, 1))
    body = round((RIG.direct_paths.max() / 343.0 + 0.001) * TAPS)  # chance has its part up to here ...
    free_path = 4 * np.prod(SIZE) / room.quads.area.sum()
    tail = round(free_path / 343.0 * TAPS)  # ... and from here on
    np.testing.assert_array_equal(one[:, body:tail], other[:, body:tail])
    assert np.count_nonzero(one[:, body:tail]) >= 2  # the floor is heard
    assert np.count_nonzero(one[:, tail + 1 :] == other[:, tail + 1 :]) == 0
