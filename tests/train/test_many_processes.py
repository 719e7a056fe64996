"""Two processes that share the work, against one that does it in two turns."""

import csv
import os
import subprocess
import sys

import pytest
import torch

SCRIPT = """
import sys
import torch
from lightning import Callback
from avsnet.train.config import DataConfig, ModelConfig, OptimiserConfig, TrainConfig
from avsnet.train.run import train

root, out, loss, processes = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])

class Keep(Callback):
    def __init__(self):
        self.gradients = []

    def on_before_optimizer_step(self, trainer, module, optimizer):
        self.gradients.append({name: weight.grad.clone() for name, weight in module.named_parameters()})

    def on_train_end(self, trainer, module):
        if trainer.is_global_zero:
            torch.save(self.gradients, out + ".gradients")

model = ModelConfig("batvision_unet_128", None, {"ngf": 2})
data = DataConfig(
    [f"batvision_v2:{root}"], [f"batvision_v2:{root}"], size=(16, 24), batch_size=4, workers=0, flip=0.5
)
if loss == "photometric":
    model = ModelConfig("lite_mono_tiny", None, {"input_size": [64, 64]})
    data = DataConfig(
        ["rooms:offices:0-3"], ["rooms:offices:7-10"], size=(64, 64), batch_size=4, workers=0, hears=False, interval=20
    )
train(
    TrainConfig(
        out=out, loss=loss, steps=4, save_every=4, log_every=1, pictures=1, accelerator="cpu",
        devices=processes, accumulate=2 // processes, model=model, data=data,
        optimiser=OptimiserConfig(lr=2e-3, pct_start=0.3, div_factor=10.0, clip=0.5),
    ),
    callbacks=[Keep()],
)
"""


def rows(folder, name):
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["silog", "l1", "photometric"])
def test_two_processes_give_the_losses_and_gradients_of_one_that_accumulates_both_halves(toy_world, tmp_path, loss):
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    launch = {1: [], 2: ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]}
    for processes, words in launch.items():
        command = [sys.executable, *words, "script.py", str(toy_world), f"run{processes}", loss, str(processes)]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    one, two = ([float(row["loss"]) for row in rows(tmp_path / f"run{n}", "metrics.csv")] for n in launch)
    assert two == pytest.approx(one, abs=1e-6) and len(one) == 4
    one, two = (torch.load(tmp_path / f"run{n}.gradients") for n in launch)
    assert len(one) == len(two) == 4
    for step in range(4):
        for name in one[step]:
            torch.testing.assert_close(two[step][name], one[step][name], atol=1e-6, rtol=1e-6)
    # Judged by both together: every image once.
    assert [row["images"] for row in rows(tmp_path / "run2", "validation.csv")] == ["4", "4"]
