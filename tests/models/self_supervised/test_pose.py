"""The pose network against the golden of its original; its matrices against SciPy and the laws of motions."""

import numpy as np
import pytest
import timm
import torch
from scipy.spatial.transform import Rotation

from avsnet.errors import ModelError
from avsnet.models.self_supervised.pose import PoseNetwork, pose_matrix
from places import GOLDEN, SHARED

CASE = GOLDEN / "monodepth2" / "case1.npz"


@pytest.fixture(scope="module")
def golden():
    with np.load(CASE) as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays}


@pytest.fixture(scope="module")
def network(published_pose):
    network = PoseNetwork().eval()
    network.load(published_pose)
    return network


@pytest.fixture(scope="module")
def motions():
    """Axis times angle, among them none at all and more than half a turn, and translations."""
    rng = np.random.default_rng(0)
    axis_angle = rng.normal(size=(8, 3))
    axis_angle[0], axis_angle[1] = 0.0, [0.0, 4.0, 0.0]
    return torch.from_numpy(axis_angle), torch.from_numpy(rng.normal(size=(8, 3)))


def test_both_published_motions_and_the_matrices_of_the_first_are_the_golden_ones(network, golden):
    with torch.inference_mode():
        motions = network.motions(golden["image"], golden["image_next"])
        axis_angle, translation = network(golden["image"], golden["image_next"])
        swapped = network(golden["image_next"], golden["image"])
    assert torch.allclose(motions[..., :3], golden["axisangle"][:, :, 0], rtol=0, atol=1e-7)
    assert torch.allclose(motions[..., 3:], golden["translation"][:, :, 0], rtol=0, atol=1e-7)
    assert torch.allclose(pose_matrix(axis_angle, translation), golden["T_forward"], rtol=0, atol=1e-7)
    assert torch.allclose(pose_matrix(axis_angle, translation, invert=True), golden["T_inverse"], rtol=0, atol=1e-7)
    # The tolerance tells the order of the pictures, and the direction, apart.
    assert not torch.allclose(swapped[0], axis_angle, rtol=0, atol=1e-7)
    assert not torch.allclose(golden["T_forward"], golden["T_inverse"], rtol=0, atol=1e-7)


def test_a_matrix_turns_as_scipy_does_and_then_moves(motions):
    axis_angle, translation = motions
    matrices = pose_matrix(axis_angle, translation).numpy()
    assert np.allclose(matrices[:, :3, :3], Rotation.from_rotvec(axis_angle.numpy()).as_matrix(), atol=1e-6)
    assert np.allclose(matrices[:, :3, 3], translation)
    assert np.array_equal(matrices[:, 3], np.tile([0.0, 0.0, 0.0, 1.0], (8, 1)))


def test_a_motion_and_its_inverse_cancel(motions):
    both = pose_matrix(*motions) @ pose_matrix(*motions, invert=True)
    assert torch.allclose(both, torch.eye(4, dtype=both.dtype).expand_as(both), atol=1e-6)


def test_matrices_are_the_golden_ones_of_the_photometric_case():
    case = SHARED / "golden" / "photometric" / "case1.npz"
    if not case.is_file():
        pytest.skip("../shared/golden/photometric is absent")
    with np.load(case) as arrays:
        given = [torch.from_numpy(arrays[f"rot_{key}"]) for key in ("axisangle", "translation")]
        assert np.allclose(pose_matrix(*given), arrays["out_rot_T"], rtol=0, atol=1e-6)
        assert np.allclose(pose_matrix(*given, invert=True), arrays["out_rot_T_inverse"], rtol=0, atol=1e-6)


def test_started_from_imagenet_copies_of_a_picture_look_like_that_picture(tmp_path):
    resnet = timm.create_model("resnet18", features_only=True).eval()
    torch.save(timm.create_model("resnet18").state_dict() | resnet.state_dict(), tmp_path / "resnet18.pth")
    network, image = PoseNetwork().eval(), torch.rand(1, 3, 64, 96)
    network.load_imagenet(tmp_path / "resnet18.pth")
    with torch.inference_mode():
        found, expected = network.encoder(torch.cat([image, image], 1)), resnet((image - 0.45) / 0.225)
    assert all(torch.allclose(ours, theirs, atol=1e-4) for ours, theirs in zip(found, expected, strict=True))


def test_fresh_motions_are_small_and_train_every_weight():
    network = PoseNetwork()
    motion = torch.cat(network(torch.rand(2, 3, 64, 96), torch.rand(2, 3, 64, 96)), 1)
    assert motion.shape == (2, 6)
    assert motion.abs().max() < 0.1
    motion.sum().backward()
    assert [key for key, weight in network.named_parameters() if weight.grad is None] == []


def test_a_folder_without_a_pose_network_is_refused(published, published_pose, tmp_path):
    with pytest.raises(ModelError, match=r"holds neither pose_encoder\.pth and pose\.pth nor"):
        PoseNetwork().load(published("monodepth2"))
    for file in ("pose_encoder.pth", "pose.pth"):
        state = torch.load(published_pose / file, weights_only=True)
        torch.save({key: value for key, value in state.items() if not key.endswith("net.2.bias")}, tmp_path / file)
    with pytest.raises(ModelError, match=r"1 missing \(decoder\.net\.2\.bias\)"):
        PoseNetwork().load(tmp_path)
