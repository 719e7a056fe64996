"""Scale and contrast by ear: a prior where nothing is heard, a sum over contrasts where something is."""

import numpy as np
import pytest
import torch

from avsnet import cli
from avsnet.audio.recording import Heard, listen
from avsnet.audio.rig import Rig
from avsnet.errors import DepthError, EchoError
from avsnet.io.recordings import Recording
from avsnet.models.info import ModelInfo
from avsnet.scale.ear import posterior_from_ear
from avsnet.scale.ear_network import EarNetwork
from avsnet.scale.ear_shape import CONTRASTS, SPREAD, scale_and_contrast, shape_from_ear
from avsnet.scale.finer import bend
from avsnet.scale.own import OwnScale
from avsnet.scale.scene import Scene
from closed_form.echo import echo
from closed_form.furnished import furnished_room
from closed_form.render import render

RIG = Rig(origin="known")
OWN = OwnScale(bias=np.log(1.5))


@pytest.fixture(scope="module")
def room():
    """Depth, intrinsics and recording of a furnished room."""
    scene = furnished_room("historic", 2)
    _, depth, camera = render(scene, 96, 128)
    return depth.astype(np.float64), camera, echo(scene, RIG, seed=2)


def network(level):
    """An ear that finds every scale and contrast alike, by a level of log likelihood."""
    torch.manual_seed(0)
    found = EarNetwork()
    torch.nn.init.zeros_(found.head[-1][-1].weight)
    torch.nn.init.constant_(found.head[-1][-1].bias, level)
    return found.eval()


def scene_of(room, kind="relative_depth", *, heard=True):
    depth, camera, recorded = room
    sound = recorded if heard else np.zeros((2, 8000))
    return Scene(
        depth, ModelInfo("net", kind, "MIT", "MIT", "this test"), camera, Heard(Recording(sound, 44_100), RIG).echo
    )


@pytest.mark.parametrize("level", [-12.0, 0.0])
def test_an_echo_that_fits_nothing_or_all_alike_leaves_the_prior_of_contrast(room, level):
    depth, camera, recorded = room
    found = shape_from_ear(depth, depth > 0.0, camera, listen(recorded, 44_100, RIG), network=network(level))
    prior = np.exp(-0.5 * (np.log(CONTRASTS) / SPREAD) ** 2)
    np.testing.assert_allclose(found.probability, prior / prior.sum(), atol=1e-4)
    assert found.contrast == pytest.approx(1.0, abs=0.02)


def test_fed_echoes_of_other_rooms_the_contrast_stays_near_its_prior(room):
    depth, camera, _ = room
    found = []
    for seed in range(3, 9):
        sound = listen(echo(furnished_room("historic", seed), RIG, seed=seed), 44_100, RIG)
        found.append(np.log(shape_from_ear(depth, depth > 0.0, camera, sound).contrast))
    assert abs(np.mean(found)) < SPREAD / 2.0 and np.abs(found).max() < SPREAD


def test_the_posterior_is_the_sum_over_bent_maps_heard_one_by_one(room):
    depth, camera, recorded = room
    sound, middle = listen(recorded, 44_100, RIG), float(np.median(depth))
    slow, evidence = 0.0, []
    for contrast in CONTRASTS:
        one = posterior_from_ear(bend(depth, 1.0, contrast, middle), depth > 0.0, camera, sound)
        mass = np.exp(-0.5 * (np.log(contrast) / SPREAD) ** 2) / (1.0 - one.belongs)
        slow, evidence = slow + mass * one.posterior.probability, [*evidence, mass]
    found = shape_from_ear(depth, depth > 0.0, camera, sound)
    np.testing.assert_allclose(found.scale.posterior.probability, slow / np.sum(slow), atol=1e-9)
    np.testing.assert_allclose(found.probability, evidence / np.sum(evidence), atol=1e-9)


def test_a_map_times_two_has_half_the_scale_and_the_same_contrast(room):
    depth, camera, recorded = room
    sound = listen(recorded, 44_100, RIG)
    one, two = (shape_from_ear(times * depth, depth > 0.0, camera, sound) for times in (1.0, 2.0))
    assert two.contrast == pytest.approx(one.contrast, rel=1e-3)
    assert two.scale.scale == pytest.approx(one.scale.scale / 2.0, rel=1e-3)


def test_the_source_says_scale_and_contrast_and_the_map_is_bent_by_them(room):
    scene = scene_of(room)
    found = scale_and_contrast(scene, OwnScale())
    scaled = found.scaled
    assert scaled.space == "log depth" and scaled.method == "log_affine" and "with contrast" in found.origin
    middle = float(np.median(scene.depth))
    assert np.allclose(scaled.depth, bend(scene.depth, scaled.scale, scaled.contrast, middle), rtol=1e-4)


def test_without_an_echo_a_metric_model_keeps_its_metres_and_another_is_refused(room):
    kept = scale_and_contrast(scene_of(room, "metric_depth", heard=False), OWN)
    assert kept.scaled.scale == pytest.approx(1.5, rel=0.01) and "the echo was not used" in kept.warnings[0]
    with pytest.raises(EchoError, match="silent"):
        scale_and_contrast(scene_of(room, heard=False), OWN)
    with pytest.raises(DepthError, match="all unknown"):
        shape_from_ear(np.zeros((9, 9)), np.zeros((9, 9), bool), room[1], listen(room[2], 44_100, RIG))


def test_the_command_line_takes_the_contrast_by_ear_and_no_other_rule(room, tmp_path, capsys):
    import soundfile

    np.save(tmp_path / "map.npy", room[0])
    soundfile.write(tmp_path / "room.wav", room[2].T, 44_100, subtype="PCM_24")
    words = ["scale", str(tmp_path / "map.npy"), "--kind", "relative_depth", "--echo", str(tmp_path / "room.wav")]
    words += ["--scale-from", "ear", "--out", str(tmp_path / "out"), "--method"]
    assert cli.main([*words, "log_affine"]) == 0
    assert "ear by log_affine with contrast" in capsys.readouterr().out
    assert cli.main([*words, "grid"]) == 2
    assert "log_affine it takes" in capsys.readouterr().err
