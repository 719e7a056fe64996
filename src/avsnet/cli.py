"""The command line: `avsnet VERB`, a verb being a plain function whose signature is its flags.

What a verb needs is imported inside it, so that `avsnet --help` answers at once. Flags are written with dashes;
jsonargparse, which reads them off the signature, knows only underscores, so they are mapped here.
"""

import difflib
import inspect
import io
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import avsnet
from avsnet.errors import AvsnetError, DepthError, OptionError

if TYPE_CHECKING:
    import torch


def demo(*, out: str, rooms: int = 6, seed: int = 0) -> int:
    """Make unseen rooms, depth with and without the echo, and a page that shows it; needs no data.

    Args:
        out: folder for the page, the pictures, the echoes and the depth.
        rooms: how many; historic ones and offices in turn.
        seed: draws the rooms, the unknown units and the noise.
    """
    from avsnet.demo import demo
    from avsnet.predict_files import check_writable

    for name, value, least in (("seed", seed, 0), ("rooms", rooms, 1)):
        if value < least:
            raise OptionError(f"{name} {value} is below {least}")
    check_writable(Path(out))
    print(demo(Path(out), rooms, seed))
    return 0


def predict(
    image: str,
    *,
    out: str,
    depth_model: str = "avsnet_tiny_av",
    echo: str | None = None,
    scale_from: str = "auto",
    fov: float | None = None,
    intrinsics: str | None = None,
    rig: str | None = None,
    ply: bool = False,
    model_output: str | None = None,
    model_layout: str | None = None,
    model_size: str | None = None,
) -> int:
    """Turn a picture, or a folder of pictures, into depth in metres.

    Writes <picture>_depth.png (16-bit millimetres), <picture>_depth.npz and <picture>_panel.png.

    Args:
        image: a picture, or a folder of them.
        out: folder to write to.
        depth_model: a name that `avsnet models` lists, NAME=PATH with the weights of that file or folder, onnx:PATH,
            huggingface:ID_OR_FOLDER, or the folder of a saved AVS-Net.
        echo: WAV of the echo; for a folder of pictures the folder of their WAVs, which have the same stem or the
            same number at its end.
        scale_from: auto (none for an AVS-Net, else the packaged one), none, ranging, known:x,y,metres (the depth at
            one pixel of the picture), or the name or folder of an AVS-Net.
        fov: horizontal field of view in degrees.
        intrinsics: camera file, in place of fov.
        rig: rig.json, where speaker and ears sit.
        ply: also write <picture>_depth.ply, a point cloud; a bare --ply will do.
        model_output: for onnx:PATH without a side file, or a huggingface: model that does not tell, what its numbers
            mean, such as disparity.
        model_layout: for onnx:PATH without a side file, NCHW or NHWC.
        model_size: likewise, height,width of its input in pixels; for huggingface: in place of its default.
    """
    from tqdm import tqdm

    from avsnet.audio.rig import Rig
    from avsnet.predict import scale_source
    from avsnet.predict_files import check_writable, jobs, run

    folder = Path(out)
    check_writable(folder)
    many = os.path.isdir(image)
    if many and folder.resolve() == Path(image).resolve():
        raise OptionError(f"{out}: holds the pictures; give another folder, or results would become pictures")
    to_do = jobs(Path(image), None if echo is None else Path(echo))
    model = _model(depth_model, model_output, model_layout, model_size)
    scale_source(scale_from, model.info, echo is not None)  # type: ignore[arg-type]  # one mistake, not one a picture
    options: dict[str, Any] = {"scale_from": scale_from, "fov": fov, "intrinsics": intrinsics, "ply": ply}
    options["rig"] = None if rig is None else Rig.from_json(rig)
    if not many:
        print(run(to_do[0], model, folder, **options))
        return 0
    failures = []
    for job in tqdm(to_do, unit="picture", file=sys.stderr):
        try:
            tqdm.write(run(job, model, folder, **options), file=sys.stdout)
        except AvsnetError as error:
            failures.append(f"{job.image.name}: {_one_line(error)}")
    if failures:
        print(f"avsnet: {len(failures)} of {len(to_do)} pictures failed:", *failures, sep="\n  ", file=sys.stderr)
    return 1 if failures else 0


