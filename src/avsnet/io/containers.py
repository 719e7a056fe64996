"""Sound out of its file, whole: one cut short is refused, one whose recorder never wrote the length is read.

libsndfile silently clips every length to what the file holds, and notes in its log what the header promised. Only what
it does not note is looked up in the bytes: the lengths of unfinished WAVs, the last page of an OGG, the head of an MP3.
"""

from __future__ import annotations

import io
import mmap
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from avsnet.errors import AudioError
from avsnet.io.limits import BYTES, SECONDS

FORMATS = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3")
"""What is read, by libsndfile's names: those of its formats of which can be told whether they are whole."""

UNKNOWN_LENGTH = 0x7FFFF000
"""From here on a length is no promise: recorders write SoX's 0x7FFFF000, arecord's 0x80000000 or ffmpeg's 0xFFFFFFFF
where they cannot go back to fill it in, and no echo is 2 GiB long."""

_STREAMED = struct.pack("<I", 0xFFFFFFFF)  # the same in both byte orders; libsndfile reads to the end of the file
_CLIPPED = re.compile(r"^\s*(?:data|SSND|Data Size|riff)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
_FEWER_FRAMES = re.compile(r"Calculated frame count (\d+) does not match value from 'ds64' chunk of (\d+)")
_OGG_PAGES = 2**17  # bytes at the end of a file in which the last page begins
_PIECE = 2**15  # frames read at once: what stays in the processor's cache
_BYTES_A_FRAME = 16  # of two ears, with what is computed of them
_MP3_HEAD = 4096  # bytes in which an MP3's first frame ends


def read_sound(path: Path) -> tuple[np.ndarray, int, float | None]:
    """Read the samples of a sound file, of a long one the head.

    Args:
        path: of one of `FORMATS`.

    Returns:
        (C, N) float32; the sample rate in hertz; the seconds that were read where that is not the whole, else None.

    Raises:
        AudioError: cut short, of another format, of a length that nobody knows, or without samples.
        OSError, RuntimeError, TypeError, ValueError: as libsndfile fails on what is no sound.
    """
    with path.open("rb") as file:
        head = file.read(12)
    if head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0):
        _refuse_cut_mp3(path)
    elif head[:4] == b"OggS":
        _refuse_cut_ogg(path)
    elif head[4:8] == b"ftyp":
        raise AudioError(
            f"{path}: M4A or MP4, whose coding is lossy, is not read; record as WAV, or convert it: "
            f"ffmpeg -i {path.name} {path.stem}.wav"
        )
    unfinished = _unfinished_wav(path) if head[8:] == b"WAVE" else None
    with soundfile.SoundFile(unfinished or path) as file:
        _refuse_clipped(path, file)
        if file.channels > 2:
            raise AudioError(f"{path}: {file.channels} channels; give two, left and right, as (2, samples)")
        frames = min(file.frames, SECONDS.most * file.samplerate, BYTES.most // _BYTES_A_FRAME)
        waveform = _frames(file, frames)
        if waveform.shape[1] < frames:
            raise _truncated(path, f"{file.frames} samples", waveform.shape[1])
        if waveform.shape[1] == 0:
            raise AudioError(
                f"{path}: holds no samples by its header, in a file of {path.stat().st_size} bytes; record it "
                "again, or let an audio editor import the raw data"
            )
        return waveform, file.samplerate, frames / file.samplerate if frames < file.frames else None


def _frames(file: soundfile.SoundFile, frames: int) -> np.ndarray:
    """(C, N) float32, read piece by piece: the room that a lying header promises is asked for, but never touched."""
    whole, held = np.empty((file.channels, frames), np.float32), 0
    while held < frames:
        piece = file.read(min(frames - held, _PIECE), dtype="float32", always_2d=True)
        if len(piece) == 0:
            break
        whole[:, held : held + len(piece)] = piece.T
        held += len(piece)
    return whole[:, :held]


def _refuse_clipped(path: Path, file: soundfile.SoundFile) -> None:
    """Refuse what libsndfile's log calls shorter than the header says, and formats of which it says nothing."""
    if file.format not in FORMATS:
        raise AudioError(f"{path}: {file.format_info} cannot be checked for being whole; give a WAV or FLAC file")
    if file.frames >= 2**62:
        raise AudioError(f"{path}: a {file.format} stream that never got its length; convert it to WAV")
    log = file.extra_info
    for promised, held in _CLIPPED.findall(log):
        if int(held) < int(promised) < UNKNOWN_LENGTH:
            raise _truncated(path, f"{promised} bytes of sound", held)
    for held, promised in _FEWER_FRAMES.findall(log):
        if int(held) < int(promised):
            raise _truncated(path, f"{promised} samples", held)


def _truncated(path: Path, promised: str, held: int | str) -> AudioError:
    return AudioError(
        f"{path}: truncated: its header promises {promised}, the file holds {held}; copy or record it again"
    )


def _unfinished_wav(path: Path) -> io.BytesIO | None:
    """The head of the file as a stream of unknown length, if its recorder left the length of its sound at 0."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as content:
        return _unfinished(content)


def _unfinished(content: mmap.mmap) -> io.BytesIO | None:
    order, long = ">" if content[:4] == b"RIFX" else "<", None
    for name, at, length in _chunks(content, 12, order):
        if name == b"ds64" and len(content) >= at + 24:  # RF64 keeps here the lengths that do not fit into 32 bits
            (long,) = struct.unpack_from("<Q", content, at + 16)
            content[at : at + 4] = b"JUNK"
        if name == b"data":
            sound = at + 8
            length = length if long is None else long
            if 0 < length < 2**62 or sound == len(content) or _is_chunks(content, sound, order):
                return None
            content[:4] = b"RIFX" if order == ">" else b"RIFF"
            content[at + 4 : sound] = _STREAMED
            return io.BytesIO(content[: sound + BYTES.most])
    return None


def _chunks(content: mmap.mmap, at: int, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Name, place and length of each chunk of a RIFF file from `at` on; the last one may reach beyond the end."""
    while at + 8 <= len(content):
        name, length = struct.unpack_from(f"{order}4sI", content, at)
        yield name, at, length
        at += 8 + length + length % 2


def _is_chunks(content: mmap.mmap, at: int, order: str) -> bool:
    """Whether chunks, such as LIST, and no sound fill the file from `at` to its end."""
    end = at
    for name, start, length in _chunks(content, at, order):
        if not (name.isascii() and name.strip().isalnum()):
            return False
        end = start + 8 + length
    return at < end <= len(content)


def _refuse_cut_ogg(path: Path) -> None:
    """The last page of a whole OGG is complete and says that it is the last."""
    with path.open("rb") as file:  # a page has 64 KiB at most
        file.seek(max(0, path.stat().st_size - _OGG_PAGES))
        content = file.read()
    at = content.rfind(b"OggS")
    page = content[at:] if at >= 0 else b""
    segments = page[26] if len(page) > 26 else 0
    whole = len(page) >= 27 + segments and len(page) >= 27 + segments + sum(page[27 : 27 + segments])
    if not whole or not page[5] & 4:
        raise AudioError(f"{path}: truncated: its last page is not the end of the stream; copy or record it again")


def _refuse_cut_mp3(path: Path) -> None:
    """The first frame of an MP3 can tell the bytes of all (Xing, Info); where it does not, nobody can tell."""
    start = 0
    with path.open("rb") as file:
        content = file.read(10)
        if content[:3] == b"ID3":
            start = 10 + sum((byte & 0x7F) << 7 * place for place, byte in enumerate(reversed(content[6:10])))
        file.seek(start)
        head = file.read(_MP3_HEAD)
    found = re.search(rb"(?:Xing|Info)(.{4})(.{4})(.{4})", head, re.DOTALL)
    if found is None or found[1][3] & 3 != 3:
        raise AudioError(f"{path}: an MP3 that does not tell its length, so it may be cut short; give a WAV file")
    promised, held = int.from_bytes(found[3], "big"), path.stat().st_size - start
    if held < promised:
        raise _truncated(path, f"{promised} bytes of sound", held)
