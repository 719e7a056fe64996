"""A checkpoint that was cut short is one clear error, wherever the cut is."""

import pytest
import torch

from avsnet.errors import TrainingError
from avsnet.train.checkpoint import check_checkpoint


def test_a_whole_checkpoint_passes_and_one_that_is_not_there_is_none(tmp_path):
    torch.save({"weights": torch.zeros(1000)}, tmp_path / "last.ckpt")
    check_checkpoint(tmp_path / "last.ckpt")
    check_checkpoint(tmp_path / "none.ckpt")


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_cut_checkpoint_is_named_with_what_to_do(tmp_path, share):
    path = tmp_path / "last.ckpt"
    torch.save({"weights": torch.zeros(1000)}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(TrainingError, match=r"last\.ckpt: is no whole checkpoint.*delete it to begin anew") as caught:
        check_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_a_flipped_bit_is_found(tmp_path):
    path = tmp_path / "last.ckpt"
    torch.save({"weights": torch.ones(1000)}, path)
    whole = bytearray(path.read_bytes())
    whole[whole.index(b"\x00\x00\x80\x3f" * 10) + 3] ^= 1
    path.write_bytes(whole)
    with pytest.raises(TrainingError, match="is no whole checkpoint"):
        check_checkpoint(path)
