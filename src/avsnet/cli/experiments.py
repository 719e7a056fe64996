"""Networks trained, judged, and the paper's tables made of them."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from avsnet.cli.flags import dashes
from avsnet.errors import OptionError


def train(words: Sequence[str]) -> int:
    """Train a network as a YAML file says: avsnet train configs/twin_av.yaml.

    Args:
        words: the file, then flags in place of its lines, such as --data.batch-size 8.
    """
    from avsnet.train.config import config_parser, read_config

    if not words or {"-h", "--help"} & set(words):
        print(dashes(config_parser().format_help()).rstrip())
        return 0
    if words[0].startswith("-"):
        raise OptionError("give the YAML file first: avsnet train CONFIG [FLAGS]")
    from avsnet.train.run import train

    print(train(read_config(words[0], words[1:]), command=shlex.join(["avsnet", "train", *words])))
    return 0


def evaluate(
    *,
    out: str,
    data: str | None = None,
    systems: str | None = None,
    scalings: str = "none",
    split: str = "test",
    cap: float | None = None,
    rig: str | None = None,
    seed: int = 0,
    shard: str | None = None,
    merge: bool = False,
) -> int:
    """Judge depth models on a data set by the paper's protocol, under several ways of finding the metres.

    Writes scores.csv (a row an image), intervals.csv (errors per metre of depth) and summary.csv; predictions are kept
    in predictions/, so that a run that was ended, or one with more scalings, does not predict again.

    Args:
        out: folder to write to.
        data: folder of BatVision V1 or V2, VisualEchoes or captures of your own.
        systems: comma-separated NAME[=WEIGHTS][@ECHO]; NAME as avsnet models lists it, or onnx:PATH, or
            huggingface:ID_OR_FOLDER; ECHO true (default), shuffled, silent, late or unaligned.
        scalings: comma-separated none, ranging, oracle_median, oracle_affine or RULE:SYSTEM, such as
            median:avsnet_tiny_av; each is applied to each system.
        split: train, val or test; of V2 also all.
        cap: metres up to which depth counts, where not the data set's own.
        rig: rig.json for ranging.
        seed: of the shuffled echoes.
        shard: I/N, judge only part I of N; then --merge.
        merge: join the shards in --out; a bare --merge will do.
    """
    from avsnet.evaluation.scores import merge as merge_shards
    from avsnet.evaluation.scores import parse_shard, table

    folder = Path(out)
    if merge:
        print(table(merge_shards(folder).rows))
        return 0
    if data is None or systems is None:
        raise OptionError("missing: --data and --systems say what to judge; --merge joins shards")
    from avsnet.audio.rig import Rig
    from avsnet.cli.predict_files import check_writable
    from avsnet.data.named import open_data
    from avsnet.evaluation.instances import Cases
    from avsnet.evaluation.run import check_trials
    from avsnet.evaluation.run import evaluate as judge
    from avsnet.evaluation.trials import Scaling, System, every_pair

    part = None if shard is None else parse_shard(shard)
    trials = every_pair(
        [System.parse(text) for text in systems.split(",")], [Scaling.parse(text) for text in scalings.split(",")]
    )
    check_trials(trials)
    check_writable(folder)
    opened = open_data(data, split, cap=cap)
    scores = judge(
        trials,
        Cases(opened.data, f"{opened.name}:{split}", opened.cap, seed),
        folder,
        shard=part,
        rig=None if rig is None else Rig.from_json(rig),
    )
    print(table(scores.rows))
    return 0


def reproduce(
    *,
    out: str,
    bv1: str | None = None,
    bv2: str | None = None,
    rooms: bool = False,
    images: int = 200,
    weights: str | None = None,
    av: str = "avsnet_tiny_av",
    v: str = "avsnet_tiny_v",
    models: str | None = None,
    train: str | None = None,
    left_out: str | None = None,
    workers: int = 2,
    shard: str | None = None,
    merge: bool = False,
) -> int:
    """Make the paper's tables and figures, on the real data or on simulated rooms, and one HTML report.

    Writes report.html, and every table as Markdown, LaTeX and CSV, every figure as PNG and SVG. Rows whose weights are
    not on this machine are shown as not run, with what to fetch.

    Args:
        out: folder to write to; a run that was ended is taken up there.
        bv1: root of BatVision V1.
        bv2: root of BatVision V2.
        rooms: the simulated twin in place of the real data, historic for V2 and offices for V1; a bare --rooms will do.
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
        merge: join the shards in --out; a bare --merge will do.
    """
    from avsnet.cli.predict_files import check_writable
    from avsnet.evaluation.instances import Cases
    from avsnet.evaluation.scores import parse_shard
    from avsnet.evaluation.trials import System
    from avsnet.reproduce.run import reproduce as run
    from avsnet.reproduce.table_rows import LEFT_OUT, Cast, check_cast

    if rooms == (bv1 is not None or bv2 is not None):
        raise OptionError("give either --rooms, or --bv1 and --bv2, or one of them")
    if images < 2:
        raise OptionError(f"--images is {images}, but must be 2 or more")
    if left_out is not None and bv2 is None:
        raise OptionError("--left-out names locations of BatVision V2; give --bv2")
    part = None if shard is None else parse_shard(shard)
    folder = Path(out)
    check_writable(folder)
    locations = left_out.split(",") if left_out else []
    cast = Cast(
        av,
        v,
        None if weights is None else Path(weights),
        tuple(System.parse(text) for text in models.split(",")) if models else (),
        grouped=rooms,
    )
    check_cast(cast)
    if train is not None:
        if weights is None:
            raise OptionError("--train needs --weights, the folder that it trains into")
        from avsnet.reproduce.training import parse_training, train_missing

        wanted = parse_training(train, cast)
        train_missing(wanted, Path(weights), None if bv2 is None else Path(bv2), locations)
    elif weights is not None and not Path(weights).is_dir():
        raise OptionError(f"--weights {weights}: no such folder; give the one that holds them, or --train makes it")
    cases: dict[str, Cases] = {}
    if rooms:
        from avsnet.reproduce.twin import twin_cases

        cases = twin_cases(images, folder / "rooms", workers)
        about = "Simulated rooms, not BatVision: the printed numbers stand beside for orientation, not for comparison."
    else:
        from avsnet.data.named import open_data

        for name, root in (("V2", bv2), ("V1", bv1)):
            if root is not None:
                opened = open_data(root, "test")
                if not opened.name.startswith(f"{name.lower()}:"):
                    raise OptionError(f"--b{name.lower()} {root}: wanted BatVision {name}, found {opened.name}")
                cases[name] = Cases(opened.data, f"{opened.name}:test", opened.cap)
        if bv2 is not None and locations:
            opened = open_data(bv2, "all", locations=locations)
            cases[LEFT_OUT] = Cases(opened.data, f"{opened.name}:{'+'.join(locations)}", opened.cap)
        about = "BatVision, the official test splits."
    found = run(cases, cast, folder, title="AVS-Net, reproduced", about=[about], shard=part, merged=merge)
    if found is None:
        print(f"part {shard} is done; when all are, avsnet reproduce --merge joins them")
        return 0
    for reason in found.not_run:
        print(reason)
    print(f"the report: {found.report}")
    return 0
