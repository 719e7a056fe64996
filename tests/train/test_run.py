import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
import yaml
from huggingface_hub import PyTorchModelHubMixin
from lightning import Callback
from torch import nn

from avsnet.cli import main
from avsnet.errors import DataError, ModelError, OptionError, OutputError, TrainingError
from avsnet.models import ModelInfo, create_model, register_model, registry
from avsnet.train.callbacks import Table
from avsnet.train.config import DataConfig, ModelConfig, OptimiserConfig, TrainConfig
from avsnet.train.config_file import write_config
from avsnet.train.run import train


class Toy(nn.Module, PyTorchModelHubMixin):
    """Sees and hears a little, and drops out, so that chance inside the network has a say."""

    def __init__(self, weights=None, start=2.0):
        super().__init__()
        self.see, self.hear, self.drop = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(2, 4), nn.Dropout(0.5)
        self.out = nn.Conv2d(4, 1, 1)
        nn.init.constant_(self.out.bias, start)
        if weights is not None:
            self.load_state_dict(create_state(weights))

    def parameter_groups(self):
        return {"encoder": list(self.see.parameters()), "rest": [*self.hear.parameters(), *self.out.parameters()]}

    def forward(self, batch):
        heard = self.hear(batch["waveform"].std(-1))[..., None, None]
        return {"metric_depth": nn.functional.softplus(self.out(self.drop(self.see(batch["image"]) + heard)))}


def create_state(folder):
    from safetensors.torch import load_file

    return load_file(f"{folder}/model.safetensors")


@pytest.fixture(scope="module", autouse=True)
def toy_network():
    """`toy_net` and whatever a test registers, on a copy of the registry."""
    registry.list_models()  # the real models must register before the copy is made
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_MODELS", dict(registry._MODELS))
        register_model(ModelInfo("toy_net", "metric_depth", "Apache-2.0", "none", "this test"))(Toy)
        yield


def config_for(root, out, **changes):
    data = {"size": (8, 12), "batch_size": 4, "workers": 0} | changes.pop("data", {})
    optimiser = {"lr": 0.02, "pct_start": 0.3, "div_factor": 10.0, "clip": 1.0} | changes.pop("optimiser", {})
    return TrainConfig(
        **{
            "out": str(out),
            "epochs": 3,
            "loss": "log_l1",
            "save_every": 2,
            "log_every": 1,
            "pictures": 0,
            "accelerator": "cpu",
            "model": ModelConfig("toy_net"),
            "data": DataConfig(train=[f"batvision_v2:{root}"], val=[f"batvision_v2:{root}"], **data),
            "optimiser": OptimiserConfig(**optimiser),
        }
        | changes
    )


def lines(folder, name="metrics.csv", columns=("step", "epoch", "loss", "lr")):
    with (folder / name).open(newline="") as file:
        return [tuple(row[column] for column in columns) for row in csv.DictReader(file)]


class Stop(Exception):
    pass


