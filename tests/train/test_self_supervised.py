"""Training without depth: toy runs on simulated walks, and what must be refused."""

import csv
import shutil

import pytest
import timm
import torch
from lightning import Callback
from safetensors.torch import load_file

from avsnet.errors import ModelError, OptionError
from avsnet.losses import photometric
from avsnet.models import create_model
from avsnet.models.self_supervised.pose import PoseNetwork, pose_matrix
from avsnet.train.config import DataConfig, ModelConfig, OptimiserConfig, PhotometricConfig, TrainConfig
from avsnet.train.run import train
from avsnet.train.self_supervised import SelfSupervised, pose_network

SIZE = (64, 64)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("rooms")


def config_for(out, cache, **changes):
    data = {"train": "rooms:offices:0-1", "val": "rooms:offices:7-8", "interval": 20, "size": SIZE, "hears": False}
    data |= {"batch_size": 2, "workers": 0, "cache": str(cache)} | changes.pop("data", {})
    optimiser = {"lr": 5e-4, "schedule": "step", "period": 1} | changes.pop("optimiser", {})
    return TrainConfig(
        **{
            "out": str(out),
            "steps": 4,  # an epoch of three, and one more
            "loss": "photometric",
            "save_every": 2,
            "validate_every": 2,
            "log_every": 1,
            "pictures": 1,
            "accelerator": "cpu",
            "model": ModelConfig("lite_mono_tiny", None, {"input_size": list(SIZE), "max_depth": 20.0}),
            "data": DataConfig(**data),
            "optimiser": OptimiserConfig(**optimiser),
        }
        | changes
    )


def lines(folder, name="metrics.csv", columns=("step", "epoch", "loss", "lr")):
    with (folder / name).open(newline="") as file:
        return [tuple(row[column] for column in columns) for row in csv.DictReader(file)]


