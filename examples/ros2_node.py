"""A ROS 2 node: a camera topic and a sound device to metric depth, a cloud, and how far to trust them.

    ros2 run, or: python ros2_node.py --ros-args -r image:=/camera/image_raw -r camera_info:=/camera/camera_info

Subscribes: image (sensor_msgs/Image, rgb8 or bgr8), camera_info (sensor_msgs/CameraInfo).
Publishes, with the picture's stamp and frame (an optical frame: x right, y down, z forward, as REP 103 has it):
    depth       sensor_msgs/Image, 32FC1, metres, NaN where unknown (REP 118)
    points      sensor_msgs/PointCloud2, x y z rgb
    confidence  std_msgs/Float32, the probability that the scale lies within 15 %; NaN where nothing tells it
Parameters: depth_model, rig (a rig.json), chirp_every (seconds between chirps; 0: never), thin (of the cloud).

A thread of its own plays a chirp every `chirp_every` seconds and records its echo. The echo counts for the next
picture, so a robot should not move far meanwhile (recording takes about two seconds). Pictures between two chirps keep
the scale of the last one, with an interval that widens.
"""

import threading
import time

import numpy as np
import rclpy
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Float32

from avsnet.audio.capture import average, template_at
from avsnet.audio.chirp import chirp_train
from avsnet.audio.rig import Rig
from avsnet.audio.sound_card import PortAudioCard
from avsnet.errors import AvsnetError
from avsnet.predictor import Predictor

RATE = 48_000


class DepthNode(Node):
    """One predictor, made when the camera is known."""

    def __init__(self) -> None:
        super().__init__("avsnet_depth")
        defaults = {"depth_model": "avsnet_lite0_av", "rig": "", "chirp_every": 2.0, "thin": 2}
        self.settings = {name: self.declare_parameter(name, value).value for name, value in defaults.items()}
        self.rig = Rig.from_json(self.settings["rig"]) if self.settings["rig"] else Rig()
        self.predictor: Predictor | None = None
        self.echo: np.ndarray | None = None  # the last one that no picture has used
        self.depth = self.create_publisher(Image, "depth", 5)
        self.points = self.create_publisher(PointCloud2, "points", 5)
        self.confidence = self.create_publisher(Float32, "confidence", 5)
        self.create_subscription(CameraInfo, "camera_info", self.on_camera, qos_profile_sensor_data)
        self.create_subscription(Image, "image", self.on_image, qos_profile_sensor_data)
        if self.settings["chirp_every"] > 0.0:
            threading.Thread(target=self.listen, args=(PortAudioCard(),), daemon=True).start()

    def on_camera(self, info: CameraInfo) -> None:
        """Take the camera of the first message; it must be of the rectified picture, whose matrix is P."""
        if self.predictor is None:
            matrix = np.array(info.p).reshape(3, 4)[:, :3]
            matrix = matrix if matrix.any() else np.array(info.k).reshape(3, 3)
            self.predictor = Predictor(self.settings["depth_model"], intrinsics=matrix, rig=self.rig)

    def on_image(self, message: Image) -> None:
        """Depth of a picture."""
        if self.predictor is None:
            self.get_logger().warning("no camera_info yet: without it there are no metres", once=True)
            return
        picture, (echo, self.echo) = pixels(message), (self.echo, None)
        try:
            prediction = self.predictor(picture, echo, None if echo is None else RATE)
        except AvsnetError as error:
            self.get_logger().warning(str(error))
            return
        for warning in prediction.warnings:
            self.get_logger().info(warning)
        self.depth.publish(depth_message(prediction, message.header))
        self.points.publish(cloud_message(prediction.point_cloud(picture, thin=self.settings["thin"]), message.header))
        known = prediction.confidence
        self.confidence.publish(Float32(data=float("nan") if known is None else known))

    def listen(self, card: PortAudioCard) -> None:
        """Chirp and record, again and again."""
        template = template_at(self.rig, RATE)
        while rclpy.ok():
            try:
                heard = card.exchange(chirp_train(template, RATE), RATE, 2).waveform
                self.echo = average(heard, RATE, template).waveform
            except AvsnetError as error:
                self.get_logger().warning(str(error))
            time.sleep(self.settings["chirp_every"])


def pixels(message: Image) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a picture message, whose rows may be padded."""
    if message.encoding not in ("rgb8", "bgr8"):
        raise ValueError(f"encoding {message.encoding}: convert the picture to rgb8 or bgr8")
    rows = np.frombuffer(bytes(message.data), np.uint8).reshape(message.height, message.step)
    picture = rows[:, : 3 * message.width].reshape(message.height, message.width, 3)
    return np.ascontiguousarray(picture if message.encoding == "rgb8" else picture[..., ::-1])


def depth_message(prediction, header) -> Image:
    """32FC1 metres, NaN where unknown."""
    metres = np.where(prediction.valid, prediction.depth, np.nan).astype("<f4")
    height, width = metres.shape
    return Image(
        header=header,
        height=height,
        width=width,
        encoding="32FC1",
        is_bigendian=0,
        step=4 * width,
        data=metres.tobytes(),
    )


def cloud_message(cloud, header) -> PointCloud2:
    """x, y, z, and the colour as the float that holds 0x00RRGGBB."""
    packed = np.zeros(len(cloud), [("place", "<f4", 3), ("rgb", "u1", 4)])
    packed["place"], packed["rgb"][:, :3] = cloud.points, cloud.colours[:, ::-1]
    names = ("x", "y", "z", "rgb")
    fields = [PointField(name=n, offset=4 * i, datatype=PointField.FLOAT32, count=1) for i, n in enumerate(names)]
    return PointCloud2(
        header=header,
        height=1,
        width=len(cloud),
        fields=fields,
        is_bigendian=False,
        point_step=16,
        row_step=16 * len(cloud),
        data=packed.tobytes(),
        is_dense=True,
    )


def main() -> None:
    """Spin until interrupted."""
    rclpy.init()
    node = DepthNode()
    try:
        rclpy.spin(node)
    except KeyboardInterrupt:
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
