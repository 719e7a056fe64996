"""What a run's card tells of the code."""

import os
import subprocess

import pytest

from avsnet.train.card import _git, model_card
from avsnet.train.config import DataConfig, TrainConfig


def test_asking_what_has_changed_writes_nothing_into_the_repository(tmp_path):
    """A lock that git takes to refresh its index would stay behind where the disk is full."""
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "a"]):
        (tmp_path / "a.txt").write_text("a")
        subprocess.run(["git", "-C", tmp_path, *words], check=True)
    os.utime(tmp_path / "a.txt", (1, 1))  # alike, but git must look to know
    index = (tmp_path / ".git" / "index").read_bytes()
    assert _git(tmp_path, "status", "--porcelain") == ""
    assert (tmp_path / ".git" / "index").read_bytes() == index


@pytest.mark.parametrize(
    ("sources", "told", "simulated"),
    [
        (["rooms:offices:0-3"], "Apache-2.0, as the code", True),
        (["half_real:rooms:offices:0-3"], "Apache-2.0, as the code", True),
        (["rooms:offices:0-3", "half_real:rgbd:nyu"], "rgbd:nyu: data with terms of their own", False),
        (["batvision_v2:x"], "BatVision is under CC BY-SA 4.0", False),
    ],
)
def test_the_card_tells_whose_terms_the_data_have(sources, told, simulated):
    config = TrainConfig(data=DataConfig(train=sources), epochs=1)
    card = model_card(config, command="", rows=1, steps=1, best_step=1, seconds=1.0, parameters=1, scores={})
    assert told in card.partition("## Licences")[2]
    assert ("Trained on simulated rooms only" in card) == simulated == ("license: apache-2.0" in card)
