"""`avsnet simulate`: a data set of simulated rooms."""

import re
from pathlib import Path

from avsnet.errors import OptionError


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
    from avsnet.cli.results import check_writable
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
