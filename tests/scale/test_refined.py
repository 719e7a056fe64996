"""Shape by a rule from an AVS-Net's map, scale by ear: what each has a say in, and what is left without an echo."""

from dataclasses import replace

import numpy as np
import pytest

from avsnet.audio.recording import Heard
from avsnet.audio.rig import Rig
from avsnet.errors import DepthError
from avsnet.evaluation.run import evaluate
from avsnet.evaluation.trials import Scaling, System, Trial
from avsnet.io.recordings import Recording
from avsnet.models import packaged
from avsnet.models.info import ModelInfo
from avsnet.scale.own import OwnScale
from avsnet.scale.reference import NETWORK_ERROR
from avsnet.scale.refined import refined
from avsnet.scale.rules import METHODS, FinerRule, scale_depth
from avsnet.scale.scene import Scene
from avsnet.scale.sources import HEARD, automatic, choose, everything
from closed_form.echo import echo
from closed_form.furnished import furnished_room
from closed_form.render import render

RIG = Rig(origin="known")
WRONG_ROOMS = range(3, 9)


def net(kind="relative_depth"):
    return ModelInfo("net", kind, "MIT", "MIT", "this test")


def scene_of(kind="relative_depth", *, heard=True, metres=1.3, method="log_affine"):
    """A room's map at a third of its size and contrast 0.6, and a network that sees it 30 % too far."""
    room = furnished_room("historic", 2)
    _, truth, camera = render(room, 96, 128)
    recorded = echo(room, RIG, seed=2) if heard else np.zeros((2, 8000))
    values = (truth / 3.0) ** 0.6
    sound = Heard(Recording(recorded, 44_100), RIG).echo
    scene = Scene(values, net(kind), camera, sound, lambda name: metres * truth, method)
    return scene, truth


def test_the_shape_is_the_rules_and_the_scale_the_ears():
    scene, truth = scene_of()
    found = refined(scene, packaged.AV, OwnScale())
    shape = scale_depth(scene.values, 1.3 * truth, kind="relative_depth", method="log_affine")
    ratio = found.scaled.depth / shape.depth
    assert np.ptp(ratio) < 1e-4 * ratio.mean()
    assert found.scaled.scale == pytest.approx(ratio.mean() * shape.scale, rel=1e-3)
    assert found.scaled.contrast == pytest.approx(1.0 / 0.6, rel=0.01)
    assert np.abs(np.log(np.median(found.scaled.depth) / np.median(truth))) < np.log(1.3)
    low, high = found.posterior.interval(0.9)
    assert low < found.scaled.scale < high
    assert found.origin == f"ear and {packaged.AV} by log_affine with contrast 1.67"


@pytest.mark.parametrize("apart", [1.0, 1e5])
def test_own_metres_and_the_networks_are_weighed_however_far_apart_they_lie(apart):
    """With equal spreads the middle in log: as the product of both, where they have a scale in common."""
    scene, truth = scene_of("metric_depth", heard=False, metres=apart)
    found = refined(scene, packaged.AV, OwnScale(spread=NETWORK_ERROR))
    own, sight = np.median(scene.values), np.median(apart * truth)
    assert np.median(found.scaled.depth) == pytest.approx(np.sqrt(own * sight), rel=0.02)


def test_without_an_echo_to_hear_the_networks_metres_stay():
    scene, truth = scene_of(heard=False)
    found = refined(scene, packaged.AV, OwnScale())
    assert float(np.median(found.scaled.depth) / np.median(truth)) == pytest.approx(1.3, rel=0.01)
    assert "the echo was not used" in found.warnings[-1]


def test_a_metric_models_metres_and_the_networks_meet_by_their_spreads():
    scene, truth = scene_of("metric_depth", heard=False)
    own, middle = np.median(scene.depth), np.median(truth)
    sure, unsure = (
        np.median(refined(scene, packaged.AV, OwnScale(spread=spread)).scaled.depth) for spread in (0.01, 9.0)
    )
    assert sure == pytest.approx(own, rel=0.01) and unsure == pytest.approx(1.3 * middle, rel=0.02)


@pytest.mark.parametrize("method", [name for name, rule in METHODS.items() if isinstance(rule, FinerRule)])
def test_fed_the_echo_of_another_room_every_rule_keeps_its_shape_and_nearly_what_was_known_of_its_scale(method):
    scene, truth = scene_of(method=method)
    known = scale_depth(scene.values, 1.3 * truth, kind="relative_depth", method=method)
    factors = []
    for seed in WRONG_ROOMS:
        sound = Heard(Recording(echo(furnished_room("historic", seed), RIG, seed=seed), 44_100), RIG).echo
        found = refined(replace(scene, echo=sound), packaged.AV, OwnScale())
        ratio = found.scaled.depth / known.depth
        assert np.ptp(ratio) < 1e-4 * ratio.mean()
        factors.append(abs(np.log(ratio.mean())))
    assert max(factors) < NETWORK_ERROR and np.mean(factors) < 0.5 * NETWORK_ERROR


def test_a_map_without_a_pixel_is_refused():
    scene, _ = scene_of()
    with pytest.raises(DepthError):
        refined(replace(scene, values=np.zeros((96, 128))), "x", OwnScale())


def test_auto_takes_a_finer_method_with_an_echo_and_asks_the_network_alone_without():
    info = net()
    assert choose("auto", info, has_echo=True, method="grid").source is HEARD
    assert automatic(info, False, "grid").network == packaged.V
    scene, _ = scene_of(method="grid")
    assert "by grid" in everything(scene).origin


@pytest.mark.parametrize(("text", "status"), [("grid:toy_av+ear", "ok"), ("log_affine:ear", "failed")])
def test_a_rule_with_the_ear_is_a_row_of_scores_also_where_nothing_is_heard(models, cases, tmp_path, text, status):
    """In the toys' recordings nothing decays: the network's metres stay, and the ear alone has no answer."""
    rows = evaluate([Trial(System("toy_shape"), Scaling.parse(text))], cases, tmp_path).rows
    assert {row["scaling"] for row in rows} == {text}
    assert {row["status"] for row in rows} == {status}
