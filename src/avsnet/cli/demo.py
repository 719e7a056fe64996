"""`avsnet demo`: depth with and without the echo, on simulated rooms."""

from pathlib import Path

from avsnet.errors import OptionError


def demo(*, out: str, rooms: int = 6, seed: int = 0, overwrite: bool = False) -> int:
    """Make unseen rooms, depth with and without the echo, and a page that shows it; needs no data.

    Args:
        out: folder for the page, the pictures, the echoes and the depth.
        rooms: how many; of old buildings (historic) and offices in turn.
        seed: draws the rooms, the unknown units and the noise.
        overwrite: also replace files of these names that avsnet did not write.
    """
    from avsnet.cli.demo_page import demo
    from avsnet.cli.demo_rooms import room_files
    from avsnet.cli.results import check_writable, refuse_foreign

    for name, value, least in (("seed", seed, 0), ("rooms", rooms, 1)):
        if value < least:
            raise OptionError(f"{name} {value} is below {least}")
    check_writable(Path(out))
    files = [file for number in range(rooms) for file in room_files(Path(out), number)]
    refuse_foreign([Path(out) / "report.html", *files], overwrite)
    print(demo(Path(out), rooms, seed))
    return 0
