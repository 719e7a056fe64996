"""`avsnet echo`: the echo of a depth map."""

import os
import sys
from pathlib import Path
from typing import Any

from avsnet.errors import DepthError, one_line


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
    depth_scale: float | None = None,
    overwrite: bool = False,
) -> int:
    """Make the echo that two ears would record where a depth map was taken; a folder of maps gives one for each.

    Where the camera looks the echo follows from the map; what it does not see is guessed. Writes rig.json next to it.

    Args:
        depth: metric map, 16-bit .png, float .tif, .npy or .npz, or a folder of them.
        out: WAV to write; for a folder of maps, a folder.
        intrinsics: camera file.
        fov: horizontal field of view in degrees, in place of intrinsics.
        rig: rig.json, where speaker and ears sit; drawn from the seed if not given.
        seed: draws the rig, the materials, what the camera does not see, rays and noise.
        duration: seconds.
        gain: recording level, at which a path of 1 m arrives; drawn from the seed if not given.
        depth_scale: units per metre, such as 5000 for TUM; without it whole numbers are millimetres, floats metres.
        overwrite: also replace recordings that avsnet did not make.
    """
    from tqdm import tqdm

    from avsnet.audio.rig import Rig
    from avsnet.cli.echo_files import check_rig_file, echo_jobs, make_echo
    from avsnet.cli.results import check_writable, refuse_foreign
    from avsnet.rooms.echo_of_depth import rig_for

    recording_rig = rig_for(seed, None if rig is None else Rig.from_json(rig), gain)
    to_do, rig_file = echo_jobs(Path(depth), Path(out))
    check_writable(rig_file.parent)
    check_rig_file(recording_rig.geometry, rig_file)
    refuse_foreign((job.wav for job in to_do), overwrite)
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