class StopAfter(Callback):
    """Ends a run as an error would, before the step that follows."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_start(self, trainer, module, batch, batch_index):
        if trainer.global_step == self.step:
            raise Stop


@pytest.fixture(scope="module")
def finished(toy_world, tmp_path_factory):
    """A whole run: its folder and its config."""
    out = tmp_path_factory.mktemp("finished") / "run"
    config = config_for(toy_world, out, pictures=3, epochs=8, model=ModelConfig("toy_net", None, {"start": 9.0}))
    train(config, command="avsnet train toy.yaml")
    return out, config


def test_a_run_learns_and_its_folder_tells_all_about_it(finished):
    out, _ = finished
    losses = [float(loss) for _, _, loss, _ in lines(out)]
    assert len(losses) == 24
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])  # an epoch each
    assert {path.name for path in out.iterdir()} == {
        *("config.yaml", "environment.txt", "metrics.csv", "validation.csv"),
        *("tensorboard", "pictures", "checkpoints", "model"),
    }
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["last.ckpt"]
    assert {path.name for path in (out / "model").iterdir()} == {"config.json", "model.safetensors", "MODEL_CARD.md"}
    text = (out / "environment.txt").read_text()
    assert all(f"\n{name}: " in text for name in ("command", "seed", "git", "torch", "lightning", "device"))
    assert any(path.name.startswith("events") for path in (out / "tensorboard").iterdir())


def test_the_rate_rises_and_falls_by_the_schedule_of_the_configs_steps(finished):
    rates = [float(rate) for _, _, _, rate in lines(finished[0])]
    assert rates[0] == pytest.approx(0.002)
    assert max(rates) == pytest.approx(0.02, rel=0.02)
    assert rates.index(max(rates)) in (6, 7)  # 0.3 of 24
    assert rates[-1] == pytest.approx(2e-7)


def test_the_weights_that_are_kept_are_those_with_the_best_abs_rel(finished, toy_world):
    out, config = finished
    scores = [float(value) for (value,) in lines(out, "validation.csv", ("abs_rel",))]
    assert len(scores) == 8
    from avsnet.evaluation.protocol import validate
    from avsnet.train.datamodule import DepthData

    kept = create_model("toy_net", weights=out / "model")
    data = DepthData(config)
    (loader,), (cap,) = data.validation_loaders().values(), data.caps.values()
    assert cap == 30.0
    assert validate(kept, loader, cap=cap).compute()["abs_rel"] == pytest.approx(min(scores))


def test_the_card_tells_command_seed_data_duration_scores_and_limits(finished, toy_world):
    card = (finished[0] / "model" / "MODEL_CARD.md").read_text()
    assert card.startswith("---\nlibrary_name: avsnet\npipeline_tag: depth-estimation\n---\n\n# toy_net\n")
    best = min(lines(finished[0], "validation.csv", ("abs_rel", "step")), key=lambda row: float(row[0]))
    for part in (
        "command: `avsnet train toy.yaml`",
        "seed: 0",
        f"batvision_v2:{toy_world}, 12 samples at 8 x 12 pixels",
        "24 steps of 4 samples, loss log_l1, adamw",
        f"the weights are those of step {best[1]}",
        f"| 4 | {float(best[0]):.3f} |",
        "## Limits",
        "CC BY-SA 4.0",
    ):
        assert part in card
    assert re.search(r"duration: \d+\.\d minutes on 1 x \d+ CPU threads", card)


def test_what_was_left_out_stands_in_no_record_and_may_not_come_back_amid_the_run(toy_world, tmp_path, capsys):
    gone = f"batvision_v2:{tmp_path / 'more'}"
    config = config_for(toy_world, tmp_path / "run", epochs=1)
    config = replace(config, data=replace(config.data, train=[*config.data.train, gone], may_lack=[gone]))
    card = (train(config) / "MODEL_CARD.md").read_text()
    assert f"{gone}: not on this disk; the run goes on without it" in capsys.readouterr().err
    assert gone not in card and gone not in (tmp_path / "run" / "config.yaml").read_text()
    shutil.copytree(toy_world, tmp_path / "more")
    with pytest.raises(TrainingError, match=r"was begun with .*go on with that"):
        train(replace(config, resume=True))


def test_pictures_show_every_sample_with_a_bar_in_metres(finished):
    from avsnet.io.pictures import read_image

    pictures = sorted((finished[0] / "pictures").iterdir())
    assert [path.name for path in pictures] == [f"step_{step:07d}.png" for step in range(3, 25, 3)]
    drawn = read_image(pictures[0])
    assert drawn.shape[0] > 3 * 150 and drawn.shape[1] > 3 * 200
    assert drawn.std() > 20.0


@pytest.mark.parametrize(("stop", "accumulate"), [(1, 1), (3, 1), (4, 2), (5, 2), (8, 1)])
def test_a_run_that_was_stopped_goes_on_with_the_losses_of_an_unbroken_one(toy_world, tmp_path, stop, accumulate):
    changes = {"accumulate": accumulate, "validate_every": 0.67}
    train(config_for(toy_world, tmp_path / "whole", **changes))
    with pytest.raises(Stop):
        train(config_for(toy_world, tmp_path / "broken", **changes), callbacks=[StopAfter(stop)])
    assert len(lines(tmp_path / "broken")) == stop
    train(config_for(toy_world, tmp_path / "broken", **changes, resume=True))
    assert lines(tmp_path / "broken") == lines(tmp_path / "whole")
    scores = ("step", "source", "images", "abs_rel", "delta1")
    assert lines(tmp_path / "broken", "validation.csv", scores) == lines(tmp_path / "whole", "validation.csv", scores)
    weights = [create_state(tmp_path / name / "model") for name in ("whole", "broken")]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_a_line_of_the_log_that_spans_the_stop_has_the_same_mean(toy_world, tmp_path):
    changes = {"log_every": 3, "save_every": 2}
    train(config_for(toy_world, tmp_path / "whole", **changes))
    with pytest.raises(Stop):
        train(config_for(toy_world, tmp_path / "broken", **changes), callbacks=[StopAfter(5)])
    train(config_for(toy_world, tmp_path / "broken", **changes, resume=True))
    assert lines(tmp_path / "broken") == lines(tmp_path / "whole")


def test_a_run_that_the_system_stops_says_how_to_go_on(toy_world, tmp_path):
    class Terminate(Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_index):
            if trainer.global_step == 3:
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(TrainingError, match=r"the system stopped the run \(SIGTERM\); go on with it by --resume"):
        train(config_for(toy_world, tmp_path), callbacks=[Terminate()])
    train(config_for(toy_world, tmp_path, resume=True))
    assert len(lines(tmp_path)) == 9


def test_a_finished_run_that_is_resumed_stays_as_it_is(toy_world, tmp_path):
    train(config_for(toy_world, tmp_path))
    before, card = lines(tmp_path), (tmp_path / "model" / "MODEL_CARD.md").read_text()
    train(config_for(toy_world, tmp_path, resume=True))
    assert lines(tmp_path) == before
    assert [line for line in card.splitlines() if "|" in line] == [
        line for line in (tmp_path / "model" / "MODEL_CARD.md").read_text().splitlines() if "|" in line
    ]


def test_a_folder_with_a_run_is_not_written_over_and_another_run_is_not_gone_on_with(toy_world, tmp_path):
    train(config_for(toy_world, tmp_path, epochs=1))
    with pytest.raises(TrainingError, match="holds a run; go on with it by --resume"):
        train(config_for(toy_world, tmp_path, epochs=1))
    with pytest.raises(TrainingError, match=r"was begun with optimiser\.lr 0\.02, not 0\.01"):
        train(config_for(toy_world, tmp_path, epochs=1, resume=True, optimiser={"lr": 0.01}))


def test_resume_with_a_checkpoint_that_was_cut_short_is_one_line_and_changes_nothing(toy_world, tmp_path, capsys):
    out = tmp_path / "run"
    write_config(config_for(toy_world, out, steps=2), tmp_path / "run.yaml")
    assert main(["train", str(tmp_path / "run.yaml")]) == 0
    last, settings = out / "checkpoints" / "last.ckpt", (out / "environment.txt").read_bytes()
    for size in (len(last.read_bytes()) // 2, 0):
        last.write_bytes(last.read_bytes()[:size])
        capsys.readouterr()
        assert main(["train", str(tmp_path / "run.yaml"), "--resume"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"avsnet: error: {last}: is no whole checkpoint")
        assert (out / "environment.txt").read_bytes() == settings


def test_resume_without_a_checkpoint_begins(toy_world, tmp_path):
    train(config_for(toy_world, tmp_path, steps=2, resume=True))
    assert len(lines(tmp_path)) == 2


def test_a_loss_that_is_no_number_names_the_samples_and_what_learned_nothing_may_begin_anew(
    toy_world, tmp_path, monkeypatch
):
    forward = Toy.forward
    monkeypatch.setattr(
        Toy, "forward", lambda self, batch: {"metric_depth": forward(self, batch)["metric_depth"] / 0.0}
    )
    with pytest.raises(TrainingError, match=r"the loss of step 0 is (inf|nan) on the samples Hall/\d+, Hall/\d+, Hall"):
        train(config_for(toy_world, tmp_path))
    monkeypatch.undo()
    train(config_for(toy_world, tmp_path, steps=2))
    assert len(lines(tmp_path)) == 2


def test_frozen_groups_and_divided_rates_are_kept(toy_world, tmp_path):
    fresh = Toy()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        fresh = Toy()
    train(config_for(toy_world, tmp_path, steps=3, optimiser={"divisors": {"encoder": 0.0}, "weight_decay": 0.1}))
    state = create_state(tmp_path / "model")
    assert torch.equal(state["see.weight"], fresh.see.weight)
    assert not torch.equal(state["hear.weight"], fresh.hear.weight)
    with pytest.raises(OptionError, match="there is no group 'decoder', only encoder, rest"):
        train(config_for(toy_world, tmp_path / "b", optimiser={"divisors": {"decoder": 2.0}}))
    with pytest.raises(OptionError, match="nothing is left to train"):
        train(config_for(toy_world, tmp_path / "c", optimiser={"divisors": {"encoder": 0.0, "rest": -1.0}}))


def test_training_starts_from_weights_that_are_given(toy_world, tmp_path, finished):
    config = config_for(toy_world, tmp_path, steps=1, optimiser={"lr": 1e-9, "weight_decay": 0.0})
    config.model.weights = str(finished[0] / "model")
    train(config)
    start, end = create_state(finished[0] / "model"), create_state(tmp_path / "model")
    assert all(torch.allclose(start[key], end[key], atol=1e-6) for key in start)


def test_half_precision_keeps_weights_and_loss_in_full(toy_world, tmp_path):
    train(config_for(toy_world, tmp_path / "half", steps=3, precision="bf16-mixed", optimiser={"clip": 0.0}))
    train(config_for(toy_world, tmp_path / "full", steps=3, optimiser={"clip": 0.0}))
    assert {value.dtype for value in create_state(tmp_path / "half" / "model").values()} == {torch.float32}
    half, full = (float(lines(tmp_path / name)[-1][2]) for name in ("half", "full"))
    assert half != full
    assert half == pytest.approx(full, rel=0.02)


def test_unreadable_rows_are_counted_and_too_many_of_them_stop(toy_world, tmp_path, monkeypatch):
    from avsnet.data.batvision_v2 import BatVisionV2
    from avsnet.train import datamodule

    read = BatVisionV2.__getitem__

    def broken(self, row):
        if row == 3 and self.split == "train":
            raise DataError("Hall/4: broken file")
        return read(self, row)

    monkeypatch.setattr(BatVisionV2, "__getitem__", broken)
    with pytest.raises(DataError, match=r"1 rows cannot be read, others stand in: Hall/4: broken file; .*more than 1%"):
        train(config_for(toy_world, tmp_path / "strict"))
    monkeypatch.setattr(datamodule, "_TOLERANCE", 0.1)
    with pytest.warns(UserWarning, match="1 rows cannot be read, others stand in: Hall/4: broken file"):
        train(config_for(toy_world, tmp_path / "lenient"))
    assert len(lines(tmp_path / "lenient")) == 9


def test_a_network_without_metres_and_one_that_cannot_be_saved_are_refused(toy_world, tmp_path):
    class Relative(Toy):
        def forward(self, batch):
            return {"relative_depth": super().forward(batch)["metric_depth"]}

    register_model(ModelInfo("relative_net", "relative_depth", "-", "-", "this test"))(Relative)
    with pytest.raises(ModelError, match="relative_net gives relative_depth; to be trained it must give metric_depth"):
        train(config_for(toy_world, tmp_path, model=ModelConfig("relative_net")))
    register_model(ModelInfo("plain_net", "metric_depth", "-", "-", "this test"))(lambda: nn.Conv2d(1, 1, 1))
    with pytest.raises(ModelError, match="plain_net: cannot be saved"):
        train(config_for(toy_world, tmp_path, model=ModelConfig("plain_net")))


def test_the_verb_trains_from_yaml_with_flags_and_tells_speed_wait_and_time_left(toy_world, tmp_path, capsys):
    write_config(config_for(toy_world, "elsewhere"), tmp_path / "run.yaml")
    out = tmp_path / "run"
    assert main(["train", str(tmp_path / "run.yaml"), "--out", str(out), "--steps=4", "--data.batch-size", "6"]) == 0
    heard = capsys.readouterr()
    assert heard.out.strip() == str(out / "model")
    assert re.search(r"step 4/4, epoch 2\.00: loss \d\.\d+, [\d.]+ samples/s, data wait [\d.]+%, 0 s left", heard.err)
    assert re.search(r"step 2, batvision_v2:\S+ \(4 images\): abs_rel", heard.err)
    assert yaml.safe_load((out / "config.yaml").read_text())["data"]["batch_size"] == 6
    assert json.loads((out / "model" / "config.json").read_text()) == {"start": 2.0, "weights": None}
    assert main(["train", str(tmp_path / "run.yaml"), "--data.batch-sise", "6"]) == 2
    assert "did you mean data.batch_size?" in capsys.readouterr().err
    assert main(["train"]) == 0
    assert "--data.batch-size" in capsys.readouterr().out
    assert main(["train", "--out", "x"]) == 2


def test_a_line_of_the_log_that_a_disk_has_damaged_is_dropped(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"step,loss\n1,0.5\n2,0.\xff5\n2,0.\x1c5\n2,0.25\n")
    Table(tmp_path / "t.csv", ("step", "loss")).cut(2)
    assert (tmp_path / "t.csv").read_text().split() == ["step,loss", "1,0.5", "2,0.25"]


def test_a_table_is_cut_back_to_whole_lines_up_to_a_step(tmp_path):
    table = Table(tmp_path / "t.csv", ("step", "loss"))
    table.cut(0)
    for step in range(1, 5):
        table.add({"step": step, "loss": step / 2})
    with table.path.open("a") as file:
        file.write("5")
    table.cut(3)
    assert table.path.read_text() == "step,loss\n1,0.5\n2,1.0\n3,1.5\n"


@pytest.mark.slow
def test_a_process_that_is_killed_goes_on_with_the_losses_of_an_unbroken_one(toy_world, tmp_path):
    model = ModelConfig("batvision_unet_128", None, {"ngf": 2})
    for name in ("whole", "broken"):
        config = config_for(toy_world, tmp_path / name, model=model, epochs=20, data={"workers": 1})
        write_config(config, tmp_path / f"{name}.yaml")
    command = [sys.executable, "-m", "avsnet", "train"]
    subprocess.run([*command, tmp_path / "whole.yaml"], check=True, capture_output=True)
    run = subprocess.Popen([*command, tmp_path / "broken.yaml"], stderr=subprocess.DEVNULL)
    metrics = tmp_path / "broken" / "metrics.csv"
    while not metrics.exists() or metrics.read_text().count("\n") < 8:
        assert run.poll() is None
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert len(lines(tmp_path / "broken")) < 60
    subprocess.run([*command, tmp_path / "broken.yaml", "--resume"], check=True, capture_output=True)
    assert lines(tmp_path / "broken") == lines(tmp_path / "whole")
    assert len(lines(tmp_path / "whole")) == 60


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_checkpoint_that_was_cut_short_is_one_clear_error(toy_world, tmp_path, share):
    train(config_for(toy_world, tmp_path))
    last = next(tmp_path.rglob("last.ckpt"))
    whole = last.read_bytes()
    last.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(TrainingError, match=r"last\.ckpt: is no whole checkpoint .*delete it to begin anew"):
        train(config_for(toy_world, tmp_path, resume=True))


def test_ctrl_c_says_how_to_go_on_and_leaves_ctrl_c_as_it_was(toy_world, tmp_path, capsys):
    class Interrupt(Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_index):
            if trainer.global_step == 3:
                raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match="go on with it by --resume"):
        train(config_for(toy_world, tmp_path), callbacks=[Interrupt()])
    assert signal.getsignal(signal.SIGINT) is handler
    train(config_for(toy_world, tmp_path, resume=True))
    assert len(lines(tmp_path)) == 9


def test_a_log_with_bad_lines_is_gone_on_with(toy_world, tmp_path):
    train(config_for(toy_world, tmp_path, steps=2))
    log = tmp_path / "metrics.csv"
    whole = log.read_bytes()
    log.write_bytes(whole + b"abc,0.1,1,1,1,1\n\xff\xfe\0\0,,\n3\n1,2,3,4,5,6,7,8\n")
    train(config_for(toy_world, tmp_path, steps=2, resume=True))
    assert log.read_bytes() == whole


@pytest.mark.parametrize("stored", [{}, [1], {"state_dict": {}}, {"global_step": "a", "loops": 3, "epoch": 0}])
def test_a_checkpoint_that_is_none_of_the_run_is_one_error(toy_world, tmp_path, stored):
    train(config_for(toy_world, tmp_path, steps=2))
    torch.save(stored, tmp_path / "checkpoints" / "last.ckpt")
    with pytest.raises(TrainingError, match=r"last\.ckpt: is no checkpoint of this run"):
        train(config_for(toy_world, tmp_path, steps=2, resume=True))


@pytest.mark.parametrize("failure", [RuntimeError("PytorchStreamWriter failed writing file"), OSError(28, "No space")])
def test_a_full_disk_is_one_error_and_leaves_the_checkpoint_before_it(toy_world, tmp_path, failure):
    class Full(Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_index):
            if trainer.global_step == 3:
                trainer.save_checkpoint = self.fail

        def fail(self, path):
            path.write_bytes(b"half")
            raise failure

    with pytest.raises(OutputError, match=r"last\.ckpt: cannot be written .*make room"):
        train(config_for(toy_world, tmp_path), callbacks=[Full()])
    assert not (tmp_path / "checkpoints" / "last.part").exists()
    train(config_for(toy_world, tmp_path, resume=True))
    assert len(lines(tmp_path)) == 9


def test_a_log_that_cannot_be_written_is_one_error(toy_world, tmp_path):
    class Full(Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_index):
            if trainer.global_step == 3:
                (tmp_path / "metrics.csv").unlink()
                (tmp_path / "metrics.csv").symlink_to("/dev/full")

    with pytest.raises(OutputError, match="cannot be written"):
        train(config_for(toy_world, tmp_path), callbacks=[Full()])
