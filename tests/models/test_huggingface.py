"""Models of transformers behind the contract: equal to the library's own, and offline a clear line.

The networks are small and random, made here and saved to a folder; nothing is fetched.
"""

import contextlib
import json
import os
import pickle
import shutil
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import avsnet
from avsnet import cli
from avsnet.errors import ModelError, OptionError, SampleError
from avsnet.models import create_model, model_info
from avsnet.models.infer import infer
from avsnet.models.resize import input_size, to_image_size, to_model_input

transformers = pytest.importorskip("transformers")

NAMES = ["relative", "metric", "dpt", "glpn", "zoedepth", "depth_pro"]
KINDS = {"relative": "affine_disparity", "dpt": "affine_disparity"}
NECK = {"neck_hidden_sizes": [8, 8, 8, 8], "fusion_hidden_size": 8}


def small_network(name):
    """A network of the named family with some ten thousand weights, and its image processor."""
    vit = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2}
    if name in ("relative", "metric", "prompt"):
        family = "PromptDepthAnything" if name == "prompt" else "DepthAnything"
        backbone = transformers.Dinov2Config(
            **vit, image_size=56, patch_size=14, out_indices=[1, 2, 3, 4], reshape_hidden_states=False
        )
        config = getattr(transformers, f"{family}Config")(
            backbone_config=backbone,
            reassemble_hidden_size=16,
            head_hidden_size=4,
            depth_estimation_type="metric" if name == "metric" else "relative",
            max_depth=20 if name == "metric" else 1,
            **NECK,
        )
        network = getattr(transformers, f"{family}ForDepthEstimation")(config)
        size = {"size": {"height": 56, "width": 56}, "keep_aspect_ratio": True, "ensure_multiple_of": 14}
        mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
        return network, transformers.DPTImageProcessor(**size, image_mean=mean, image_std=std)
    if name == "dpt":
        config = transformers.DPTConfig(
            **vit, intermediate_size=32, image_size=32, is_hybrid=False, backbone_out_indices=[0, 1, 2, 3], **NECK
        )
        processor = transformers.DPTImageProcessor(size={"height": 32, "width": 32})
        return transformers.DPTForDepthEstimation(config), processor
    if name == "glpn":
        config = transformers.GLPNConfig(
            depths=[1] * 4, hidden_sizes=[8] * 4, num_attention_heads=[1] * 4, decoder_hidden_size=8
        )
        return transformers.GLPNForDepthEstimation(config), transformers.GLPNImageProcessor()
    if name == "zoedepth":
        backbone = transformers.BeitConfig(
            **vit, intermediate_size=32, image_size=64, out_indices=[1, 2, 3, 4], reshape_hidden_states=False
        )
        config = transformers.ZoeDepthConfig(
            backbone_config=backbone,
            bottleneck_features=8,
            num_relative_features=4,
            bin_embedding_dim=8,
            num_attractors=[4, 2, 2, 1],
            bin_configurations=[{"n_bins": 8, "min_depth": 0.001, "max_depth": 10.0, "name": "nyu"}],
            **NECK,
        )
        size = {"size": {"height": 64, "width": 64}, "ensure_multiple_of": 32, "do_pad": False}
        return transformers.ZoeDepthForDepthEstimation(config), transformers.ZoeDepthImageProcessor(**size)
    dino = transformers.Dinov2Config(**vit, image_size=32, patch_size=8)
    config = transformers.DepthProConfig(
        patch_size=32,
        fusion_hidden_size=16,
        intermediate_hook_ids=[1, 0],
        intermediate_feature_dims=[8, 8],
        scaled_images_ratios=[0.5, 1.0],
        scaled_images_overlap_ratios=[0.0, 0.2],
        scaled_images_feature_dims=[8, 8],
        image_model_config=dino,
        patch_model_config=dino,
        fov_model_config=dino,
        num_fov_head_layers=1,
        use_fov_model=True,
    )
    processor = transformers.DepthProImageProcessor(size={"height": 64, "width": 64})
    return transformers.DepthProForDepthEstimation(config), processor


