"""View synthesis and its loss against the golden of the originals, against slow references, and on simulated rooms."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from avsnet.errors import OptionError
from avsnet.losses import minimum_error, photometric, photometric_error, smoothness, ssim_error
from avsnet.models.self_supervised.pose import pose_matrix
from avsnet.rooms import sample
from avsnet.view_synthesis import backproject, inverse_depth, project, warp
from places import SHARED

GOLDEN = SHARED / "golden" / "photometric" / "case1.npz"


@pytest.fixture(scope="module")
def golden():
    """The arrays, and `K`, `motions` (previous, next), `scales` and `pyramid` as our functions take them."""
    if not GOLDEN.is_file():
        pytest.skip("../shared/golden/photometric is absent")
    with np.load(GOLDEN) as arrays:
        case = {key: torch.from_numpy(arrays[key]) for key in arrays}
    height, width = case["target"].shape[2:]
    case["K"] = (case["K_normalised"][:3, :3] * torch.tensor([[width], [height], [1.0]]))[None]
    case["motions"] = [
        pose_matrix(case["axisangle"][index], case["translation"][index], invert=index == 0) for index in (0, 1)
    ]
    case["scales"] = [case[f"disp_{scale}"] for scale in range(4)]
    case["pyramid"] = [case["target"], *(case[f"target_s{scale}"] for scale in range(1, 4))]
    return case


def of_scale(case, scale):
    """Errors of the warped sources and of the sources as they are, (1, 2, H, W), by the disparity of one scale."""
    size = case["target"].shape[2:]
    depth = 1.0 / inverse_depth(F.interpolate(case["scales"][scale], size, mode="bilinear"))
    points = backproject(depth, case["K"])
    sources = (case["prev"], case["next"])
    warped = [
        warp(source, project(points, motion, case["K"]))
        for source, motion in zip(sources, case["motions"], strict=True)
    ]
    errors = (
        torch.cat([photometric_error(one, case["target"]) for one in pictures], 1) for pictures in (warped, sources)
    )
    return *errors, warped


def test_depth_points_and_places_are_the_golden_ones(golden):
    for motion, name in zip(golden["motions"], ("prev", "next"), strict=True):
        torch.testing.assert_close(motion, golden[f"out_T_{name}"], rtol=0, atol=1e-6)
    for scale in (0, 2):
        full = F.interpolate(golden["scales"][scale], golden["target"].shape[2:], mode="bilinear")
        torch.testing.assert_close(1.0 / inverse_depth(full), golden[f"out_depth_{scale}"], rtol=1e-6, atol=1e-6)
    points = backproject(golden["out_depth_0"], golden["K"])
    torch.testing.assert_close(points, golden["out_points_0"], rtol=1e-6, atol=1e-6)
    grid = project(golden["out_points_0"], golden["out_T_next"], golden["K"])
    torch.testing.assert_close(grid, golden["out_grid_next_0"], rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("align_corners", [True, False])
def test_warped_pictures_are_the_golden_ones(golden, align_corners):
    for name, motion in zip(("prev", "next"), golden["motions"], strict=True):
        grid = project(golden["out_points_0"], motion, golden["K"])
        expected = golden[f"out_warp_{name}_0_align_{str(align_corners).lower()}"]
        torch.testing.assert_close(warp(golden[name], grid, align_corners), expected, rtol=0, atol=1e-4)
        assert not torch.allclose(warp(golden[name], grid, not align_corners), expected, rtol=0, atol=1e-4)


def test_errors_masks_and_roughness_are_the_golden_ones(golden):
    for scale in range(4):
        warped, unmoved, pictures = of_scale(golden, scale)
        _, mask = minimum_error(warped, unmoved, golden["tie_noise"][scale])
        assert (mask[:, 0] == golden[f"out_automask_{scale}"].bool()).double().mean() >= 0.999
        rough = smoothness(golden["scales"][scale], golden["pyramid"][scale])
        torch.testing.assert_close(rough, golden[f"out_smooth_{scale}"], rtol=0, atol=1e-6)
        if scale == 0:
            found = {"ssim_next_0": ssim_error(pictures[1], golden["target"])}
            for index, name in enumerate(("prev", "next")):
                found[f"reproj_{name}_0"], found[f"identity_{name}"] = warped[:, [index]], unmoved[:, [index]]
    for name, value in found.items():
        torch.testing.assert_close(value, golden[f"out_{name}"], rtol=0, atol=1e-6 if "identity" in name else 1e-4)
    exact = [ssim_error(golden["out_warp_next_0_align_true"], golden["target"])]
    exact += [photometric_error(golden[f"out_warp_{name}_0_align_true"], golden["target"]) for name in ("prev", "next")]
    for value, name in zip(exact, ("ssim_next_0", "reproj_prev_0", "reproj_next_0"), strict=True):
        torch.testing.assert_close(value, golden[f"out_{name}"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("align_corners", [True, False])
def test_the_loss_of_every_scale_and_of_all_is_the_golden_one(golden, align_corners):
    common = (golden["target"], [golden["prev"], golden["next"]], golden["motions"], golden["K"])
    ends = f"align_{str(align_corners).lower()}"
    for scale in range(4):
        found = photometric(
            golden["scales"][scale : scale + 1],
            *common,
            weight=1e-3 / 2**scale,
            align_corners=align_corners,
            noise=golden["tie_noise"][scale : scale + 1],
            pyramid=golden["pyramid"][scale : scale + 1],
        )
        assert found.item() == pytest.approx(float(golden[f"out_loss_{scale}_{ends}"]), abs=1e-6)
    options = {"align_corners": align_corners, "noise": golden["tie_noise"], "pyramid": golden["pyramid"]}
    found = photometric(golden["scales"], *common, **options)
    assert found.item() == pytest.approx(float(golden[f"out_loss_{ends}"]), abs=1e-6)


def test_under_autocast_the_loss_is_the_same_number(golden):
    def loss():
        sources = [golden["prev"], golden["next"]]
        options = {"noise": golden["tie_noise"], "pyramid": golden["pyramid"]}
        return photometric(golden["scales"], golden["target"], sources, golden["motions"], golden["K"], **options)

    with torch.autocast("cpu", torch.bfloat16):
        half = loss()
    assert half.dtype == torch.float32 and torch.equal(half, loss())


def test_a_warped_pixel_is_that_of_the_source_where_its_point_is_seen():
    """One pixel at a time, in double precision, by a pinhole camera and bilinear weights written out."""
    height, width = 6, 9
    stream = torch.Generator().manual_seed(0)
    depth = 1.0 + torch.rand(1, 1, height, width, generator=stream, dtype=torch.float64)
    source = torch.rand(1, 3, height, width, generator=stream, dtype=torch.float64)
    camera = torch.tensor([[8.0, 0.1, 4.2], [0.0, 7.0, 2.4], [0.0, 0.0, 1.0]], dtype=torch.float64)
    turn, move = torch.tensor([[0.05, -0.1, 0.2]]).double(), torch.tensor([[0.3, -0.2, 0.1]]).double()
    motion = pose_matrix(turn, move)
    found = warp(source, project(backproject(depth, camera[None]), motion, camera[None]))[0]
    outside = 0
    for row in range(height):
        for column in range(width):
            point = np.linalg.inv(camera.numpy()) @ [column, row, 1.0] * float(depth[0, 0, row, column])
            x, y, z = camera.numpy() @ (motion[0, :3, :3].numpy() @ point + motion[0, :3, 3].numpy())
            x, y = x / z, y / z
            outside += not (0 <= x <= width - 1 and 0 <= y <= height - 1)
            x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
            left, top = min(int(x), width - 2), min(int(y), height - 2)
            right, down = x - left, y - top
            expected = sum(
                share * source[0, :, top + low, left + far]
                for low, far, share in (
                    (0, 0, (1 - down) * (1 - right)),
                    (0, 1, (1 - down) * right),
                    (1, 0, down * (1 - right)),
                    (1, 1, down * right),
                )
            )
            torch.testing.assert_close(found[:, row, column], expected, rtol=0, atol=1e-5)
    assert 3 < outside < height * width - 10  # both kinds are there


def test_no_motion_gives_the_picture_itself_whatever_the_depth():
    image, depth = torch.rand(2, 3, 32, 48), 0.1 + 10.0 * torch.rand(2, 1, 32, 48)
    camera = torch.tensor([[40.0, 0.0, 23.5], [0.0, 40.0, 15.5], [0.0, 0.0, 1.0]]).expand(2, 3, 3)
    still = torch.eye(4).expand(2, 4, 4)
    torch.testing.assert_close(
        warp(image, project(backproject(depth, camera), still, camera)), image, atol=1e-4, rtol=0
    )


def test_equal_pictures_have_no_error_and_opposite_ones_nearly_the_largest():
    image = torch.rand(1, 3, 8, 8)
    assert photometric_error(image, image).abs().max() < 1e-6
    black, white = torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)
    assert photometric_error(black, white).mean() == pytest.approx(0.85 * (1 - 1e-4 / 1.0001) / 2 + 0.15)


def test_roughness_does_not_know_the_unit_of_disparity_and_is_forgiven_at_edges_of_the_picture():
    step = torch.ones(1, 1, 8, 8)
    step[..., 4:] = 2.0
    flat, edge = torch.zeros(1, 3, 8, 8), step.expand(1, 3, 8, 8) - 1.0
    assert smoothness(step, flat).item() == pytest.approx(8 * 1.0 / 1.5 / 56)
    assert smoothness(step, edge).item() == pytest.approx(8 * np.exp(-1.0) / 1.5 / 56)
    torch.testing.assert_close(smoothness(7.0 * step, flat), smoothness(step, flat))


def test_a_depth_range_that_makes_no_sense_is_refused():
    assert inverse_depth(torch.tensor([0.0, 1.0]), 0.5, 20.0).tolist() == pytest.approx([0.05, 2.0])
    for least, most in ((2.0, 1.0), ("near", 10.0)):
        with pytest.raises(OptionError, match=rf"min_depth {least!r}, max_depth {most}: wanted 0 < min_depth"):
            inverse_depth(torch.zeros(1), least, most)


RANGE = (0.2, 40.0)


@pytest.fixture(scope="module")
def walk():
    """Three frames of a simulated office, 20 apart, their true depth as a sigmoid, camera and motions."""
    frames = [sample("offices", 3, frame, size=(96, 128), samples=0) for frame in (0, 20, 40)]
    pictures = [torch.from_numpy(one["rgb"].transpose(2, 0, 1) / 255.0).float()[None] for one in frames]
    depth = torch.from_numpy(frames[1]["depth"])[None, None]
    assert depth.min() > RANGE[0] and depth.max() < RANGE[1]
    low, high = 1.0 / RANGE[1], 1.0 / RANGE[0]
    motions = [
        torch.from_numpy(np.linalg.inv(frames[index]["pose"]) @ frames[1]["pose"]).float()[None] for index in (0, 2)
    ]
    return {
        "target": pictures[1],
        "sources": [pictures[0], pictures[2]],
        "scales": [(1.0 / depth - low) / (high - low)],
        "motions": motions,
        "intrinsics": torch.from_numpy(frames[1]["K"]).float()[None],
        "depth_range": RANGE,
        "weight": 0.0,
        "noise": torch.zeros(1, 1, 2, 96, 128),
    }


def test_true_depth_and_motion_explain_a_walk_and_others_do_not(walk):
    """What is left of the loss is the noise of the camera, and what one picture shows and the other hides."""
    true = photometric(**walk).item()
    wrong = {
        "backwards": {"motions": [torch.linalg.inv(motion) for motion in walk["motions"]]},
        "swapped": {"motions": walk["motions"][::-1]},
        "unmoved": {"motions": [torch.eye(4)[None]] * 2},
        "flat": {"scales": [torch.full_like(walk["scales"][0], walk["scales"][0].mean())]},
        "twice the disparity": {"scales": [2.0 * walk["scales"][0]]},
    }
    losses = {name: photometric(**walk | change).item() for name, change in wrong.items()}
    assert true < 0.04
    assert all(loss > 1.9 * true for name, loss in losses.items() if name in ("backwards", "swapped", "unmoved"))
    assert all(loss > 1.35 * true for loss in losses.values()), losses


def test_a_static_scene_is_masked_and_teaches_no_depth_and_a_moving_one_is_not(walk):
    stream = torch.Generator().manual_seed(0)

    def masked(sources):
        depth = 1.0 / inverse_depth(walk["scales"][0], *RANGE)
        points = backproject(depth, walk["intrinsics"])
        places = [project(points, motion, walk["intrinsics"]) for motion in walk["motions"]]
        pairs = [(warp(source, place), source) for source, place in zip(sources, places, strict=True)]
        errors = (torch.cat([photometric_error(pair[kind], walk["target"]) for pair in pairs], 1) for kind in (0, 1))
        _, mask = minimum_error(*errors, walk["noise"][0])
        return 1.0 - mask.float().mean().item()

    still = [walk["target"] + 0.002 * torch.randn(walk["target"].shape, generator=stream) for _ in range(2)]
    assert masked(still) > 0.99 and masked(walk["sources"]) < 0.2
    scale = walk["scales"][0].clone().requires_grad_()
    exact = [walk["target"]] * 2
    (taught,) = torch.autograd.grad(photometric(**walk | {"scales": [scale], "sources": exact}), scale)
    assert not taught.any()
    (taught,) = torch.autograd.grad(photometric(**walk | {"scales": [scale], "sources": exact}, auto_mask=False), scale)
    assert taught.any()
    (taught,) = torch.autograd.grad(photometric(**walk | {"scales": [scale]}), scale)
    assert (taught != 0.0).float().mean() > 0.9
