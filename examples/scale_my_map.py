"""A map of anyone's model, here a NumPy array in unknown units, to metres: `python examples/scale_my_map.py`."""

import numpy as np
import torch

import avsnet
from avsnet.models import ModelInfo


class MyMap(torch.nn.Module):
    """Hands out a map that another program made; `disparity`: 1 / depth, in any unit."""

    info = ModelInfo("my_map", "disparity", "MIT", "MIT", "here")

    def __init__(self, disparity: np.ndarray) -> None:
        super().__init__()
        self.disparity = torch.from_numpy(disparity.astype(np.float32))[None, None]

    def forward(self, batch):
        """The map, whatever the picture."""
        return {"disparity": self.disparity}


def main() -> None:
    """The same map by its echo, and by one distance that was measured."""
    room = avsnet.rooms.sample("offices", seed=300_001, size=(192, 256))
    truth = np.where(room["depth"] > 0.0, room["depth"], np.median(room["depth"]))
    given = {"depth_model": MyMap(7.0 / truth), "intrinsics": room["K"]}

    heard = avsnet.predict(
        room["rgb"], room["audio"], sample_rate=44_100, rig=room["rig"].geometry, scale_from="ear", **given
    )
    x, y = 128, 96  # pixels from the left and from the top
    measured = avsnet.predict(room["rgb"], scale_from=f"known:{x},{y},{truth[y, x]:.3f}", **given)

    for name, prediction in (("echo", heard), ("one distance", measured)):
        ratio = np.median(prediction.depth) / np.median(truth)
        print(f"by {name}: median {np.median(prediction.depth):.2f} m, {ratio:.2f} times the true one")
    low, high = heard.interval
    print(f"the echo says {low:.2f} to {high:.2f} m, with 90 % probability")


if __name__ == "__main__":
    main()