class CopyAfter(Callback):
    """Keeps what a run that is killed before its next step leaves behind."""

    def __init__(self, step, out):
        self.step, self.out = step, out

    def on_train_batch_start(self, trainer, module, batch, batch_index):
        if trainer.global_step == self.step:
            shutil.copytree(self.out, self.out.with_name("killed"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, cache):
    out = tmp_path_factory.mktemp("whole") / "run"
    train(config_for(out, cache), command="avsnet train toy.yaml", callbacks=[CopyAfter(2, out)])
    return out


def test_a_run_is_judged_after_the_true_median_and_says_so(whole):
    (line,) = lines(whole, "validation.csv", ("step", "images", "scaling", "abs_rel"))
    assert line[:3] == ("4", "2", "oracle_median") and 0.0 < float(line[3]) < 1.0
    card = (whole / "model" / "MODEL_CARD.md").read_text()
    for part in (
        "loss photometric",
        "(oracle_median)",
        "Relative depth, in a unit of its own",
        f"{float(line[3]):.3f}",
    ):
        assert part in card
    assert "Metric depth" not in card
    assert [path.name for path in (whole / "pictures").iterdir()] == ["step_0000004.png"]


def test_rates_fall_from_epoch_to_epoch(whole):
    assert [float(rate) for *_, rate in lines(whole)] == pytest.approx([5e-4, 5e-4, 5e-4, 5e-5])


def test_the_saved_folder_gives_both_networks_back(whole):
    assert {path.name for path in (whole / "model").iterdir()} == {
        *("config.json", "model.safetensors", "pose.safetensors", "MODEL_CARD.md")
    }
    state = torch.load(whole / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    loaded, pose = create_model("lite_mono_tiny", weights=whole / "model"), PoseNetwork()
    assert (loaded.info.size, loaded.depth_range) == (SIZE, (0.1, 20.0))
    pose.load(whole / "model")
    for network, name in ((loaded, "network"), (pose, "pose")):
        assert all(torch.equal(value, state[f"{name}.{key}"]) for key, value in network.state_dict().items())
    image = torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    trained = create_model("lite_mono_tiny", input_size=SIZE, max_depth=20.0)
    trained.load_state_dict({key[8:]: value for key, value in state.items() if key.startswith("network.")})
    with torch.inference_mode():
        given = loaded({"image": image})
        assert torch.equal(given["disparity"], trained({"image": image})["disparity"])
    assert torch.allclose(given["disparity"], 0.05 + 9.95 * given["raw"])


def test_a_run_that_was_killed_goes_on_with_losses_and_weights_of_an_unbroken_one(whole, cache):
    killed = whole.with_name("killed")
    assert not (killed / "model").exists()
    train(config_for(killed, cache, resume=True))
    assert lines(killed) == lines(whole)
    for name in ("model.safetensors", "pose.safetensors"):
        weights = [load_file(folder / "model" / name) for folder in (whole, killed)]
        assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_a_pose_network_starts_from_a_run_from_imagenet_or_fresh_and_the_same(whole, tmp_path):
    trained = load_file(whole / "model" / "pose.safetensors")
    for path in (whole / "model", whole / "model" / "pose.safetensors"):
        found = pose_network(PhotometricConfig(pose_weights=str(path))).state_dict()
        assert all(torch.equal(found[key], trained[key]) for key in found)
    fresh = [pose_network(PhotometricConfig()).state_dict() for _ in range(2)]
    assert all(torch.equal(fresh[0][key], fresh[1][key]) for key in fresh[0])
    assert not torch.equal(fresh[0]["decoder.net.0.weight"], trained["decoder.net.0.weight"])
    resnet = timm.create_model("resnet18", features_only=True).state_dict()
    torch.save(resnet, tmp_path / "resnet18.pth")
    started = pose_network(PhotometricConfig(pose_imagenet=str(tmp_path / "resnet18.pth"))).state_dict()
    assert torch.equal(started["encoder.encoder.layer4.1.conv2.weight"], resnet["layer4.1.conv2.weight"])
    with pytest.raises(OptionError, match="give pose_weights or pose_imagenet, not both"):
        pose_network(PhotometricConfig(pose_weights="a", pose_imagenet="b"))
    with pytest.raises(ModelError, match=r"photometric\.pose_imagenet: none\.pth: no such file; .* or null"):
        pose_network(PhotometricConfig(pose_imagenet="none.pth"))


def toy_batch():
    """A textured wall that the camera passes, two pixels a frame; what networks see is darker than what was taken."""
    stream = torch.Generator().manual_seed(0)
    wide = torch.nn.functional.interpolate(torch.rand(2, 3, 16, 20, generator=stream), (64, 80), mode="bicubic")
    frames = [wide.clamp(0, 1)[..., start : start + 64].contiguous() for start in (4, 6, 8)]
    batch = dict(zip(("earlier", "image", "later"), frames, strict=True))
    batch |= {name: 0.8 * frame for name, frame in zip(("seen_earlier", "seen", "seen_later"), frames, strict=True)}
    camera = torch.tensor([[50.0, 0.0, 31.5], [0.0, 50.0, 31.5], [0.0, 0.0, 1.0]])
    return batch | {"intrinsics": camera.expand(2, 3, 3), "id": ["a", "b"]}


def toy_module(**options):
    config = TrainConfig(
        loss="photometric",
        model=ModelConfig("lite_mono_tiny"),
        data=DataConfig(interval=1, hears=False),
        optimiser=OptimiserConfig(lr=3e-4),
        photometric=PhotometricConfig(**options),
    )
    network = create_model("lite_mono_tiny", input_size=SIZE, max_depth=20.0)
    return SelfSupervised(network, config, 10, 5)


def test_steps_lower_the_loss():
    module, batch = toy_module(), toy_batch()
    optimiser, losses = torch.optim.AdamW(module.groups), []
    for step in range(4):
        torch.manual_seed(step)
        loss = module.batch_loss(batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-2:]) < 0.5 * sum(losses[:2]), losses
    assert all(weight.grad is not None for weight in module.parameters())


def test_networks_see_varied_colours_in_the_order_of_time_and_the_loss_those_that_were_taken():
    module, batch = toy_module(smoothness=0.1, auto_mask=False).eval(), toy_batch()
    with torch.no_grad():
        # Motions at the start are too small to tell their order.
        module.pose.decoder.net[-1].weight *= 50.0
        scales = module.network({"image": batch["seen"]})["raw_scales"]
        motions = [
            pose_matrix(*module.pose(batch["seen_earlier"], batch["seen"])).inverse(),
            pose_matrix(*module.pose(batch["seen"], batch["seen_later"])),
        ]
        sources = [batch["earlier"], batch["later"]]
        options = {"depth_range": (0.1, 20.0), "weight": 0.1, "auto_mask": False}
        found = []
        for ordered in (motions, motions[::-1]):
            torch.manual_seed(5)
            found.append(photometric(scales, batch["image"], sources, ordered, batch["intrinsics"], **options).item())
        torch.manual_seed(5)
        assert module.batch_loss(batch).item() == pytest.approx(found[0], abs=1e-6)
    assert abs(found[0] - found[1]) > 1e-4


def test_in_half_precision_the_loss_is_in_full_and_nearly_the_same():
    module, batch = toy_module().eval(), toy_batch()
    with torch.no_grad():
        full = module.batch_loss(batch)
        with torch.autocast("cpu", torch.bfloat16):
            half = module.batch_loss(batch)
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(full.item(), rel=0.02)


def test_what_cannot_be_trained_so_is_refused(tmp_path, cache):
    with pytest.raises(ModelError, match=r"batvision_unet_128: loss photometric trains .* monodepth2, monovit or lite"):
        train(config_for(tmp_path, cache, model=ModelConfig("batvision_unet_128")))
    with pytest.raises(OptionError, match=r"data\.size \(60, 64\): lite_mono_tiny takes .* multiples of 32 from 32"):
        train(config_for(tmp_path, cache, data={"size": (60, 64)}))
    with pytest.raises(OptionError, match=r"loss photometric with data\.interval None: .* give both"):
        config_for(tmp_path, cache, data={"interval": None})
    with pytest.raises(OptionError, match=r"loss silog with data\.interval 20"):
        config_for(tmp_path, cache, loss="silog")
