"""An exported network is the network: equal to PyTorch, through our own adapter, and without PyTorch at all."""

import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from avsnet.audio.chirp import sweep
from avsnet.audio.graph import HearingGraph
from avsnet.audio.network_input import AudioSettings, hear
from avsnet.cli import main
from avsnet.errors import MissingExtraError, OptionError
from avsnet.export import TOLERANCE, export_onnx
from avsnet.models import create_model
from avsnet.models.infer import infer
from avsnet.rooms.echo_of_depth import echo_of_depth, rig_for
from avsnet.scale.ear import packaged_ear
from avsnet.scale.ear_graph import INPUTS, EarGraph

ORIGINAL = AudioSettings(align_to=None, amplitude="none", centre=False, compression="none")


def recordings(count, samples, sample_rate=44_100):
    """(B, 2, N): sweeps at different places in different noise; the last row is silent."""
    draw = np.random.default_rng(0)
    waveform = 2e-3 * draw.normal(size=(count, 2, samples))
    for row in range(count):
        for start, gain in ((300 + 611 * row, 0.5), (700 + 611 * row, 0.1)):
            waveform[row, :, start : start + 132] += gain * sweep(sample_rate)[:132]
    waveform[-1] = 0.0
    return torch.from_numpy(waveform).float()


@pytest.mark.parametrize(
    "settings",
    [AudioSettings(n_fft=128, samples=5_248), AudioSettings(), ORIGINAL, AudioSettings(align_to=None, amplitude="rms")],
    ids=["packaged", "default", "original", "rms"],
)
def test_the_graph_hears_what_the_network_hears(settings):
    graph = HearingGraph(settings)
    waveform = recordings(5, graph.samples)
    wanted, heard = hear(waveform, settings.sample_rate, settings)
    found, also = graph(waveform)
    assert also.tolist() == heard.tolist() == [True] * 4 + [False]
    torch.testing.assert_close(found, wanted, atol=1e-4 * float(wanted.max()), rtol=0.0)


def test_a_spectrogram_of_the_pictures_size_is_refused():
    with pytest.raises(OptionError, match="resize"):
        HearingGraph(AudioSettings(resize="rgb"))


def test_the_ears_graph_gives_what_its_fourier_transforms_give():
    ear = packaged_ear()
    draw = torch.Generator().manual_seed(0)
    echo, rig, seen, numbers = (torch.rand(2, *shape, generator=draw) for shape in INPUTS.values())
    with torch.inference_mode():
        likelihood = ear.tempered(ear.log_likelihood(ear.heard(echo, rig), ear.seen(seen)))
        found, prior = EarGraph(ear)(echo, rig, seen, numbers)
    torch.testing.assert_close(found, likelihood, atol=1e-4, rtol=0.0)
    torch.testing.assert_close(prior, ear.log_prior(numbers))


