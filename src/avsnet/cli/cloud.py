"""`avsnet cloud`: a saved prediction as a point cloud."""

from pathlib import Path


def cloud(
    prediction: str,
    *,
    out: str,
    image: str | None = None,
    axes: str = "camera",
    thin: int = 1,
    overwrite: bool = False,
) -> int:
    """Turn a prediction into a cloud of coloured points, PLY or GLB.

    Args:
        prediction: .npz that predict or scale wrote.
        out: NAME.ply or NAME.glb; a GLB is always y-up, as that format demands.
        image: the picture, for colours; without it the cloud is grey.
        axes: of a PLY, camera (x right, y down, z forward) or y_up (x right, y up, z backward).
        thin: keep one row and one column of so many; 3 leaves a ninth of the points.
        overwrite: also replace a file that avsnet did not write.
    """
    from avsnet.cli.results import refuse_foreign
    from avsnet.io.pictures import read_image
    from avsnet.prediction import Prediction

    points = Prediction.load(prediction).point_cloud(None if image is None else read_image(image), axes=axes, thin=thin)
    refuse_foreign([Path(out)], overwrite)
    points.save(out)
    size = Path(out).stat().st_size / 1e6
    print(f"{out}: {len(points)} points, {size:.1f} MB, {'y_up' if Path(out).suffix.lower() == '.glb' else axes} axes")
    return 0