def scale(
    map: str,
    *,
    out: str,
    echo: str | None = None,
    reference: str | None = None,
    kind: str | None = None,
    method: str | None = None,
    fov: float | None = None,
    intrinsics: str | None = None,
    rig: str | None = None,
    image: str | None = None,
    depth_scale: float = 1000.0,
    ply: bool = False,
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
        method: with reference: median (default), mean, least_squares or affine (scale and shift), the last two also
            as robust_least_squares and robust_affine.
        fov: horizontal field of view in degrees.
        intrinsics: camera file, in place of fov.
        rig: rig.json, where speaker and ears sit.
        image: the picture, for the panel and the colours of the point cloud.
        depth_scale: units per metre of maps in whole numbers.
        ply: also write <map>_depth.ply, a point cloud; a bare --ply will do.
    """
    from avsnet.audio.rig import Rig
    from avsnet.predict_files import check_writable
    from avsnet.scale_files import read_map_file, scale_file

    if (echo is None) == (reference is None):
        raise OptionError("the metres come from one thing: give either --echo or --reference")
    if echo is not None and method is not None:
        raise OptionError(f"--method {method} is a rule for --reference; an echo sets one factor by itself")
    check_writable(Path(out))
    line = scale_file(
        read_map_file(Path(map), kind, depth_scale),
        Path(out),
        echo=None if echo is None else Path(echo),
        reference=None if reference is None else Path(reference),
        method=method or "median",
        fov=fov,
        intrinsics=intrinsics,
        rig=None if rig is None else Rig.from_json(rig),
        image=None if image is None else Path(image),
        depth_scale=depth_scale,
        ply=ply,
    )
    print(line)
    return 0


def echo(
    depth: str,
    *,
    out: str,
    intrinsics: str | None = None,
    fov: float | None = None,
    rig: str | None = None,
    seed: int = 0,
    duration: float = 0.5,
    gain: float | None = None,
    depth_scale: float = 1000.0,
) -> int:
    """Make the echo that two ears would record where a depth map was taken; a folder of maps gives one for each.

    Where the camera looks the echo follows from the map; what it does not see is guessed. Writes rig.json beside it.

    Args:
        depth: metric map, 16-bit .png, float .tif, .npy or .npz, or a folder of them.
        out: WAV to write; for a folder of maps, a folder.
        intrinsics: camera file.
        fov: horizontal field of view in degrees, in place of intrinsics.
        rig: rig.json, where speaker and ears sit; drawn from the seed if not given.
        seed: draws the rig, the materials, what the camera does not see, rays and noise.
        duration: seconds.
        gain: recording level, at which a path of 1 m arrives; drawn from the seed if not given.
        depth_scale: units per metre of maps in whole numbers, such as 5000 for TUM.
    """
    from tqdm import tqdm

    from avsnet.audio.rig import Rig
    from avsnet.echo_files import check_rig_file, echo_jobs, make_echo
    from avsnet.predict_files import check_writable
    from avsnet.rooms.echo_of_depth import rig_for

    recording_rig = rig_for(seed, None if rig is None else Rig.from_json(rig), gain)
    to_do, rig_file = echo_jobs(Path(depth), Path(out))
    check_writable(rig_file.parent)
    check_rig_file(recording_rig.geometry, rig_file)
    options: dict[str, Any] = {"intrinsics": intrinsics, "fov": fov, "seed": seed, "duration": duration}
    failures = []
    for job in tqdm(to_do, unit="map", file=sys.stderr, disable=len(to_do) == 1):
        try:
            line = make_echo(job, recording_rig, depth_scale=depth_scale, **options)
        except DepthError as error:
            if not os.path.isdir(depth):
                raise
            failures.append(f"{job.depth.name}: {_one_line(error)}")
            continue
        tqdm.write(line, file=sys.stdout)
        if not rig_file.exists():
            recording_rig.geometry.to_json(rig_file)
    if failures:
        print(f"avsnet: {len(failures)} of {len(to_do)} maps failed:", *failures, sep="\n  ", file=sys.stderr)
    return 1 if failures else 0


def simulate(
    domain: str,
    *,
    out: str,
    locations: int,
    poses: int,
    seed: int = 0,
    layout: str | None = None,
    size: str = "256x256",
    workers: int = 1,
    shard: str = "1/1",
    preset: str = "rooms-1",
    k: str | None = None,
    ambiguous: float | None = None,
) -> int:
    """Write a data set of simulated rooms, with picture, depth and echo, in the layout of BatVision V1 or V2.

    Killed and started again with the same flags, it completes what is missing.

    Args:
        domain: kind of rooms, offices or historic.
        out: folder to write to, new or begun by the same command.
        locations: how many rooms.
        poses: how many samples of each: in V1 a smooth walk, 10 a second, in V2 different places.
        seed: draws the rooms; data sets of different seeds share none.
        layout: v1 or v2; without it v1 for offices and v2 for historic.
        size: of picture and depth, height x width in pixels.
        workers: processes.
        shard: I/N, only every N-th room beginning with the I-th; other shards may be written to the same folder.
        preset: name of the simulator's knobs.
        k: in place of the preset's, range of the rooms' scale, such as 0.5,1.6.
        ambiguous: in place of the preset's, share of rooms in which everything scales.
    """
    from avsnet.predict_files import check_writable
    from avsnet.rooms.writer import DEFAULT_LAYOUT, Plan, write_dataset

    numbers = re.fullmatch(r"(\d+)[x,](\d+)", size)
    if not numbers:
        raise OptionError(f"--size is {size!r}, but must be height x width in pixels, such as 256x256")
    part = re.fullmatch(r"(\d+)/(\d+)", shard)
    if not part:
        raise OptionError(f"--shard is {shard!r}, but must be I/N, such as 1/4")
    if k is not None:
        preset += f",k={k.replace(',', ':')}"
    if ambiguous is not None:
        preset += f",ambiguous={ambiguous:g}"
    plan = Plan(
        domain=domain,
        locations=locations,
        poses=poses,
        seed=seed,
        layout=layout or DEFAULT_LAYOUT.get(domain, "v1"),
        size=(int(numbers[1]), int(numbers[2])),
        preset=preset,
    )
    check_writable(Path(out))
    made = write_dataset(plan, Path(out), workers=workers, shard=(int(part[1]), int(part[2])))
    print(f"{out}: {made} samples made; layout {plan.layout}, {locations} rooms of {poses}, preset {preset}")
    return 0


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
    from avsnet.data.check import check
    from avsnet.predict_files import check_writable

    if out is not None:
        check_writable(Path(out).parent)
    report = check(root, layout, full_scale=full_scale, workers=workers)
    if out is not None:
        report.write_csv(out)
    print(*report.lines(), sep="\n")
    return 0 if report.whole else 1


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
        split: train, val or test.
        cap: metres up to which depth counts, where not the data set's own.
        rig: rig.json for ranging.
        seed: of the shuffled echoes.
        shard: I/N, judge only part I of N; then --merge.
        merge: join the shards in --out; a bare --merge will do.
    """
    from avsnet.reproduce.scores import merge as merge_shards
    from avsnet.reproduce.scores import parse_shard, table

    folder = Path(out)
    if merge:
        print(table(merge_shards(folder).rows))
        return 0
    if data is None or systems is None:
        raise OptionError("missing: --data and --systems say what to judge; --merge joins shards")
    from avsnet.audio.rig import Rig
    from avsnet.data.named import open_data
    from avsnet.predict_files import check_writable
    from avsnet.reproduce.cases import Cases
    from avsnet.reproduce.evaluate import check_trials
    from avsnet.reproduce.evaluate import evaluate as judge
    from avsnet.reproduce.trials import Scaling, System, every_pair

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
        workers: with rooms, processes that make them.
        shard: I/N, evaluate only part I of N; then --merge.
        merge: join the shards in --out; a bare --merge will do.
    """
    from avsnet.predict_files import check_writable
    from avsnet.reproduce.cases import Cases
    from avsnet.reproduce.plan import Cast
    from avsnet.reproduce.run import reproduce as run
    from avsnet.reproduce.scores import parse_shard
    from avsnet.reproduce.trials import System

    if rooms == (bv1 is not None or bv2 is not None):
        raise OptionError("give either --rooms, or --bv1 and --bv2, or one of them")
    if images < 2:
        raise OptionError(f"--images is {images}, but must be 2 or more")
    part = None if shard is None else parse_shard(shard)
    folder = Path(out)
    check_writable(folder)
    if train is not None:
        if weights is None:
            raise OptionError("--train needs --weights, the folder that it trains into")
        from avsnet.reproduce.training import parse_training, train_missing

        train_missing(parse_training(train), Path(weights), None if bv2 is None else Path(bv2))
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
                cases[name] = Cases(opened.data, f"{opened.name}:test", opened.cap)
        about = "BatVision, the official test splits."
    cast = Cast(
        av,
        v,
        None if weights is None else Path(weights),
        tuple(System.parse(text) for text in models.split(",")) if models else (),
        grouped=rooms,
    )
    found = run(cases, cast, folder, title="AVS-Net, reproduced", about=[about], shard=part, merged=merge)
    if found is None:
        print(f"part {shard} is done; when all are, avsnet reproduce --merge joins them")
        return 0
    for reason in found.not_run:
        print(reason)
    print(f"the report: {found.report}")
    return 0


def doctor() -> int:
    """Tell what is installed: versions, devices, caches, sound cards, and what each missing extra would give."""
    from avsnet.doctor import report

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


def train(words: Sequence[str]) -> int:
    """Train a network as a YAML file says: avsnet train configs/avsnet_tiny_av.yaml.

    Args:
        words: the file, then flags in place of its lines, such as --data.batch-size 8.
    """
    from avsnet.train.config import config_parser, read_config

    if not words or {"-h", "--help"} & set(words):
        print(_dashes(config_parser().format_help()).rstrip())
        return 0
    if words[0].startswith("-"):
        raise OptionError("give the YAML file first: avsnet train CONFIG [FLAGS]")
    from avsnet.train.run import train

    print(train(read_config(words[0], words[1:]), command=shlex.join(["avsnet", "train", *words])))
    return 0


def _model(name: str, output: str | None, layout: str | None, size: str | None) -> "torch.nn.Module":
    """The depth model; what a model of others does not tell may be told by flags."""
    from avsnet.predict import load_model

    size_option = "size" if name.startswith("onnx:") else "input_size"
    entries: dict[str, object] = {"output": output, "layout": layout, size_option: size}
    if size is not None:
        if not re.fullmatch(r"\d+,\d+", size):
            raise OptionError(f"--model-size is {size!r}, but must be height,width in pixels, such as 224,224")
        entries[size_option] = [int(side) for side in size.split(",")]
    return load_model(name, **{key: value for key, value in entries.items() if value is not None})


VERBS: dict[str, Callable[..., int]] = {
    "demo": demo,
    "check": check,
    "doctor": doctor,
    "echo": echo,
    "evaluate": evaluate,
    "models": models,
    "predict": predict,
    "reproduce": reproduce,
    "scale": scale,
    "simulate": simulate,
    "train": train,
}
"""Every verb of the command line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after `avsnet`; None takes the process's own.

    Returns:
        Exit code: 0; 1 if some files of a folder failed; 2 for a mistake, which is told in one line; 130 if
        interrupted; 141 if nobody reads the output any more.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may be no text
    try:
        code = _command(words)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("avsnet: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The interpreter flushes at exit; let it do so into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (AvsnetError, OSError) as error:
        print(f"avsnet: error: {_one_line(error)}", file=sys.stderr)
        return 2


def _command(words: list[str]) -> int:
    verb = words[0] if words else "--help"
    if verb in ("-h", "--help", "help"):
        print(_help())
        return 0
    if verb in ("-V", "--version"):
        from importlib.metadata import version

        print(f"avsnet {version('avsnet')}")
        return 0
    if verb not in VERBS:
        nearest = difflib.get_close_matches(verb, VERBS, 1)
        guess = f"did you mean {nearest[0]}? " if nearest else ""
        raise OptionError(f"unknown verb {verb!r}; {guess}verbs: {', '.join(VERBS)}")
    return _call(verb, words[1:])


def _help() -> str:
    lines = ["usage: avsnet VERB [FLAGS]", "", (avsnet.__doc__ or "").splitlines()[0], "", "verbs:"]
    lines += [f"  {name:<8} {(verb.__doc__ or '').splitlines()[0]}" for name, verb in VERBS.items()]
    return "\n".join([*lines, "", "avsnet VERB --help lists the flags of a verb; avsnet --version, the version."])


def _call(name: str, words: list[str]) -> int:
    """Read the words by the verb's signature and call it."""
    from jsonargparse import ArgumentError, ArgumentParser

    verb = VERBS[name]
    if verb is train:  # its flags are the entries of a YAML file, not its signature
        return train(words)
    parser = ArgumentParser(prog=f"avsnet {name}", exit_on_error=False, allow_abbrev=False)
    parser.add_function_arguments(verb, as_positional=True)
    if {"-h", "--help"} & set(words):
        print(_dashes(parser.format_help()).rstrip())
        return 0
    try:
        options = parser.parse_args(_underscores(words, verb))
    except ArgumentError as error:
        raise OptionError(f"{_clear(str(error), verb)}; avsnet {name} --help lists the flags") from None
    return verb(**options.as_dict())


def _underscores(words: list[str], verb: Callable[..., int]) -> list[str]:
    """The words with flags as jsonargparse knows them; values are left alone, a bare switch is switched on."""
    switches = {name for name, option in inspect.signature(verb).parameters.items() if option.annotation is bool}
    mapped: list[str] = []
    for position, word in enumerate(words):
        if word == "--":
            return mapped + words[position:]
        flag, equals, value = word.partition("=")
        if flag.startswith("--"):
            flag = "--" + flag[2:].replace("-", "_")
            following = words[position + 1 : position + 2]
            if flag[2:] in switches and not equals and following not in (["true"], ["false"]):
                equals, value = "=", "true"
        mapped.append(flag + equals + value)
    return mapped


def _dashes(text: str) -> str:
    """Flags in a text as users write them."""
    return re.sub(r"--[\w.]+", lambda flag: flag[0].replace("_", "-"), text)


def _clear(message: str, verb: Callable[..., int]) -> str:
    """The parser's message in one line, with flags as users write them."""
    parameters = inspect.signature(verb).parameters
    flags = {name: _dashes(f"--{name}") for name, option in parameters.items() if option.kind is option.KEYWORD_ONLY}
    if message.startswith("the following arguments are required: "):
        names = message.partition(": ")[2].split(", ")
        return f"missing: {', '.join(flags.get(name, name.upper()) for name in names)}"
    if message.startswith("unrecognized arguments: "):
        word = message.partition(": ")[2].split()[0].partition("=")[0]
        nearest = difflib.get_close_matches(_dashes(word), flags.values(), 1) if word.startswith("--") else []
        return f"unknown argument {_dashes(word)}" + (f", did you mean {nearest[0]}?" if nearest else "")
    key, value = re.search(r'key "(\w+)"', message), re.search(r"(?:Given|Got) value: (.*)", message)
    if key and value:
        annotation = parameters[key[1]].annotation
        wanted = "true or false" if annotation is bool else "a whole number" if annotation is int else "a number"
        return f"{flags.get(key[1], key[1])} is {value[1]!r}, but must be {wanted}"
    return _dashes(_one_line(message))


def _one_line(message: object) -> str:
    return " ".join(str(message).split())
