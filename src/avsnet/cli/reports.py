"""What is here: the rows of a data set, the things installed, the depth models."""

from pathlib import Path


def check(
    root: str,
    *,
    layout: str = "auto",
    out: str | None = None,
    full_scale: float | None = None,
    workers: int = 0,
) -> int:
    """Read a whole data set once: counts beside the published ones, what is broken, and figures of sound and depth.

    Exit code 1 when something is broken. A count that differs from the published one is reported, not broken.

    Args:
        root: its folder: BatVision V1 or V2, VisualEchoes, or captures of your own.
        layout: auto, v1, v2, visual_echoes or folder.
        out: CSV to write, one line per row.
        full_scale: for V1, what recordings are divided by where their type does not say, such as 32768.
        workers: further processes to read with.
    """
    from avsnet.cli.predict_files import check_writable
    from avsnet.data.check import check

    if out is not None:
        check_writable(Path(out).parent)
    report = check(root, layout, full_scale=full_scale, workers=workers)
    if out is not None:
        report.write_csv(out)
    print(*report.lines(), sep="\n")
    return 0 if report.whole else 1


def doctor() -> int:
    """Tell what is installed: versions, devices, caches, sound cards, and what each missing extra would give."""
    from avsnet.cli.doctor import report

    print(report())
    return 0


def models() -> int:
    """List the depth models: what they give, their licences, where weights are published, which are on this disk."""
    from avsnet.models.registry import PREFIX_FORMS, list_models, model_info
    from avsnet.weights import PACKAGED, cache_folder, find_weights

    rows = [("name", "gives", "parameters", "code licence", "weights licence", "on disk", "published", "source")]
    for info in map(model_info, list_models()):
        count = "unknown" if info.parameters is None else f"{info.parameters:,}"
        weights = find_weights(info.name)
        here = "no" if weights is None else "packaged" if weights.parent == PACKAGED else "yes"
        published = info.published or "nowhere"
        rows.append(
            (info.name, info.output, count, info.code_licence, info.weights_licence, here, published, info.source)
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if len(rows) > 1:
        print("\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows))
        print(f"Published weights belong in {cache_folder()}, a file or folder under the model's name.")
    else:
        print("No network of its own is registered yet.")
    print("Networks of others, by prefix: " + ", ".join(PREFIX_FORMS))
    return 0
