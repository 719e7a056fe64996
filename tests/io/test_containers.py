"""A sound file that was cut short is refused in every format; one whose length was never written is read."""

import re
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from avsnet.errors import AudioError
from avsnet.io.recordings import read_wav

RATE = 44_100
KINDS = {
    "a.wav": ("WAV", "PCM_24"),
    "u8.wav": ("WAV", "PCM_U8"),
    "adpcm.wav": ("WAV", "IMA_ADPCM"),
    "x.wav": ("WAVEX", "PCM_16"),
    "long.wav": ("RF64", "PCM_24"),
    "a.aiff": ("AIFF", "PCM_24"),
    "law.aifc": ("AIFF", "ULAW"),
    "a.w64": ("W64", "PCM_24"),
    "a.au": ("AU", "PCM_24"),
    "a.caf": ("CAF", "PCM_24"),
    "lossless.caf": ("CAF", "ALAC_24"),
    "a.flac": ("FLAC", "PCM_24"),
    "a.ogg": ("OGG", "VORBIS"),
    "a.mp3": ("MP3", "MPEG_LAYER_III"),
}


def written(path: Path, kind: str, subtype: str, **options: str) -> bytearray:
    """Half a second of two different sines."""
    time = np.arange(22_050) / RATE
    tones = 0.5 * np.sin(2.0 * np.pi * np.outer(time, [440.0, 660.0]))
    soundfile.write(path, tones, RATE, format=kind, subtype=subtype, **options)
    return bytearray(path.read_bytes())


@pytest.mark.parametrize("name", KINDS)
def test_a_whole_file_is_read_and_a_cut_one_is_refused_in_every_format(tmp_path, name):
    path = tmp_path / name
    content = written(path, *KINDS[name])
    waveform = read_wav(path).waveform
    assert waveform.shape[0] == 2 and 22_050 <= waveform.shape[1] < 24_000
    for held in (len(content) - 700, len(content) * 9 // 10, len(content) // 2, len(content) // 8):
        path.write_bytes(content[:held])
        with pytest.raises(AudioError, match=r"truncated|cannot be read as sound") as caught:
            read_wav(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF])
@pytest.mark.parametrize("riff", [None, 0, 8, 36, 0x7FFFF024, 0xFFFFFFFF])
@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
def test_a_wav_whose_length_was_never_filled_in_is_read_to_its_end(tmp_path, size, riff, endian):
    path, order = tmp_path / "a.wav", "<" if endian == "LITTLE" else ">"
    content = written(path, "WAV", "PCM_16", endian=endian)
    whole, at = read_wav(path).waveform, content.index(b"data")
    content[at + 4 : at + 8] = struct.pack(order + "I", size)
    if riff is not None:
        content[4:8] = struct.pack(order + "I", riff)
    path.write_bytes(content)
    assert np.array_equal(read_wav(path).waveform, whole)


@pytest.mark.parametrize("length", [0, 2**64 - 1])
def test_an_unfinished_rf64_is_read_to_its_end(tmp_path, length):
    path = tmp_path / "a.wav"
    content = written(path, "RF64", "PCM_24")
    whole, at = read_wav(path).waveform, content.index(b"ds64")
    content[at + 8 : at + 32] = struct.pack("<QQQ", length, length, 0)
    path.write_bytes(content)
    assert np.array_equal(read_wav(path).waveform, whole)


def test_a_length_of_0_with_other_chunks_behind_it_is_a_recording_without_samples(tmp_path):
    path = tmp_path / "a.wav"
    content = written(path, "WAV", "PCM_16")
    at = content.index(b"data")
    path.write_bytes(content[: at + 4] + bytes(4) + b"LIST" + struct.pack("<I", 4) + b"INFO")
    with pytest.raises(AudioError, match="no samples"):
        read_wav(path)


def test_an_unfinished_au_and_aiff_are_read_or_refused_for_the_true_reason(tmp_path):
    content = written(tmp_path / "a.au", "AU", "PCM_16")
    for length, error in ((0xFFFFFFFF, None), (0, "by its header")):
        (tmp_path / "a.au").write_bytes(content[:8] + struct.pack(">I", length) + content[12:])
        if error is None:
            assert read_wav(tmp_path / "a.au").waveform.shape == (2, 22_050)
        else:
            with pytest.raises(AudioError, match=error):
                read_wav(tmp_path / "a.au")
    content = written(tmp_path / "a.aiff", "AIFF", "PCM_16")
    at = content.index(b"SSND")
    (tmp_path / "a.aiff").write_bytes(content[: at + 4] + bytes(4) + content[at + 8 :])
    assert read_wav(tmp_path / "a.aiff").waveform.shape == (2, 22_050)


def test_a_header_that_promises_44_bytes_too_many_is_an_error(tmp_path):
    content = written(tmp_path / "a.wav", "WAV", "PCM_16")
    at = content.index(b"data")
    content[at + 4 : at + 8] = struct.pack("<I", len(content))
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(AudioError, match="truncated"):
        read_wav(tmp_path / "a.wav")


def test_what_stands_behind_the_sound_does_not_matter(tmp_path):
    for name, tail in (("a.mp3", b"TAG" + bytes(125)), ("a.wav", b"LIST" + struct.pack("<I", 4) + b"INFO")):
        content = written(tmp_path / name, *KINDS[name])
        before = read_wav(tmp_path / name).waveform
        (tmp_path / name).write_bytes(content + tail)
        assert np.array_equal(read_wav(tmp_path / name).waveform, before)


def test_formats_whose_wholeness_nobody_can_tell_are_refused_as_such(tmp_path):
    content = written(tmp_path / "a.mp3", "MP3", "MPEG_LAYER_III")
    (tmp_path / "a.mp3").write_bytes(re.sub(rb"Xing|Info", b"none", bytes(content)))
    with pytest.raises(AudioError, match="does not tell its length"):
        read_wav(tmp_path / "a.mp3")
    for kind in ("NIST", "VOC", "IRCAM", "PVF"):
        written(tmp_path / "a.snd", kind, "PCM_16")
        with pytest.raises(AudioError, match="being whole"):
            read_wav(tmp_path / "a.snd")
    flac = written(tmp_path / "a.flac", "FLAC", "PCM_24")
    flac[21] &= 0xF0  # the number of samples, 36 bits
    flac[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(flac)
    with pytest.raises(AudioError, match=r"cannot be read as sound|never got its length"):
        read_wav(tmp_path / "a.flac")
