"""`avsnet scale`: a map that any model gave to metres."""

from pathlib import Path

from avsnet.errors import OptionError


def scale(
    map: str,
    *,
    out: str,
    echo: str | None = None,
    reference: str | None = None,
    kind: str | None = None,
    scale_from: str = "auto",
    method: str | None = None,
    fov: float | None = None,
    intrinsics: str | None = None,
    rig: str | None = None,
    image: str | None = None,
    depth_scale: float | None = None,
    ply: bool = False,
    overwrite: bool = False,
) -> int:
    """Bring a depth or disparity map of any model to metres, by an echo or by a metric map.

    Writes <map>_depth.npz and <map>_depth.png (16-bit millimetres), with --image also <map>_panel.png.

    Args:
        map: .npy, .npz (its array depth), 16-bit .png or float .tif.
        out: folder to write to.
        echo: WAV of the echo; give this or reference.
        reference: metric map of the same size, read like the map.
        kind: what the map's numbers mean: metric_depth, relative_depth, affine_depth, disparity or affine_disparity;
            an .npz of avsnet tells it itself.
        scale_from: with echo: auto (the ear; with image beside the packaged AVS-Net, for metric maps beside their own
            metres), ear, ranging, known:x,y,metres, or with image the name or folder of an AVS-Net.
        method: with reference or an AVS-Net: median (default), weighted_median, mean, least_squares or affine (scale
            and shift; the default where the shift is open), the last two also as robust_least_squares and
            robust_affine; or finer than one number: log_affine (scale and contrast; by ear, too), robust_log_affine,
            histogram, grid, shrunk_grid.
        fov: horizontal field of view in degrees.
        intrinsics: camera file, in place of fov.
        rig: rig.json, where speaker and ears sit.
        image: the picture, for an AVS-Net, the panel and the colours of the point cloud.
        depth_scale: units per metre of a metric map, such as 1000 for millimetres; without it whole numbers are
            millimetres and floats are metres.
        ply: also write <map>_depth.ply, a point cloud.
        overwrite: also replace files of these names that avsnet did not write.
    """
    from avsnet.audio.rig import Rig
    from avsnet.cli.results import check_writable, remove_abandoned
    from avsnet.cli.scale_files import read_map_file, scale_file

    if (echo is None) == (reference is None):
        raise OptionError("the metres come from one thing: give either --echo or --reference")
    check_writable(Path(out))
    remove_abandoned(Path(out))
    line = scale_file(
        read_map_file(Path(map), kind, depth_scale),
        Path(out),
        echo=None if echo is None else Path(echo),
        reference=None if reference is None else Path(reference),
        scale_from=scale_from,
        method=method,
        fov=fov,
        intrinsics=intrinsics,
        rig=None if rig is None else Rig.from_json(rig),
        image=None if image is None else Path(image),
        depth_scale=depth_scale,
        ply=ply,
        overwrite=overwrite,
    )
    print(line)
    return 0