def save(folder, name):
    transformers.utils.logging.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)  # at which none of them is dead, and Depth Pro tells a positive field of view
        network, processor = small_network(name)
        for part in network.modules():  # as drawn by the library, small networks give next to nothing
            if isinstance(part, torch.nn.Conv2d | torch.nn.ConvTranspose2d | torch.nn.Linear):
                torch.nn.init.kaiming_normal_(part.weight)
                if part.bias is not None:
                    torch.nn.init.uniform_(part.bias, 0.0, 0.3)
    network.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of a small network by name; each is made once."""
    root, made = tmp_path_factory.mktemp("huggingface"), {}

    def folder(name):
        return made.setdefault(name, None) or made.update({name: save(root / name, name)}) or made[name]

    return folder


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def library(folder, picture):
    """What the library's own pre-processing, network and post-processing give, at the network's size; and that size."""
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    network = transformers.AutoModelForDepthEstimation.from_pretrained(folder)
    inputs = processor(images=Image.fromarray(picture), return_tensors="pt")
    with torch.inference_mode():
        outputs = network(**inputs)
    size = tuple(inputs["pixel_values"].shape[2:])
    if hasattr(outputs, "field_of_view"):
        result = processor.post_process_depth_estimation(
            outputs, target_sizes=[tuple(outputs.predicted_depth.shape[1:])]
        )
    elif isinstance(processor, transformers.ZoeDepthImageProcessor):
        result = processor.post_process_depth_estimation(outputs, do_remove_padding=False)
    else:
        result = processor.post_process_depth_estimation(outputs)
    return result[0]["predicted_depth"].numpy(), size


@pytest.mark.parametrize("name", NAMES)
def test_a_network_gives_what_the_library_gives(saved, picture, name):
    model = create_model(f"huggingface:{saved(name)}")
    size = input_size(model.info, *picture.shape[:2])
    # At the network's own size no resizing, whose filters differ, comes between.
    resized = np.asarray(Image.fromarray(picture).resize(size[::-1]))
    expected, its_size = library(saved(name), resized)
    assert its_size == size
    kind = KINDS.get(name, "metric_depth")
    with torch.inference_mode():
        given = model({"image": to_model_input(resized, size)})[kind]
    assert given.shape[:2] == (1, 1) and model.info.output == kind
    given = given[0, 0].numpy()
    if name == "depth_pro":  # whose network gives inverse depth: nearly 0, it makes kilometres of rounding errors
        given, expected = 1.0 / given, 1.0 / expected
    assert np.abs(given - expected).max() <= 1e-4 * np.ptp(expected)
    assert np.ptp(expected) > 1e-2  # the comparison is of more than zeros


@pytest.mark.parametrize("name", ["relative", "dpt", "glpn", "zoedepth"])
@pytest.mark.parametrize("shape", [(48, 64), (64, 48), (300, 100), (57, 2000), (480, 640)])
def test_the_default_size_is_that_of_the_librarys_processor(saved, name, shape):
    info = model_info(f"huggingface:{saved(name)}")
    processor = transformers.AutoImageProcessor.from_pretrained(saved(name))
    blank = Image.new("RGB", shape[::-1])
    expected = tuple(processor(images=blank, return_tensors="pt")["pixel_values"].shape[2:])
    if name == "glpn":  # which rounds down, where we take the nearest
        expected = tuple(max(1, round(side / 32)) * 32 for side in shape)
    assert input_size(info, *shape) == expected


def test_the_info_says_what_the_user_must_know(saved, tmp_path):
    folder = shutil.copytree(saved("metric"), tmp_path / "my_depth")
    assert model_info(f"huggingface:{folder}").weights_licence == "unknown, see the model's page"
    (folder / "README.md").write_text("---\ntags:\n- depth\nlicense: cc-by-nc-4.0\n---\nlicense: wrong\n")
    model = create_model(f"huggingface:{folder}")
    info = model.info
    assert (info.name, info.output, info.source) == ("huggingface:my_depth", "metric_depth", str(folder))
    assert (info.weights_licence, info.size, info.size_multiple, info.fit) == (
        "cc-by-nc-4.0",
        (56, 56),
        14,
        "minimal",
    )
    assert info.parameters == sum(weight.numel() for weight in model.parameters())
    assert len(model.weights_hash) == 12 and not model.training
    (folder / "README.md").write_text("---\nlicense: other\nlicense_name: apple-amlr\n---\n")
    assert model_info(f"huggingface:{folder}").weights_licence == "apple-amlr"


def test_an_input_size_of_ones_own_is_taken_if_it_is_legal(saved, picture):
    model = create_model(f"huggingface:{saved('metric')}", input_size=(28, 70))
    assert input_size(model.info, 480, 640) == (28, 70)
    assert model({"image": to_model_input(picture, (28, 70))})["metric_depth"].shape == (1, 1, 28, 70)
    with pytest.raises(OptionError, match="multiples of 14"):
        create_model(f"huggingface:{saved('metric')}", input_size=(28, 71))
    with pytest.raises(SampleError, match="multiples of 14"):
        model({"image": torch.rand(1, 3, 28, 71)})
    with pytest.raises(SampleError, match=r"takes \(B, 3, 32, 32\)"):
        create_model(f"huggingface:{saved('dpt')}")({"image": torch.rand(1, 3, 48, 48)})


@pytest.mark.parametrize("name", [name for name in NAMES if name != "glpn"])
def test_a_picture_of_any_size_gives_the_map_of_the_librarys_pipeline(saved, name, tmp_path):
    folder = saved(name)
    if name == "zoedepth":
        folder = shutil.copytree(folder, tmp_path / "padded")
        config = json.loads((folder / "preprocessor_config.json").read_text())
        (folder / "preprocessor_config.json").write_text(json.dumps(config | {"do_pad": True}))
    rows, columns = np.mgrid[:60, :100]
    waves = [np.sin(rows / 9.0 + place) * np.cos(columns / 13.0 - place) for place in range(3)]
    picture = (127.5 + 127.5 * np.stack(waves, -1)).astype(np.uint8)
    pipeline = transformers.pipeline("depth-estimation", model=str(folder), device="cpu", dtype=torch.float32)
    expected = pipeline(Image.fromarray(picture))["predicted_depth"].numpy().squeeze()
    model = create_model(f"huggingface:{folder}")
    found = infer(model, picture)
    if name == "depth_pro":
        found, expected = 1.0 / found, 1.0 / expected
    off = np.abs(np.where(expected > 0.0, found - expected, 0.0)).max() / np.ptp(expected)
    assert found.shape == expected.shape and off < 0.01


def test_the_hash_covers_the_configurations_and_the_options(saved, tmp_path):
    folder = shutil.copytree(saved("metric"), tmp_path / "one")
    hashes = {
        create_model(f"huggingface:{folder}", **options).weights_hash for options in ({}, {"input_size": (28, 70)})
    }
    for file, entries in (("preprocessor_config.json", {"resample": 2}), ("config.json", {"max_depth": 10})):
        config = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps(config | entries))
        hashes.add(create_model(f"huggingface:{folder}").weights_hash)
    assert len(hashes) == 4


def test_a_pointer_in_place_of_the_weights_is_called_that(saved, tmp_path):
    folder = shutil.copytree(saved("metric"), tmp_path / "pointer")
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n")
    with pytest.raises(ModelError, match=r"model\.safetensors: no weights, is a git-lfs pointer; run `git lfs pull`"):
        create_model(f"huggingface:{folder}")


def test_gradients_reach_the_image_and_the_weights(saved, picture):
    model = create_model(f"huggingface:{saved('dpt')}")
    image = to_model_input(picture, (32, 32)).requires_grad_()
    model({"image": image})["affine_disparity"].mean().backward()
    assert image.grad is not None and any(w.grad is not None and w.grad.any() for w in model.parameters())


def test_predict_takes_a_metric_one_and_refuses_one_whose_shift_is_open(saved, picture):
    prediction = avsnet.predict(picture, depth_model=f"huggingface:{saved('metric')}", scale_from="none")
    model = create_model(f"huggingface:{saved('metric')}")
    with torch.inference_mode():
        image = to_model_input(picture, input_size(model.info, 48, 64), "bicubic")
        values = model({"image": image})["metric_depth"][0, 0].numpy()
    expected = to_image_size(values, (48, 64), "cubic")
    assert np.allclose(prediction.depth, np.where(expected > 0.0, expected, 0.0), atol=1e-5)
    assert prediction.weights_hash == model.weights_hash
    with pytest.raises(OptionError, match=r"affine_disparity.*shift open"):
        avsnet.predict(picture, depth_model=f"huggingface:{saved('relative')}", scale_from="none")


def test_the_command_line_takes_one_with_its_kind_and_size(saved, picture, tmp_path, capsys):
    Image.fromarray(picture).save(tmp_path / "a.png")
    words = ["predict", str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), "--scale-from", "none"]
    words += ["--depth-model", f"huggingface:{saved('metric')}"]
    assert cli.main([*words, "--model-size", "28,70", "--model-output", "relative_depth"]) == 0
    assert "model units" in capsys.readouterr().out
    assert cli.main([*words, "--model-size", "28,71"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_depth_pro_without_a_field_of_view_is_a_disparity(saved, tmp_path):
    folder = shutil.copytree(saved("depth_pro"), tmp_path / "pro")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "use_fov_model": False}))
    model = create_model(f"huggingface:{folder}")
    outputs = model({"image": torch.rand(1, 3, 64, 64, generator=torch.manual_seed(0))})
    assert model.info.output == "disparity" and torch.equal(outputs["disparity"], outputs["raw"])


def test_a_class_that_does_not_tell_its_kind_must_be_told(saved, tmp_path):
    folder = shutil.copytree(saved("dpt"), tmp_path / "dinov2_head")
    config = json.loads((folder / "config.json").read_text())
    network = transformers.DPTForDepthEstimation(transformers.DPTConfig(**{**config, "add_projection": True}))
    network.save_pretrained(folder)
    with pytest.raises(ModelError, match=r"output=KIND.*affine_disparity"):
        create_model(f"huggingface:{folder}")
    assert create_model(f"huggingface:{folder}", output="metric_depth").info.output == "metric_depth"
    with pytest.raises(OptionError, match="'depth' is none of"):
        create_model(f"huggingface:{folder}", output="depth")


def test_a_model_that_wants_a_depth_prompt_is_refused(saved):
    with pytest.raises(ModelError, match="needs a depth prompt"):
        create_model(f"huggingface:{saved('prompt')}")


def is_one_line(error, *words):
    message = str(error.value)
    assert "\n" not in message and ";" in message
    for word in words:
        assert str(word) in message


# Broken folders


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("no weights", ["no model*.safetensors"]),
        ("no config", ["config.json"]),
        ("no processor", ["cannot be loaded"]),
        ("truncated weights", ["cannot be loaded"]),
        ("weights of another size", ["missing or misshapen"]),
        ("weights left out", ["weights are missing", "head"]),
        ("no depth model", ["cannot be loaded"]),
        ("config of prose", ["cannot be loaded"]),
        ("code of its own", ["cannot be loaded"]),
    ],
)
def test_a_broken_folder_is_one_line(saved, tmp_path, what, words):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(saved("dpt"), tmp_path / "broken")
    weights, config = folder / "model.safetensors", folder / "config.json"
    if what == "no weights":
        weights.unlink()
    elif what == "no config":
        config.unlink()
    elif what == "no processor":
        (folder / "preprocessor_config.json").unlink()
    elif what == "truncated weights":
        weights.write_bytes(weights.read_bytes()[:5000])
    elif what in ("weights of another size", "weights left out"):
        tensors = load_file(weights)
        key = next(key for key in sorted(tensors) if key.startswith("head"))
        tensors[key] = torch.zeros(3, 3)
        if what == "weights left out":
            del tensors[key]
        save_file(tensors, weights, metadata={"format": "pt"})
    elif what == "no depth model":
        config.write_text('{"model_type": "bert"}')
    elif what == "config of prose":
        config.write_text("no JSON")
    elif what == "code of its own":
        code = {"AutoConfig": "mine.Config", "AutoModelForDepthEstimation": "mine.Net"}
        config.write_text(json.dumps({"model_type": "mine", "auto_map": code}))
        (folder / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ModelError) as error:
        create_model(f"huggingface:{folder}")
    is_one_line(error, folder, *words)
    assert not (tmp_path / "ran").exists()


def test_the_weights_that_midas_leaves_out_may_be_missing(saved, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(saved("dpt"), tmp_path / "midas")
    tensors = load_file(folder / "model.safetensors")
    kept = {key: value for key, value in tensors.items() if "fusion_stage.layers.0.residual_layer1" not in key}
    assert len(kept) < len(tensors)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    image = {"image": torch.rand(1, 3, 32, 32, generator=torch.manual_seed(0))}
    expected = create_model(f"huggingface:{saved('dpt')}")(image)["affine_disparity"]
    assert torch.allclose(create_model(f"huggingface:{folder}")(image)["affine_disparity"], expected, rtol=1e-4)


def test_a_pickle_of_tensors_is_read_and_one_with_code_is_refused(saved, tmp_path):
    from safetensors.torch import load_file

    folder = shutil.copytree(saved("dpt"), tmp_path / "pickled")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    image = {"image": torch.rand(1, 3, 32, 32, generator=torch.manual_seed(0))}
    expected = create_model(f"huggingface:{saved('dpt')}")(image)["affine_disparity"]
    assert torch.allclose(create_model(f"huggingface:{folder}")(image)["affine_disparity"], expected, rtol=1e-4)

    class Code:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"head": Code()}))
    with pytest.raises(ModelError) as error:
        create_model(f"huggingface:{folder}")
    is_one_line(error, folder)
    assert not (tmp_path / "ran").exists()


# The hub


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """The hub's cache in an empty folder, and the hub out of reach."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_offline_an_id_that_was_never_fetched_is_one_line_that_tells_what_to_do(offline):
    with pytest.raises(ModelError) as error:
        create_model("huggingface:someone/some-depth")
    is_one_line(error, "someone/some-depth", "HF_HUB_OFFLINE is set", "hf download someone/some-depth", "local folder")


