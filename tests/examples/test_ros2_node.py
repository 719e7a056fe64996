"""The ROS 2 example without ROS: its messages are stubs with the fields of the real ones."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from avsnet.audio.rig import Rig
from avsnet.audio.sound_card import Exchange
from avsnet.errors import EchoError
from avsnet.geometry import intrinsics_from_fov
from avsnet.prediction import Prediction
from places import ROOT

SIZE = (6, 8)
CAMERA = intrinsics_from_fov(SIZE[1], SIZE[0], 70.0)


class Message(SimpleNamespace):
    FLOAT32 = 7


class Node:
    """What the example needs of `rclpy.node.Node`."""

    def __init__(self, name):
        self.published, self.subscriptions, self.logged = {}, {}, []

    def declare_parameter(self, name, value):
        return SimpleNamespace(value={"chirp_every": 0.0}.get(name, value))

    def create_publisher(self, _kind, topic, _depth):
        return SimpleNamespace(publish=lambda message: self.published.setdefault(topic, []).append(message))

    def create_subscription(self, _kind, topic, callback, _qos):
        self.subscriptions[topic] = callback

    def get_logger(self):
        def log(text, **_options):
            self.logged.append(text)

        return SimpleNamespace(warning=log, info=log)


class Predictor:
    """Two metres everywhere but in one corner; an echo tells the confidence."""

    def __init__(self, depth_model, *, intrinsics, rig):
        self.given = (depth_model, intrinsics, rig)
        self.calls = []

    def __call__(self, image, echo=None, sample_rate=None):
        self.calls.append((image, echo, sample_rate))
        if echo is not None and not echo.any():
            raise EchoError("silent")
        depth = np.full(SIZE, 2.0, np.float32)
        depth[0, 0] = 0.0
        return Prediction(depth, "metric_depth", 1.0, 0.0, depth > 0, CAMERA, "toy", None, "toy", "0", ("a doubt",))


@pytest.fixture
def example(monkeypatch):
    names = ("Image", "CameraInfo", "PointCloud2", "PointField")
    stubs = {
        "rclpy": {"ok": lambda: False, "init": None},
        "rclpy.node": {"Node": Node},
        "rclpy.qos": {"qos_profile_sensor_data": None},
        "sensor_msgs": {},
        "sensor_msgs.msg": {name: type(name, (Message,), {}) for name in names},
        "std_msgs": {},
        "std_msgs.msg": {"Float32": type("Float32", (Message,), {})},
        "avsnet.predictor": {"Predictor": Predictor},
    }
    for name, members in stubs.items():
        module = ModuleType(name)
        module.__dict__.update(members)
        monkeypatch.setitem(sys.modules, name, module)
    space = {"__name__": "ros2_node"}
    exec(compile((ROOT / "examples" / "ros2_node.py").read_text(), "ros2_node.py", "exec"), space)
    return SimpleNamespace(**space)


def picture(encoding="rgb8", padding=4):
    rows = np.zeros((SIZE[0], 3 * SIZE[1] + padding), np.uint8)
    rows[:, : 3 * SIZE[1]] = np.tile([10, 20, 30] if encoding == "rgb8" else [30, 20, 10], SIZE[1])
    return Message(
        height=SIZE[0], width=SIZE[1], step=rows.shape[1], encoding=encoding, data=rows.tobytes(), header="stamp"
    )


def started(example):
    node = example.DepthNode()
    matrix = np.concatenate([CAMERA, np.zeros((3, 1))], axis=1)
    node.subscriptions["camera_info"](Message(p=matrix.ravel().tolist(), k=np.eye(3).ravel().tolist()))
    return node


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8"])
def test_a_picture_gives_metres_with_nan_where_unknown_and_a_coloured_cloud(example, encoding):
    node = started(example)
    node.subscriptions["image"](picture(encoding))
    (depth,) = node.published["depth"]
    metres = np.frombuffer(depth.data, "<f4").reshape(depth.height, depth.width)
    assert (depth.encoding, depth.step, depth.header) == ("32FC1", 4 * SIZE[1], "stamp")
    assert np.isnan(metres[0, 0]) and np.nanmin(metres) == np.nanmax(metres) == 2.0
    (cloud,) = node.published["points"]
    points = np.frombuffer(cloud.data, [("place", "<f4", 3), ("rgb", "<u4")])
    assert cloud.width == len(points) and cloud.row_step == len(cloud.data) == 16 * cloud.width
    assert [field.name for field in cloud.fields] == ["x", "y", "z", "rgb"]
    assert set(points["rgb"].tolist()) == {0x0A141E} and np.allclose(points["place"][:, 2], 2.0)
    assert np.isnan(node.published["confidence"][0].data) and node.logged == ["a doubt"]


def test_the_camera_is_that_of_the_rectified_picture_or_else_of_the_sensor(example):
    node = started(example)
    np.testing.assert_array_equal(node.predictor.given[1], CAMERA)
    other = example.DepthNode()
    other.subscriptions["camera_info"](Message(p=[0.0] * 12, k=CAMERA.ravel().tolist()))
    np.testing.assert_array_equal(other.predictor.given[1], CAMERA)


def test_without_a_camera_nothing_is_published(example):
    node = example.DepthNode()
    node.subscriptions["image"](picture())
    assert not node.published and "camera_info" in node.logged[0]


def test_an_echo_counts_for_one_picture_and_a_silent_one_is_logged(example):
    node = started(example)
    node.echo = np.ones((2, 100), np.float32)
    node.subscriptions["image"](picture())
    node.subscriptions["image"](picture())
    assert [call[2] for call in node.predictor.calls] == [48_000, None]
    node.echo = np.zeros((2, 100), np.float32)
    node.subscriptions["image"](picture())
    assert node.logged[-1] == "silent" and len(node.published["depth"]) == 2


def test_another_encoding_is_refused_by_name(example):
    with pytest.raises(ValueError, match="mono8"):
        example.pixels(Message(encoding="mono8"))


def test_listening_keeps_the_echo_of_a_chirp(example, monkeypatch):
    node = started(example)
    running = iter([True, False])
    monkeypatch.setattr(sys.modules["rclpy"], "ok", lambda: next(running))

    class Card:
        def exchange(self, signal, rate, channels):
            echo = np.pad(signal, (4_800, 48_000)) + 1e-4 * np.random.default_rng(0).normal(size=len(signal) + 52_800)
            return Exchange(np.stack([echo, echo]).astype(np.float32), 0)

    node.listen(Card())
    assert node.echo is not None and node.echo.shape[0] == 2 and np.abs(node.echo).max() > 0.4
    assert node.rig == Rig()
