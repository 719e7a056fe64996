"""Is a data set whole? Every row is read once; what was met is counted, and what is broken is named.

Counts that differ from the published ones are reported, not broken: people cut data sets, and some published counts
are second-hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soxr
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.direct_sound import direct_sound
from avsnet.data import batvision_v1, batvision_v2, visual_echoes
from avsnet.data.batvision_files import load_depth, load_ears
from avsnet.data.batvision_v1 import BatVisionV1
from avsnet.data.batvision_v2 import BatVisionV2, find_locations
from avsnet.data.check_report import Report, RowReport
from avsnet.data.folder import CaptureFolder, find_captures
from avsnet.data.rows import KEYS
from avsnet.data.table import read_table
from avsnet.data.transforms import load_image
from avsnet.data.visual_echoes import VisualEchoes
from avsnet.errors import AvsnetError, DataError, EchoError, OptionError
from avsnet.io import read_wav

FULL_SCALE = 1.0 - 2.0**-15
"""A sample this large is clipped: the largest that 16 bits hold."""

_GLANCE = (90, 160)  # a JPEG is decoded at an eighth, for which all of its bytes are read


def check(root: str | Path, layout: str = "auto", *, full_scale: float | None = None, workers: int = 0) -> Report:
    """Read every row of a data set once. On a terminal a bar shows how far it is.

    Args:
        root: its folder.
        layout: one of `LAYOUTS`, or "auto" to recognise it.
        full_scale: for V1, what recordings are divided by where their type does not say.
        workers: further processes to read with; 0 reads in this one.

    Returns:
        The report; what is broken in the data set is in it and is not raised.

    Raises:
        OptionError: an unknown layout, or fewer than no workers.
        DataError: the root is no folder.
    """
    root = Path(root)
    if layout != "auto" and layout not in LAYOUTS:
        raise OptionError(f"layout: found {layout!r}, wanted auto or one of {', '.join(LAYOUTS)}")
    if workers < 0:
        raise OptionError(f"workers: found {workers}, wanted 0 or more")
    if not root.is_dir():
        raise DataError(f"{root}: is no folder; give the root of a data set")
    report = Report(root, recognise(root) if layout == "auto" else layout)
    if report.layout not in LAYOUTS:
        report.broken.append(f"{root}: none of the layouts {', '.join(LAYOUTS)} is recognised; give --layout")
        return report
    parts = LAYOUTS[report.layout](report, full_scale)
    rows = DataLoader(_Rows(parts), batch_size=None, num_workers=workers)
    report.rows.extend(tqdm(rows, unit="row", disable=None))
    return report


def recognise(root: Path) -> str:
    """The layout of a folder by the names in it: one of `LAYOUTS`, or "unknown"."""
    if any(root.glob("scene_observations_*.pkl")):
        return "visual_echoes"
    try:
        find_locations(root)
        return "v2"
    except DataError:
        pass
    if any((root / f"{split}.csv").is_file() for split in batvision_v1.SPLITS):
        return "v1"
    try:
        find_captures(root)
        return "folder"
    except DataError:
        # One name twice, say: captures all the same.
        return "folder" if any(root.glob("*.wav")) or any(root.glob("*/*.wav")) else "unknown"


@dataclass(frozen=True)
class _Part:
    """Rows that are read alike; `measure(index, row)` fills in the row's report or raises."""

    split: str
    ids: Sequence[str]
    measure: Callable[[int, RowReport], None]


class _Rows(Dataset[RowReport]):
    """The reports of all rows: a data set, so that worker processes can share the reading."""

    def __init__(self, parts: Sequence[_Part]) -> None:
        self.parts = parts
        self.places = [(number, index) for number, part in enumerate(parts) for index in range(len(part.ids))]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, place: int) -> RowReport:
        number, index = self.places[place]
        part = self.parts[number]
        row = RowReport(part.split, part.ids[index])
        try:
            part.measure(index, row)
        except AvsnetError as error:
            row.reason = f"{row.id}: {' '.join(str(error).split())}"
        return row


def _v1(report: Report, full_scale: float | None) -> list[_Part]:
    report.published = {**dict.fromkeys(batvision_v1.SPLITS), **batvision_v1.PUBLISHED_ROWS, "all": 52_220}
    report.remarks.append("the published 52220 of all splits together is second-hand")
    parts = []
    for split in batvision_v1.SPLITS:
        try:
            data = BatVisionV1(report.root, split, full_scale=full_scale)
        except DataError as error:
            report.broken.append(str(error))
            continue
        _tell_repeats(report, split, data.repeated)
        parts.append(_batvision_part(split, data))
    return parts