def test_offline_an_id_that_was_fetched_works(offline, saved):
    revision = "0123456789abcdef0123456789abcdef01234567"
    home = offline / "models--someone--some-depth"
    shutil.copytree(saved("dpt"), home / "snapshots" / revision)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(revision)
    model = create_model("huggingface:someone/some-depth")
    assert model.info.name == "huggingface:someone/some-depth"
    assert model.info.source == "https://huggingface.co/someone/some-depth"


@pytest.mark.parametrize("name", ["./missing", "a/b/c", "", "no such model"])
def test_what_is_neither_a_folder_nor_an_id_is_refused_without_asking_the_hub(offline, name):
    with pytest.raises(ModelError, match="no folder, and no ID"):
        create_model(f"huggingface:{name}")


def test_a_file_is_no_folder(offline, tmp_path):
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(ModelError, match="no folder"):
        create_model(f"huggingface:{tmp_path / 'model.safetensors'}")


def test_loading_prints_nothing_and_leaves_the_librarys_settings(saved):
    code = (
        "import sys, avsnet; avsnet.create_model('huggingface:' + sys.argv[1]); "
        "from transformers.utils import logging; "
        "assert logging.is_progress_bar_enabled() and logging.get_verbosity() == logging.WARNING"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(saved("relative"))], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_the_models_files_are_listed_without_importing_transformers():
    code = "import sys, avsnet; avsnet.list_models(); sys.exit('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def no_network(monkeypatch):
    """Any look-up of a name or connection is an error, and is counted."""
    asked = []

    def refuse(*arguments, **options):
        asked.append(arguments)
        raise OSError("no network in tests")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return asked


