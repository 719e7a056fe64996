"""One table decides where the metres come from: what is in it reaches every place that needs a scale."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
from PIL import Image

from avsnet import cli
from avsnet.audio.recording import Heard
from avsnet.audio.rig import Rig
from avsnet.errors import EchoError, OptionError
from avsnet.evaluation.instances import Cases
from avsnet.evaluation.run import evaluate
from avsnet.evaluation.trials import Scaling, System, Trial
from avsnet.io.recordings import Recording
from avsnet.models import packaged
from avsnet.models.info import ModelInfo
from avsnet.reproduce.run import reproduce
from avsnet.reproduce.table_rows import Cast
from avsnet.scale.posterior import ScalePosterior
from avsnet.scale.rules import ScaledDepth
from avsnet.scale.scene import Found, Scene
from avsnet.scale.sources import NETWORK, SOURCES, Source, automatic, choose, ear, everything
from closed_form.echo import echo
from closed_form.furnished import furnished_room
from closed_form.render import render

RIG = Rig(origin="known")


def two_metres(scene, _):
    """A toy: whoever hears a chirp is told that the median depth is 2 m."""
    assert scene.echo().direct > 0
    scale = 2.0 / float(np.median(scene.depth[scene.depth > 0.0]))
    scaled = ScaledDepth(scene.depth * np.float32(scale), scale, 0.0, "two_metres")
    return Found(scaled, "two_metres", ScalePosterior.normal(scale, 0.05))


@pytest.fixture
def toy(monkeypatch):
    """The toy as a source: one function and one entry."""
    source = Source(two_metres, "two_metres", "by a toy", needs_echo=True)
    monkeypatch.setitem(SOURCES, "two_metres", source)


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A folder with a room's picture, echo and map."""
    folder = tmp_path_factory.mktemp("room")
    scene = furnished_room("historic", 2)
    image, truth, _ = render(scene, 96, 128)
    Image.fromarray(image).save(folder / "room.png")
    soundfile.write(folder / "room.wav", echo(scene, Rig(), seed=2).T, 44_100, subtype="PCM_24")
    np.save(folder / "map.npy", truth / 3.0)
    return folder


def net(output="relative_depth", **rules):
    return ModelInfo("net", output, "MIT", "MIT", "this test", **rules)


def test_a_source_that_is_added_reaches_the_command_line(toy, room, tmp_path, capsys):
    asked = ["--scale-from", "two_metres", "--echo", str(room / "room.wav"), "--out", str(tmp_path)]
    assert cli.main(["predict", str(room / "room.png"), *asked]) == 0
    assert cli.main(["scale", str(room / "map.npy"), "--kind", "relative_depth", *asked]) == 0
    assert capsys.readouterr().out.count("median depth 2 m (90 %: ") == 2
    for name in ("room", "map"):
        with np.load(tmp_path / f"{name}_depth.npz") as entries:
            assert np.median(entries["depth"][entries["valid"]]) == pytest.approx(2.0, rel=1e-3)
            assert str(entries["scale_source"]) == "two_metres" and entries["confidence"] > 0.9


def test_a_source_that_is_added_reaches_scores_and_report(toy, models, paper_models, cases, tmp_path):
    scores = evaluate([Trial(System("toy_shape"), Scaling.parse("two_metres"))], cases, tmp_path / "scores")
    assert {row["scaling"] for row in scores.rows} == {"two_metres"}
    assert {row["status"] for row in scores.rows} == {"ok"}
    cast = Cast("toy_av", "toy_v", paper_models)
    found = reproduce({"V1": Cases(cases.data, "toys", 12.0)}, cast, tmp_path / "report", title="toys")
    (second,) = (table for table in found.tables if table.name == "table2")
    assert "two_metres = by a toy" in second.note
    assert any("two_metres" in cell.text for row in second.rows for cell in row)
    assert "two_metres" in found.report.read_text()


def test_auto_keeps_metres_that_a_model_has_heard_and_asks_the_ear_for_others():
    avsnet, metric = net("metric_depth", hears=True, gives_scale=True), net("metric_depth")
    none = SOURCES["none"]
    assert automatic(avsnet, True).source is automatic(avsnet, False).source is none
    assert automatic(metric, False).source is none  # a metric model's own metres are no worse than a stranger's
    assert automatic(net("metric_depth", hears=True), True).source is none
    for model in (net(), metric, net("disparity"), net("affine_disparity")):
        assert automatic(model, True).source.find is everything
    # The metres of a network that hears are a witness beside the ear where somebody knows how far they err.
    witness = net("metric_depth", hears=True, gives_scale=True, scale_spread=0.35)
    assert automatic(witness, True).source.find is everything
    assert automatic(witness, False).source is automatic(witness, True, "grid").source is none
    assert automatic(net("metric_depth", gives_scale=True, scale_spread=0.35), True).source is none  # it only sees
    # What the ear cannot do: see without an echo, follow a rule for two maps.
    assert automatic(net(), False).network == packaged.V
    assert automatic(net(), True, "mean").network == packaged.AV


def scene_of(kind="relative_depth", *, heard=True, unit=1.0, network=None, **rules):
    """A furnished room's map, in some unit, with its echo or a silent recording."""
    room = furnished_room("historic", 2)
    _, truth, camera = render(room, 96, 128)
    recorded = echo(room, RIG, seed=2) if heard else np.zeros((2, 8000))
    return Scene(truth / unit, net(kind, **rules), camera, Heard(Recording(recorded, 44_100), RIG).echo, network)


