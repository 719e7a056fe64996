"""`avsnet reproduce`: the paper's tables and figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from avsnet.errors import OptionError
from avsnet.models import packaged

if TYPE_CHECKING:
    from avsnet.evaluation.instances import Cases
    from avsnet.reproduce.table_rows import Cast

_REAL = "BatVision, the official test splits."
_SIMULATED = (
    "Simulated rooms, not BatVision: the printed numbers stand next to them for orientation, not for comparison."
)


def reproduce(
    *,
    out: str,
    bv1: str | None = None,
    bv2: str | None = None,
    rooms: bool = False,
    images: int = 200,
    weights: str | None = None,
    av: str = packaged.AV,
    v: str = packaged.V,
    models: str | None = None,
    train: str | None = None,
    left_out: str | None = None,
    workers: int = 2,
    shard: str | None = None,
    merge: bool = False,
    overwrite: bool = False,
) -> int:
    """Make the paper's tables and figures, on the real data or on simulated rooms, and one HTML report.

    Writes report.html, and every table as Markdown, LaTeX and CSV, every figure as PNG and SVG. Rows whose weights are
    not on this machine are shown as not run, with what to fetch.

    Args:
        out: folder to write to; a run that was ended is taken up there.
        bv1: root of BatVision V1.
        bv2: root of BatVision V2.
        rooms: the simulated twin in place of the real data, historic for V2 and offices for V1.
        images: with rooms, how many unseen ones of each kind.
        weights: folder with further weights, <model> or <model>_<tag>; see docs/reproduce.md.
        av: the audio-visual AVS-Net.
        v: the visual-only one.
        models: further depth models for Table 2, comma-separated, such as onnx:PATH or huggingface:ID_OR_FOLDER.
        train: comma-separated NAME=CONFIG; weights that are not in --weights are trained into it first, on --bv2 if
            that is given, else on the config's own data.
        left_out: with bv2, comma-separated locations of it: all their rows, whatever their part, test <av>_left_out
            and <v>_left_out, which are trained without them.
        workers: with rooms, processes that make them.
        shard: I/N, evaluate only part I of N; then --merge.
        merge: join the shards in --out.
        overwrite: also replace a report.html that avsnet did not write.
    """
    from avsnet.cli.results import check_writable, refuse_foreign
    from avsnet.evaluation.scores import parse_shard
    from avsnet.reproduce.run import reproduce as run
    from avsnet.reproduce.table_rows import check_cast

    _check_choices(rooms, images, bv1, bv2, left_out)
    part = None if shard is None else parse_shard(shard)
    folder = Path(out)
    check_writable(folder)
    refuse_foreign([folder / "report.html"], overwrite)
    locations = left_out.split(",") if left_out else []
    cast = _cast(av, v, weights, models, rooms)
    check_cast(cast)
    _complete_weights(cast, weights, train, bv2, locations)
    cases = _rooms(images, folder, workers) if rooms else _batvision(bv1, bv2, locations)
    about = [_SIMULATED if rooms else _REAL, *_not_the_papers(cast)]
    found = run(cases, cast, folder, title="AVS-Net, reproduced", about=about, shard=part, merged=merge)
    if found is None:
        print(f"part {shard} is done; when all are, avsnet reproduce --merge joins them")
        return 0
    for reason in found.not_run:
        print(reason)
    print(f"the report: {found.report}")
    return 0


def _check_choices(rooms: bool, images: int, bv1: str | None, bv2: str | None, left_out: str | None) -> None:
    """Refuse flags that do not go together."""
    if rooms == (bv1 is not None or bv2 is not None):
        raise OptionError("give either --rooms, or --bv1 and --bv2, or one of them")
    if images < 2:
        raise OptionError(f"--images is {images}, but must be 2 or more")
    if left_out is not None and bv2 is None:
        raise OptionError("--left-out names locations of BatVision V2; give --bv2")


def _cast(av: str, v: str, weights: str | None, models: str | None, rooms: bool) -> Cast:
    """Which system plays which part in the tables."""
    from avsnet.evaluation.trials import System
    from avsnet.reproduce.table_rows import Cast

    extra = tuple(System.parse(text) for text in models.split(",")) if models else ()
    return Cast(av, v, None if weights is None else Path(weights), extra, grouped=rooms)


def _complete_weights(cast: Cast, weights: str | None, train: str | None, bv2: str | None, left_out: list[str]) -> None:
    """Train what --train names and --weights lacks; without --train, see that the folder is there."""
    if train is None:
        if weights is not None and not Path(weights).is_dir():
            raise OptionError(f"--weights {weights}: no such folder; give the one that holds them, or --train makes it")
        return
    if weights is None:
        raise OptionError("--train needs --weights, the folder that it trains into")
    from avsnet.reproduce.training import parse_training, train_missing

    train_missing(parse_training(train, cast), Path(weights), None if bv2 is None else Path(bv2), left_out)


def _not_the_papers(cast: Cast) -> list[str]:
    """What to say of AVS-Nets that did not learn from V2 alone, as the paper's did: the packaged ones."""
    from avsnet.evaluation.trials import System
    from avsnet.weights import packaged_training

    told = []
    for name in (cast.av, cast.v):
        system, seen = cast.system(name), packaged_training(name)
        if isinstance(system, System) and system.weights == "default" and seen is not None:
            told.append(
                f"{name} is the packaged one, trained on {seen}: where tables and sentences say V2 ->, it did not "
                "learn from V2 alone. --weights or --train give one by the paper's protocol."
            )
    return told


def _rooms(images: int, folder: Path, workers: int) -> dict[str, Cases]:
    """The simulated twin of both parts of BatVision."""
    from avsnet.reproduce.twin import twin_cases

    return twin_cases(images, folder / "rooms", workers)


def _batvision(bv1: str | None, bv2: str | None, left_out: list[str]) -> dict[str, Cases]:
    """The official test splits, and of V2 the locations that training left out."""
    from avsnet.data.reading import Reading
    from avsnet.data.registry import open_data
    from avsnet.evaluation.instances import Cases
    from avsnet.reproduce.table_rows import LEFT_OUT

    cases = {}
    for name, root in (("V2", bv2), ("V1", bv1)):
        if root is not None:
            opened = open_data(root)
            if opened.info.name != f"batvision_{name.lower()}":
                raise OptionError(f"--b{name.lower()} {root}: wanted BatVision {name}, found {opened.name}")
            cases[name] = Cases(opened.data, f"{opened.name}:test", opened.cap)
    if bv2 is not None and left_out:
        opened = open_data(bv2, Reading("all", locations=left_out))
        cases[LEFT_OUT] = Cases(opened.data, f"{opened.name}:{'+'.join(left_out)}", opened.cap)
    return cases
