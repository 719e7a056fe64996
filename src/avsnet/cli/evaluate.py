"""`avsnet evaluate`: depth models under several sources of scale, on a data set."""

from pathlib import Path

from avsnet.errors import OptionError


def evaluate(
    *,
    out: str,
    data: str | None = None,
    half_real: str | None = None,
    systems: str | None = None,
    scalings: str | None = None,
    split: str = "test",
    cap: float | None = None,
    rig: str | None = None,
    seed: int = 0,
    renderer: str | None = None,
    shard: str | None = None,
    merge: bool = False,
    overwrite: bool = False,
) -> int:
    """Evaluate depth models on a data set by the paper's protocol, under several ways of finding the metres.

    Writes scores.csv (a row an image), intervals.csv (errors per metre of depth), summary.csv (means, with intervals
    over buildings, rooms or scenes), differences.csv (what differs from what, and how sure that is), seeds.csv (several
    training runs) and twins.csv (where sight fails, against plain rooms); predictions are kept in predictions/, so that
    a run that was ended, or one with more scalings, does not predict again.

    Args:
        out: folder to write to.
        data: folder of BatVision V1 or V2, VisualEchoes or captures of your own, or a source as in training, such as
            batvision_v2:ROOT or rooms:offices:900000-900099.
        half_real: folder or source of pictures with depth, such as rgbd:ROOT, in place of data: echoes are made of the
            depth, with one known rig a frame; unless scalings say otherwise, third-party models under every scaling,
            V, AV and shuffled echoes.
        systems: comma-separated NAME[=WEIGHTS][@ECHO]; NAME as avsnet models lists it, or onnx:PATH, or
            huggingface:ID_OR_FOLDER; ECHO true (default), shuffled, silent, late or unaligned.
        scalings: comma-separated none (default), focal, ranging, oracle_median (also of the finer rules, such as
            oracle_log_affine, oracle_grid_4x4), RULE:SYSTEM, such as median:avsnet_lite0_av, RULE:SYSTEM+ear, such as
            grid:avsnet_lite0_av+ear, or log_affine:ear; each is applied to each system.
        split: train, val or test; of V2 also all.
        cap: metres up to which depth counts, where not the data set's own, or 10 for half_real.
        rig: rig.json for ranging.
        seed: of the shuffled echoes, and of half_real's rigs and rooms.
        renderer: of half_real's echoes: rooms (default), or planes, pyroomacoustics on the planes of the depth, on
            which no network was trained.
        shard: I/N, evaluate only part I of N; then --merge.
        merge: join the shards in --out.
        overwrite: also replace tables of these names that avsnet did not write.
    """
    from avsnet.cli.results import refuse_foreign
    from avsnet.evaluation.scores import FILES, parse_shard, table
    from avsnet.evaluation.scores import merge as merge_shards

    folder = Path(out)
    refuse_foreign((folder / name for name in FILES), overwrite)
    if merge:
        print(table(merge_shards(folder).rows))
        return 0
    if half_real is not None:
        clash = {"data": data, "rig": rig}
        for name in (name for name, value in clash.items() if value is not None):
            raise OptionError(f"half_real brings its own {name}; leave out --{name}")
        _half_real(half_real, systems, scalings, folder, split, cap, seed, renderer or "rooms", shard)
        return 0
    if renderer is not None:
        raise OptionError("--renderer is of made echoes; give --half-real in place of --data")
    if data is None or systems is None:
        raise OptionError("missing: --data and --systems say what to evaluate; --merge joins shards")
    from avsnet.audio.rig import Rig
    from avsnet.cli.results import check_writable
    from avsnet.data.reading import Reading
    from avsnet.data.registry import open_data
    from avsnet.evaluation.instances import Cases
    from avsnet.evaluation.run import check_trials
    from avsnet.evaluation.run import evaluate as run
    from avsnet.evaluation.trials import Scaling, System, every_pair

    part = None if shard is None else parse_shard(shard)
    rules = [Scaling.parse(text) for text in (scalings or "none").split(",")]
    trials = every_pair([System.parse(text) for text in systems.split(",")], rules)
    check_trials(trials)
    check_writable(folder)
    opened = open_data(data, Reading(split, cap=cap))
    scores = run(
        trials,
        Cases(opened.data, f"{opened.name}:{split}", opened.cap, seed),
        folder,
        shard=part,
        rig=None if rig is None else Rig.from_json(rig),
    )
    print(table(scores.rows))
    return 0


def _half_real(
    source: str,
    systems: str | None,
    scalings: str | None,
    folder: Path,
    split: str,
    cap: float | None,
    seed: int,
    renderer: str,
    shard: str | None,
) -> None:
    """Evaluate on made echoes, and print the table."""
    from avsnet.cli.results import check_writable
    from avsnet.evaluation.half_real import CAP, CONTROLS, HalfRealCases, every_row
    from avsnet.evaluation.run import check_trials
    from avsnet.evaluation.run import evaluate as run
    from avsnet.evaluation.scores import parse_shard, table
    from avsnet.evaluation.trials import Scaling, System, every_pair

    part = None if shard is None else parse_shard(shard)
    if scalings is not None and systems is None:
        raise OptionError("missing: --systems says which models the scalings are for")
    named = [System.parse(text) for text in systems.split(",")] if systems else []
    check_writable(folder)
    cases = HalfRealCases(source, split, CAP if cap is None else cap, seed, folder / "echoes", renderer)
    if scalings is None:
        trials = every_row(named, controls=CONTROLS if len(cases) > 1 else CONTROLS[1:])
    else:
        trials = every_pair(named, [Scaling.parse(text) for text in scalings.split(",")])
    check_trials(trials)
    scores = run(trials, cases, folder, shard=part, extra=cases.header)
    print(f"{cases.name} ({cases.role}), frames: {len(scores.ids)} of {len(cases)}, echoes made of the depth")
    print(table(scores.rows))