def test_the_ear_finds_the_scale_of_a_relative_map():
    found = ear(scene_of(unit=3.0))
    assert found.scaled.scale == pytest.approx(3.0, rel=0.4)
    assert found.origin == "ear" and found.refusal is None and found.evidence is not None
    low, high = found.posterior.interval(0.9)
    assert low < found.scaled.scale < high
    assert found.assumptions == ("rig known: speaker to ear 0.16 m",)


def test_a_metric_model_has_a_say_of_its_own():
    found = ear(scene_of("metric_depth", unit=1.2, scale_spread=0.02))
    assert found.scaled.scale == pytest.approx(1.0, abs=0.06)
    assert found.origin == "ear and the model's own metres"


def test_an_avsnet_is_no_second_witness_of_itself_and_says_itself_what_is_wrong_with_an_echo():
    rules = {"hears": True, "gives_scale": True, "network": lambda name: pytest.fail("has been asked already")}
    found, by_ear = (look(scene_of("metric_depth", unit=1.2, **rules)) for look in (everything, ear))
    assert found.scaled.scale == by_ear.scaled.scale and found.origin == "ear and the model's own metres"
    for look in (everything, ear):
        silent = look(scene_of("metric_depth", heard=False, **rules))
        assert silent.scaled.scale == pytest.approx(1.0, rel=1e-3) and silent.warnings == ()
    with pytest.raises(OptionError, match="leaves net its own metres"):
        info = net("metric_depth", hears=True, gives_scale=True, scale_spread=0.3)
        choose("auto", info, has_echo=True, method="grid")


def test_with_an_echo_the_packaged_network_has_a_say_beside_a_metric_models_own():
    """A quarter of it, in log, where both err as much; none without an echo, or where the two are worlds apart."""
    alone = everything(scene_of("metric_depth"))
    scene = scene_of("metric_depth", network=lambda name: 2.0 * scene_of("metric_depth").depth)
    both = everything(scene)
    assert np.log(both.prior.median / alone.prior.median) == pytest.approx(0.25 * np.log(2.0), abs=0.01)
    assert both.origin == f"ear and the model's own metres with {packaged.AV}"
    silent = everything(replace(scene, echo=scene_of("metric_depth", heard=False).echo))
    assert silent.scaled.scale == pytest.approx(1.0, rel=1e-3) and silent.origin == "the model's own metres"
    unlike = everything(replace(scene, network=lambda name: np.full((96, 128), 1e4)))
    assert unlike.scaled.scale == pytest.approx(alone.scaled.scale, rel=1e-6)


def test_without_an_echo_to_hear_metres_stay_and_others_get_the_networks():
    kept = everything(scene_of("metric_depth", heard=False, scale_bias=float(np.log(1.5))))
    assert kept.scaled.scale == pytest.approx(1.5, rel=0.01) and kept.origin == "the model's own metres"
    assert "the echo was not used" in kept.warnings[0]
    with pytest.raises(EchoError, match="silent"):
        ear(scene_of(heard=False))
    by_network = everything(scene_of(heard=False, network=lambda name: np.full((96, 128), 2.0)))
    assert by_network.origin == packaged.AV
    assert float(np.median(by_network.scaled.depth)) == pytest.approx(2.0, rel=1e-3)


def test_with_an_echo_auto_hears_a_relative_map_beside_the_networks_metres():
    scene = scene_of(unit=3.0)
    metres = 1.3 * scene.depth * 3.0  # 30 % too far
    found = everything(replace(scene, network=lambda name: metres))
    assert found.origin == f"ear and {packaged.AV}"
    assert 2.4 < found.scaled.scale < 4.1 and found.posterior is not None


def test_a_network_is_a_source_by_its_name_or_its_folder(tmp_path):
    assert choose(packaged.V, net("affine_disparity"), has_echo=False).network == packaged.V
    assert choose(str(tmp_path), net(), has_echo=False).source is NETWORK
    with pytest.raises(
        OptionError, match=r"'midas_small' is none of auto, none, ranging, ear, known:x,y,metres, an AVS-Net"
    ):
        choose("midas_small", net(), has_echo=True)


@pytest.mark.parametrize(
    ("text", "output", "options", "reason"),
    [
        ("ranging", "relative_depth", {}, "ranging needs an echo"),
        ("ranging", "affine_depth", {"has_echo": True}, "leaves a shift open, which ranging does not set"),
        ("none", "affine_disparity", {}, "leaves a shift open"),
        ("known:1,2", "relative_depth", {}, "wanted known:x,y,metres"),
        ("known", "relative_depth", {}, "wanted known:x,y,metres"),
        ("known:9,1,2.0", "relative_depth", {"size": (4, 6)}, "outside the picture of 6 x 4 pixels"),
        ("ranging:2", "relative_depth", {"has_echo": True}, "is none of auto, none, ranging"),
        ("ranging", "relative_depth", {"has_echo": True, "method": "mean"}, "sets one factor by itself"),
        (packaged.V, "relative_depth", {"method": "mode"}, "is none of median, mean"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(text, output, options, reason):
    with pytest.raises(OptionError, match=reason):
        choose(text, net(output), **{"has_echo": False, **options})
