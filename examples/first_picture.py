"""A picture and its echo to metres: `python examples/first_picture.py PICTURE WAV`, or without both in a made room."""

import sys

import avsnet


def made_room():
    """Picture, echo and what is known of them, of a simulated office."""
    room = avsnet.rooms.sample("offices", seed=300_001, size=(192, 256))
    known = {"sample_rate": 44_100, "intrinsics": room["K"], "rig": room["rig"].geometry}
    return room["rgb"], room["audio"], known


def main(words: list[str]) -> None:
    """Predict, read what to know, and save."""
    picture, echo, known = (*words, {}) if words else made_room()
    # The network's own metres and the echo are weighed by what each is worth; the prediction says how sure it is.
    prediction = avsnet.predict(picture, echo, **known)

    height, width = prediction.depth.shape
    print(f"straight ahead: {prediction.depth[height // 2, width // 2]:.2f} m along the optical axis")
    print(f"scale from: {prediction.scale_source}")
    if prediction.interval is not None:
        low, high = prediction.interval
        print(f"the median depth lies between {low:.2f} and {high:.2f} m with 90 % probability")
    for text in (*prediction.assumptions, *prediction.warnings):
        print(f"know: {text}")

    prediction.save("first.npz")  # everything; avsnet.Prediction.load reads it back
    prediction.save("first.png")  # 16-bit millimetres, 0 = unknown
    print("wrote first.npz and first.png")


if __name__ == "__main__":
    main(sys.argv[1:])
