"""Frames of one camera with an echo now and then: `python examples/stream.py`."""

import numpy as np

import avsnet

FRAMES, EVERY = 6, 3  # an echo with every third frame


def walk():
    """Pictures of a simulated walk, with an echo or None, and what is known of camera and rig."""
    for frame in range(FRAMES):
        heard = frame % EVERY == 0
        room = avsnet.rooms.sample("offices", 300_001, frame, size=(120, 160), samples=None if heard else 0)
        yield room["rgb"], room.get("audio"), room["K"], room["rig"].geometry


def main() -> None:
    """The scale is carried from echo to echo, ever less certain in between."""
    predictor = None
    for number, (picture, echo, intrinsics, rig) in enumerate(walk()):
        if predictor is None:  # model, camera and rig are loaded once
            predictor = avsnet.Predictor("avsnet_lite0_v", scale_from="ear", intrinsics=intrinsics, rig=rig)
        prediction = predictor(picture, echo, 44_100)
        low, high = prediction.interval
        source = "echo" if echo is not None else "carried"
        print(f"frame {number} ({source}): median {np.median(prediction.depth):.2f} m, 90 %: {low:.2f} to {high:.2f} m")
    predictor.reset()  # before pictures of another scene


if __name__ == "__main__":
    main()