@pytest.mark.parametrize(
    "change",
    [
        {"backbone": "someone/some-backbone", "backbone_config": None, "use_pretrained_backbone": True},
        {"backbone": "resnet50", "use_timm_backbone": True, "use_pretrained_backbone": True, "backbone_config": None},
        {"backbone": "hf-hub:someone/some-backbone", "use_timm_backbone": True},
        {"backbone_config": {"model_type": "timm_backbone", "backbone": "resnet18", "use_pretrained_backbone": True}},
    ],
)
@pytest.mark.parametrize("name", ["dpt", "relative"])
def test_a_folder_whose_configuration_names_a_backbone_reaches_no_network(tmp_path, no_network, name, change):
    network, processor = small_network(name)
    network.save_pretrained(tmp_path / "a")
    processor.save_pretrained(tmp_path / "a")
    config = json.loads((tmp_path / "a" / "config.json").read_text())
    (tmp_path / "a" / "config.json").write_text(json.dumps(config | change))
    with contextlib.suppress(ModelError):
        create_model(f"huggingface:{tmp_path / 'a'}")
    assert no_network == []


def test_what_is_on_this_machine_is_loaded_and_run_without_a_network(tmp_path, no_network):
    network, processor = small_network("dpt")
    network.save_pretrained(tmp_path / "a")
    processor.save_pretrained(tmp_path / "a")
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    for name in (f"huggingface:{tmp_path / 'a'}", "avsnet_lite0_v"):
        assert np.isfinite(infer(create_model(name, weights="default"), picture)).all()
    assert no_network == []
