"""What is made without recordings: rooms with their echoes, the echo of a depth map, and the demo on such rooms."""

import os
import re
import sys
from pathlib import Path
from typing import Any

from avsnet.cli.flags import one_line
from avsnet.errors import DepthError, OptionError


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
    from avsnet.cli.predict_files import check_writable
    from avsnet.rooms.writer import DEFAULT_LAYOUT, Plan, write_dataset

    numbers = re.fullmatch(r"(\d+)[x,](\d+)", size)
    if not numbers:
        raise OptionError(f"--size is {size!r}, but must be height x width in pixels, such as 256x256")
    part = re.fullmatch(r"(\d+)/(\d+)", shard)
    if not part:
        raise OptionError(f"--shard is {shard!r}, but must be I/N, such as 1/4")
    if k is not None:
        if not re.fullmatch(r"[\d.]+,[\d.]+", k):
            raise OptionError(f"--k is {k!r}, but must be LOW,HIGH, such as 0.5,1.6")
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
    from avsnet.cli.echo_files import check_rig_file, echo_jobs, make_echo
    from avsnet.cli.predict_files import check_writable
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
            failures.append(f"{job.depth.name}: {one_line(error)}")
            continue
        tqdm.write(line, file=sys.stdout)
        if not rig_file.exists():
            recording_rig.geometry.to_json(rig_file)
    if failures:
        print(f"avsnet: {len(failures)} of {len(to_do)} maps failed:", *failures, sep="\n  ", file=sys.stderr)
    return 1 if failures else 0


def demo(*, out: str, rooms: int = 6, seed: int = 0) -> int:
    """Make unseen rooms, depth with and without the echo, and a page that shows it; needs no data.

    Args:
        out: folder for the page, the pictures, the echoes and the depth.
        rooms: how many; historic ones and offices in turn.
        seed: draws the rooms, the unknown units and the noise.
    """
    from avsnet.cli.demo_page import demo
    from avsnet.cli.predict_files import check_writable

    for name, value, least in (("seed", seed, 0), ("rooms", rooms, 1)):
        if value < least:
            raise OptionError(f"{name} {value} is below {least}")
    check_writable(Path(out))
    print(demo(Path(out), rooms, seed))
    return 0