def _v2(report: Report, full_scale: float | None) -> list[_Part]:
    report.published = {**batvision_v2.PUBLISHED_ROWS, "all": sum(batvision_v2.PUBLISHED_ROWS.values())}
    parts = []
    known = set()
    for split in batvision_v2.SPLITS:
        try:
            locations = find_locations(report.root, split)
        except DataError as error:
            report.broken.append(str(error))
            continue
        known.update(locations)
        for location in locations:
            try:
                if not read_table(report.root / location / f"{split}.csv", ()):
                    continue  # a location need not have rows in every split
                data = BatVisionV2(report.root, split, locations=[location])
            except DataError as error:
                report.broken.append(str(error))
                continue
            _tell_repeats(report, f"{location}, {split}", data.repeated)
            parts.append(_batvision_part(split, data))
    report.remarks.append(f"{len(known)} locations: {', '.join(sorted(known)) or 'none'}")
    stray = sorted(entry.name for entry in report.root.iterdir() if entry.name not in known)
    if stray:
        report.remarks.append(f"{len(stray)} entries of the root are no location and are ignored: {', '.join(stray)}")
    return parts


def _batvision_part(split: str, data: BatVisionV1 | BatVisionV2) -> _Part:
    return _Part(split, [row.id for row in data.rows], partial(_measure_batvision, data))


def _measure_batvision(data: BatVisionV1 | BatVisionV2, index: int, row: RowReport) -> None:
    files = data.rows[index]
    files.require(KEYS)
    load_image(files.image, _GLANCE)
    with Image.open(files.image) as picture:
        row.picture = f"{picture.width} x {picture.height}"
    recording, row.notes = load_ears(files.audio, data.reader.full_scale)
    _measure(row, recording.waveform, recording.sample_rate, load_depth(files.depth, data.reader.cap))


def _visual_echoes(report: Report, full_scale: float | None) -> list[_Part]:
    report.published = {"all": visual_echoes.PUBLISHED_STATES}
    sizes = [s for s in visual_echoes.IMAGE_SIZES if (report.root / f"scene_observations_{s}.pkl").is_file()]
    size = sizes[0] if sizes else visual_echoes.IMAGE_SIZES[0]
    report.remarks.append(f"pictures and depth of {size} pixels were read")
    parts = []
    for split in visual_echoes.SPLITS:
        try:
            data = VisualEchoes(report.root, split, image_size=size)
        except DataError as error:
            if str(error) not in report.broken:  # a broken file is broken for both splits
                report.broken.append(str(error))
            continue
        ids = ["/".join(map(str, state)) for state in data.states]
        parts.append(_Part(split, ids, partial(_measure_visual_echoes, data)))
    return parts


def _measure_visual_echoes(data: VisualEchoes, index: int, row: RowReport) -> None:
    recording = read_wav(data.echo_path(index))
    sample = data[index]
    row.picture = _pixels(sample["image"])
    _measure(row, recording.waveform, recording.sample_rate, (sample["depth"], sample["valid"]))


def _folder(report: Report, full_scale: float | None) -> list[_Part]:
    try:
        data = CaptureFolder(report.root, samples=None, align=None)
    except AvsnetError as error:
        report.broken.append(str(error))
        return []
    report.remarks.append(f"rig {data.rig.origin}")
    return [_Part("all", [capture.id for capture in data.captures], partial(_measure_capture, data))]


def _measure_capture(data: CaptureFolder, index: int, row: RowReport) -> None:
    sample = data[index]
    row.picture = _pixels(sample["image"])
    depth = (sample["depth"], sample["valid"]) if "depth" in sample else None
    _measure(row, sample["waveform"].numpy(), sample["sample_rate"], depth, data.rig.emitted)


def _measure(
    row: RowReport,
    waveform: np.ndarray,
    sample_rate: int,
    depth: tuple[torch.Tensor, torch.Tensor] | None,
    template: np.ndarray | None = None,
) -> None:
    """Fill in what a readable row holds; `depth` is with `valid`, `template` what was played, at 44.1 kHz."""
    row.sample_rate, row.samples = sample_rate, waveform.shape[1]
    row.clipped = float(np.mean(np.abs(waveform) >= FULL_SCALE))
    if depth is not None:
        metres, valid = depth
        row.map, row.valid = _pixels(metres), float(valid.float().mean())
        row.depth = float(np.median(metres[valid].numpy())) if valid.any() else None
    if template is not None:
        template = soxr.resample(template, SAMPLE_RATE, sample_rate)
    # A row without a direct sound is readable; only readers that align leave it out.
    with suppress(EchoError):
        row.direct = direct_sound(waveform, sample_rate, template)


def _pixels(picture: torch.Tensor) -> str:
    """Width and height of a (C, H, W) tensor, as people write them."""
    return f"{picture.shape[2]} x {picture.shape[1]}"


def _tell_repeats(report: Report, where: str, repeated: Sequence[str]) -> None:
    if repeated:
        report.remarks.append(f"{where}: {len(repeated)} rows are listed again and count once, such as {repeated[0]}")


LAYOUTS: dict[str, Callable[[Report, float | None], list[_Part]]] = {
    "v1": _v1,
    "v2": _v2,
    "visual_echoes": _visual_echoes,
    "folder": _folder,
}
"""Each layout by name: what lists its rows."""
