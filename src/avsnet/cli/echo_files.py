"""`echo` from file to files: a WAV for a depth map or for each map of a folder, and the rig.json that goes with them.

A file gives the same bytes alone and in its folder: its seed is the given one and its own stem.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.rig import Rig
from avsnet.errors import DepthError, OptionError
from avsnet.geometry import camera_of
from avsnet.io.authorship import software
from avsnet.io.depth_maps import read_depth, read_map
from avsnet.io.whole_files import atomic_path
from avsnet.rooms.echo_of_depth import echo_of_depth
from avsnet.rooms.sound.rig import RecordingRig

DEPTH_SUFFIXES = (".npy", ".npz", ".png", ".tif", ".tiff")
"""What counts as a depth map in a folder."""


@dataclass(frozen=True)
class EchoJob:
    """One recording to make.

    Args:
        depth: file of the map.
        wav: file to write.
    """

    depth: Path
    wav: Path


def echo_jobs(depth: Path, out: Path) -> tuple[list[EchoJob], Path]:
    """What there is to do, and where the rig.json belongs.

    Args:
        depth: a map, or a folder of maps.
        out: the WAV, or the folder of the WAVs; for one map either.

    Returns:
        One job per map, sorted by name; the path of the rig.json next to the WAVs.

    Raises:
        DepthError: a folder without a map, or one that cannot be listed.
        OptionError: one WAV for a folder of maps, two maps of one stem, or an ending that is no WAV's.
    """
    if not depth.is_dir():
        wav = out / f"{depth.stem}.wav" if out.is_dir() else out
        if wav.suffix.lower() != ".wav":
            raise OptionError(f"{out}: is neither a .wav file nor a folder that exists; name the WAV to write")
        return [EchoJob(depth, wav)], wav.parent / "rig.json"
    if out.suffix.lower() == ".wav":
        raise OptionError(f"{out}: {depth} is a folder of maps; give a folder for their recordings")
    try:
        files = sorted(path for path in depth.iterdir() if path.suffix.lower() in DEPTH_SUFFIXES)
    except OSError as error:
        raise DepthError(f"{depth}: cannot be listed ({error.strerror})") from None
    files = [path for path in files if path.is_file() and not path.name.startswith(".")]
    if not files:
        raise DepthError(f"{depth}: no depth map in this folder ({' '.join(DEPTH_SUFFIXES)})")
    stems = [path.stem for path in files]
    twice = next((stem for stem in stems if stems.count(stem) > 1), None)
    if twice is not None:
        raise OptionError(f"{depth}: two maps are named {twice}; their recordings would be one file")
    return [EchoJob(path, out / f"{path.stem}.wav") for path in files], out / "rig.json"


def make_echo(
    job: EchoJob,
    rig: RecordingRig,
    *,
    intrinsics: str | None = None,
    fov: float | None = None,
    seed: int = 0,
    duration: float = 0.5,
    depth_scale: float | None = None,
) -> str:
    """Make one recording and write it with 24 bits.

    Args:
        job: its files.
        rig: the rig.
        intrinsics: camera file; without it and `fov`, the camera that an .npz of avsnet holds.
        fov: degrees, horizontal.
        seed: together with the map's stem, of all that is drawn.
        duration: seconds.
        depth_scale: as for `avsnet.io.depth_maps.read_map`.

    Returns:
        What was made, in one line.

    Raises:
        DepthError: the file is no depth map.
        CalibrationError: the intrinsics make no sense for its size.
        OptionError: no camera is given, or a duration that is not allowed.
        OutputError: the WAV cannot be written.
    """
    depth, camera = read_depth(job.depth, depth_scale), intrinsics
    if intrinsics is None and fov is None:
        camera = read_map(job.depth, depth_scale)[1].get("intrinsics")  # type: ignore[assignment]
        if camera is None:
            raise OptionError(f"{job.depth}: how wide its room is depends on the camera; give --intrinsics or --fov")
    matrix = camera_of(camera, fov, depth.shape)[0]
    echo = echo_of_depth(depth, matrix, rig, seed=[seed, zlib.crc32(job.depth.stem.encode())], duration=duration)
    # 24 bits, as a float WAV would hold the time of day.
    with atomic_path(job.wav) as temporary, soundfile.SoundFile(temporary, "w", SAMPLE_RATE, 2, "PCM_24") as file:
        file.software = software()
        file.write(echo.waveform.T)
    line = (
        f"{job.depth.name}: {duration:g} s from {echo.surfaces} surfaces, median depth "
        f"{np.median(depth[depth > 0.0]):.2f} m, peak {np.abs(echo.waveform).max():.2f}"
    )
    return f"{line}; warning: {echo.clipped} samples clipped, lower --gain" if echo.clipped else line


def check_rig_file(geometry: Rig, path: Path) -> None:
    """Refuse to put recordings next to the rig.json of another rig: they would be read with the wrong one.

    Args:
        geometry: the rig that recordings are to be made with.
        path: the rig.json of their folder, which need not exist.

    Raises:
        OptionError: it tells of another rig.
        CalibrationError: what stands there is no rig.json.
    """
    if path.exists() and Rig.from_json(path) != geometry:
        raise OptionError(f"{path}: tells of another rig; give it with --rig, or another --out")