def test_another_ending_a_wrong_size_and_a_missing_extra_are_refused(tmp_path, monkeypatch):
    model = create_model("midas_tiny")
    with pytest.raises(OptionError, match=r"NAME\.onnx"):
        export_onnx(model, tmp_path / "a.pt")
    with pytest.raises(OptionError, match="multiples of 32"):
        export_onnx(model, tmp_path / "a.onnx", (100, 100))
    with pytest.raises(OptionError, match="AVS-Nets"):
        export_onnx(create_model("batvision_unet_128"), tmp_path / "a.onnx")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtraError, match=r"avsnet\[export\]"):
        export_onnx(model, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_a_strangers_file_of_either_name_is_not_replaced(tmp_path, capsys):
    (tmp_path / "a.json").write_text("mine")
    assert main(["export", "midas_tiny", "--out", str(tmp_path / "a.onnx")]) == 2
    assert (tmp_path / "a.json").read_text() == "mine"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The packaged AVS-Net as ONNX."""
    path = tmp_path_factory.mktemp("onnx") / "avsnet.onnx"
    done = export_onnx(create_model("avsnet_lite0_av", weights="default"), path)
    assert done.error <= TOLERANCE and done.speed_up > 0.0
    return path


@pytest.fixture(scope="module")
def capture():
    """A picture, the simulated echo of a wall at 3 m, and the camera."""
    camera = np.array([[110.0, 0.0, 79.5], [0.0, 110.0, 59.5], [0.0, 0.0, 1.0]])
    echo = echo_of_depth(np.full((120, 160), 3.0, np.float32), camera, rig_for(2, gain=0.1), seed=2)
    picture = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(picture).resize((160, 120))), torch.from_numpy(echo.waveform), camera


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 3])
def test_an_avsnet_gives_the_same_metres_through_our_adapter(exported, count):
    native, graph = create_model("avsnet_lite0_av", weights="default"), create_model(f"onnx:{exported}")
    image = torch.rand(count, 3, 96, 128, generator=torch.Generator().manual_seed(count))
    batch = {"image": image, "waveform": recordings(count + 1, 9_000)[:count], "sample_rate": 44_100}
    with torch.inference_mode():
        wanted = native(batch)["metric_depth"]
    torch.testing.assert_close(graph(batch)["metric_depth"], wanted, atol=1e-4 * float(wanted.max()), rtol=0.0)


@pytest.mark.slow
def test_a_picture_and_its_echo_give_the_same_map_and_without_the_echo_too(exported, capture):
    picture, waveform, camera = capture
    native, graph = create_model("avsnet_lite0_av", weights="default"), create_model(f"onnx:{exported}")
    for heard in ({"waveform": waveform, "sample_rate": 44_100}, {}):
        wanted, found = (infer(model, picture, camera=camera, **heard) for model in (native, graph))
        np.testing.assert_allclose(found, wanted, atol=1e-4 * wanted.max())
    late = {"waveform": torch.nn.functional.pad(waveform, (20_000, 0)), "sample_rate": 44_100}
    wanted, found = infer(native, picture, camera=camera, **late), infer(graph, picture, camera=camera, **late)
    np.testing.assert_allclose(found, wanted, atol=1e-3 * wanted.max())


@pytest.mark.slow
def test_the_side_file_says_what_the_graph_takes_and_that_it_aligns_by_itself(exported):
    declared = json.loads(exported.with_suffix(".json").read_text())
    assert declared["output"] == "metric_depth" and declared["takes_intrinsics"] and declared["gives_scale"]
    assert declared["audio"]["sample_rate"] == 44_100 and declared["audio"]["align_to"] == 64
    info = create_model(f"onnx:{exported}").info
    assert info.hears and info.takes_intrinsics and info.size == (96, 128)


@pytest.mark.slow
@pytest.mark.parametrize("name, size", [("monodepth2", (64, 96)), ("lite_mono", (96, 160)), ("midas_small", (96, 128))])
def test_a_relative_model_gives_the_same_through_our_adapter(tmp_path, name, size):
    model = create_model(name)
    done = export_onnx(model, tmp_path / "a.onnx", size)
    assert done.size == size and done.error <= TOLERANCE
    graph = create_model(f"onnx:{tmp_path / 'a.onnx'}")
    image = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        wanted = model({"image": image})[model.info.output]
    torch.testing.assert_close(
        graph({"image": image})[model.info.output], wanted, atol=1e-4 * float(wanted.max()), rtol=0.0
    )
    assert (graph.info.flip, graph.info.upsample) == (model.info.flip, model.info.upsample)


@pytest.mark.slow
def test_the_verb_exports_the_ear_and_says_how_fast_it_is(tmp_path, capsys):
    assert main(["export", "ear", "--out", str(tmp_path / "ear.onnx")]) == 0
    told = capsys.readouterr().out
    assert "differs from PyTorch" in told and "times as fast" in told
    assert json.loads((tmp_path / "ear.json").read_text())["outputs"] == ["log_likelihood", "log_prior"]
