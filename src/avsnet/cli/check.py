"""`avsnet check`: what a data set holds, and what of it is broken."""

from pathlib import Path


def check(
    root: str,
    *,
    layout: str = "auto",
    out: str | None = None,
    full_scale: float | None = None,
    workers: int = 0,
    overwrite: bool = False,
) -> int:
    """Read a whole data set once: counts next to the published ones, what is broken, and figures of sound and depth.

    Exit code 1 when something is broken. A count that differs from the published one is reported, not broken.

    Args:
        root: its folder: BatVision V1 or V2, VisualEchoes, or captures of your own; or a source as in training, such as
            batvision_v2:ROOT.
        layout: auto, or the name of a data set: batvision_v1, batvision_v2, visual_echoes or folder.
        out: CSV to write, one line per row.
        full_scale: for V1, what recordings are divided by where their type does not say, such as 32768.
        workers: further processes to read with.
        overwrite: also replace a file that is no such table.
    """
    from avsnet.cli.results import check_writable, refuse_foreign
    from avsnet.data.check import check
    from avsnet.data.check_report import is_report

    if out is not None:
        check_writable(Path(out).parent)
        if not is_report(Path(out)):
            refuse_foreign([Path(out)], overwrite)
    report = check(root, layout, full_scale=full_scale, workers=workers)
    if out is not None:
        report.write_csv(out)
    print(*report.lines(), sep="\n")
    return 0 if report.whole else 1
