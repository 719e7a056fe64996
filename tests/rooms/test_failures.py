"""Where sight fails: one room, one depth, one sound a twin, and pictures that light would make."""

import numpy as np
import pytest
import torch

from avsnet.data.reading import Reading
from avsnet.data.registry import open_data
from avsnet.data.sample import check_sample
from avsnet.errors import OptionError
from avsnet.evaluation.comparisons import twin_differences
from avsnet.evaluation.instances import Cases
from avsnet.rooms.failure_set import FailureSet
from avsnet.rooms.failures import KINDS, TWINS, _blank, _partition, _view, failure
from avsnet.rooms.geometry.raycast import ray_caster
from avsnet.rooms.geometry.scene import join
from avsnet.rooms.geometry.texture import PATTERNS
from avsnet.rooms.simulator import location

SIZE = (48, 64)
ROOMS = (("offices", 900_001), ("offices", 900_004), ("historic", 900_001))


@pytest.mark.parametrize(("domain", "seed"), ROOMS)
@pytest.mark.parametrize("kind", list(TWINS))
def test_a_twin_has_the_same_depth_and_sound_and_another_picture(domain, seed, kind):
    failing, plain = (failure(domain, seed, name, SIZE) for name in (kind, TWINS[kind]))
    assert np.array_equal(failing.depth, plain.depth)
    assert np.array_equal(failing.waveform, plain.waveform) and failing.rig.geometry == plain.rig.geometry
    assert np.abs(failing.rgb.astype(float) - plain.rgb).mean() > 2.0


@pytest.mark.parametrize(("domain", "seed"), ROOMS)
def test_a_partition_is_nearer_than_what_is_behind_it_and_changes_depth_and_sound_nowhere_else(domain, seed):
    plain, panel = failure(domain, seed, "plain", SIZE), failure(domain, seed, "panel", SIZE)
    changed = panel.depth != plain.depth
    assert changed.mean() > 0.05
    assert (panel.depth[changed & (plain.depth > 0)] < plain.depth[changed & (plain.depth > 0)]).all()
    assert not np.array_equal(plain.waveform, panel.waveform)


def test_the_partition_faces_the_camera_so_that_it_is_heard():
    place = location("offices", 900_001, "rooms-1")
    view, _, ahead = _view(place)
    panel = _partition(place, view, ahead)
    assert (np.einsum("qi,qi->q", view.position - panel.corner, panel.normal) > 0.5).all()
    assert panel.normal[0] @ view.axes[2] < -0.9


def test_what_a_mirror_shows_lies_as_far_behind_it_as_it_lies_before_it():
    """A ray that is turned at the pane, against a picture of the room through the mirrored camera."""
    place = location("offices", 900_001, "rooms-1")
    view, _, ahead = _view(place)
    panel = _partition(place, view, ahead)
    caster = ray_caster(join([place.scene.quads, panel]))
    forward = view.axes[2]
    index, way = caster.cast(view.position, forward[None])
    assert index[0] == len(place.scene.quads)
    hit, normal = view.position + way[0] * forward, panel.normal[0]
    turned = forward - 2.0 * (forward @ normal) * normal
    met, beyond = place.caster.cast(hit + 1e-3 * normal, turned[None])
    mirrored = view.position - 2.0 * ((view.position - panel.corner[0]) @ normal) * normal
    along = hit - mirrored
    assert np.allclose(along / np.linalg.norm(along), turned / np.linalg.norm(turned), atol=1e-6)
    assert met[0] >= 0 and beyond[0] > 0.3


def test_the_dark_is_dark_and_smoke_leaves_little_contrast():
    pictures = {kind: failure("offices", 900_007, kind, SIZE).rgb.astype(float) for kind in KINDS}
    assert pictures["dark"].mean() < 0.1 * pictures["plain"].mean()
    assert pictures["smoke"].std() < 0.35 * pictures["plain"].std()


def test_walls_floors_and_ceilings_of_a_blank_room_have_one_colour_and_no_pattern():
    place = location("offices", 900_007, "rooms-1")
    quads = _blank(place).quads
    large = quads.area > 2.0
    glowing = np.isin(quads.pattern, [PATTERNS.index(name) for name in ("lamp", "window")])
    bare = quads.take(np.flatnonzero(large & ~glowing).tolist())
    assert len(bare) > 5 and set(bare.pattern) == {PATTERNS.index("plain")}
    assert np.ptp(bare.colour) == 0.0 and not bare.roughness.any()
    assert len(set(place.scene.quads.pattern[large])) > 1


def test_glass_shows_what_is_behind_it():
    plain, panel, glass = (failure("offices", 900_001, kind, SIZE) for kind in ("plain", "panel", "glass"))
    pane = panel.depth != plain.depth
    through = np.abs(glass.rgb.astype(float) - plain.rgb)[pane].mean()
    opaque = np.abs(panel.rgb.astype(float) - plain.rgb)[pane].mean()
    assert through < 0.4 * opaque


def test_the_set_is_read_by_name_and_repeats():
    opened = open_data("failures:offices:900001-900002", Reading(size=SIZE))
    assert opened.cap == 12.0 and len(opened.data) == 2 * len(KINDS)
    sample = opened.data[1]
    check_sample(sample)
    again = FailureSet("offices", range(900_001, 900_003), size=SIZE)[1]
    assert torch.equal(sample["image"], again["image"]) and torch.equal(sample["waveform"], again["waveform"])
    case = Cases(opened.data, "failures", opened.cap)[1]
    assert (case.subset, case.group) == ("dark", "offices/0900001") and case.rig == sample["rig"]
    with pytest.raises(OptionError, match="wanted failures:DOMAIN:FIRST-LAST"):
        open_data("failures:offices")


def test_a_shuffled_echo_is_of_another_room_by_the_same_rig_and_everybodys_is_used_once():
    data = FailureSet("offices", range(900_001, 900_004), size=SIZE)
    other = Cases(data, "failures", data.cap).other
    assert sorted(other) == list(range(len(data)))
    assert all(data.scenes[place] != data.scenes[index] for index, place in enumerate(other))
    one, another = (failure("offices", seed, "plain", SIZE).rig.geometry for seed in (900_001, 900_004))
    assert one == another


def test_errors_where_sight_fails_are_compared_with_those_of_the_same_rooms():
    rows = []
    for room in range(8):
        for kind, error in (("panel", 0.1 + 0.01 * room), ("glass", 0.3 + 0.01 * room), ("plain", 0.2)):
            keys = {"data": "toys", "system": "net", "scaling": "none", "id": f"offices/{room}/{kind}"}
            rows.append(
                keys | {"subset": kind, "group": str(room), "abs_rel": str(error), "delta1": "", "scale_error": ""}
            )
    (line,) = twin_differences(rows)
    assert (line["subset"], line["twin"], line["images"], line["verdict"]) == ("glass", "panel", "8", "higher")
    assert float(line["difference"]) == pytest.approx(0.2)
    assert float(line["relative"]) == pytest.approx(0.2 / 0.135, rel=1e-4)
