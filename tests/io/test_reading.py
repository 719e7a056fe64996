"""What is read is right, what is broken is refused, what is written is whole."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from avsnet.errors import AudioError, ImageError, InputWarning, OutputError
from avsnet.io.pictures import picture_size, read_image, rgb_array
from avsnet.io.recordings import Recording, read_wav
from avsnet.io.whole_files import atomic_path

RATE = 44_100


def colourful(height: int = 12, width: int = 17) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def noise(channels: int = 2, samples: int = 500, peak: float = 0.5) -> np.ndarray:
    wave = np.random.default_rng(1).uniform(-1.0, 1.0, (channels, samples))
    return wave / np.abs(wave).max() * peak


def wav(path: Path, waveform: np.ndarray, subtype: str = "PCM_16", **options: str) -> Path:
    soundfile.write(path, waveform.T, RATE, subtype=subtype, **options)
    return path


def refused(reader, path: Path, error: type[Exception], *words: str) -> None:
    """The error is one line that names the file and says what is wrong."""
    with pytest.raises(error) as caught:
        reader(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message and ";" in message
    for word in words:
        assert word in message


# Pictures


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "ppm"])
def test_a_lossless_picture_is_read_exactly(tmp_path, suffix):
    pixels = colourful()
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}")
    read = read_image(tmp_path / f"a.{suffix}")
    assert read.dtype == np.uint8 and np.array_equal(read, pixels)


def test_exif_orientation_turns_the_picture_upright(tmp_path):
    pixels = colourful()
    picture = Image.fromarray(pixels)
    exif = picture.getexif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to view
    picture.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.png"), np.rot90(pixels, -1))
    assert picture_size(tmp_path / "a.png") == read_image(tmp_path / "a.png").shape[:2] != pixels.shape[:2]


def test_grey_is_repeated_and_alpha_is_dropped(tmp_path):
    pixels = colourful()
    Image.fromarray(pixels[..., 0]).save(tmp_path / "grey.png")
    assert np.array_equal(read_image(tmp_path / "grey.png"), np.repeat(pixels[..., :1], 3, axis=-1))
    alpha = np.concatenate([pixels, np.zeros_like(pixels[..., :1])], axis=-1)
    Image.fromarray(alpha).save(tmp_path / "alpha.png")
    assert np.array_equal(read_image(tmp_path / "alpha.png"), pixels)


def test_a_palette_picture_with_transparency_is_read_without_a_warning(tmp_path):
    indices = np.arange(12, dtype=np.uint8).reshape(3, 4)
    colours = colourful(4, 4).reshape(-1, 3)
    picture = Image.frombytes("P", (4, 3), indices.tobytes())
    picture.putpalette(colours.tobytes())
    picture.save(tmp_path / "a.png", transparency=bytes(range(12)))
    assert np.array_equal(read_image(tmp_path / "a.png"), colours[indices])


def test_cmyk_white_and_red_are_read_as_white_and_red(tmp_path):
    picture = Image.new("CMYK", (16, 16), (0, 0, 0, 0))
    picture.paste((0, 255, 255, 0), (0, 0, 8, 16))
    picture.save(tmp_path / "a.tiff")
    read = read_image(tmp_path / "a.tiff")
    assert read[0, 0].tolist() == [255, 0, 0] and read[0, 15].tolist() == [255, 255, 255]


@pytest.mark.parametrize("suffix", ["png", "tiff", "pgm"])
def test_16_bit_grey_is_scaled_not_clipped(tmp_path, suffix):
    grey = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(grey).save(tmp_path / f"a.{suffix}")
    expected = np.round(grey / 257.0).astype(np.uint8)
    assert np.array_equal(read_image(tmp_path / f"a.{suffix}"), np.repeat(expected[..., None], 3, axis=-1))


def png_of_16_bits(path: Path, pixels: np.ndarray) -> Path:
    """An RGB PNG of (H, W, 3) uint16, written by hand: Pillow writes none."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return png(path, pixels.shape[1], pixels.shape[0], 16, rows)


@pytest.mark.parametrize(("bits", "noted"), [(8, True), (10, True), (12, True), (14, True), (16, False)])
def test_fewer_bits_in_a_16_bit_picture_are_noted_in_grey_and_in_colours(tmp_path, bits, noted):
    levels = np.linspace(0, 2**bits - 1, 64).round().astype(np.uint16).reshape(8, 8)
    Image.fromarray(levels).save(tmp_path / "grey.png")
    Image.fromarray(levels).save(tmp_path / "grey.tiff")
    colours = png_of_16_bits(tmp_path / "colours.png", np.repeat(levels[..., None], 3, axis=-1))
    for path in (tmp_path / "grey.png", tmp_path / "grey.tiff", colours):
        notes: list[str] = []
        assert read_image(path, notes).max() == (2**bits - 1) >> 8 or bits < 16
        assert len(notes) == noted and (not noted or (f"{bits} bits" in notes[0] and path.name in notes[0]))
    if noted:
        with pytest.warns(InputWarning, match="multiply"):
            read_image(tmp_path / "grey.png")


def test_float_pixels_are_read_in_0_to_1_and_refused_beyond(tmp_path):
    Image.fromarray(np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3)).save(tmp_path / "a.tiff")
    assert read_image(tmp_path / "a.tiff")[..., 0].ravel().tolist() == [0, 51, 102, 153, 204, 255]
    Image.fromarray(np.full((2, 3), 7.5, np.float32)).save(tmp_path / "b.tiff")
    refused(read_image, tmp_path / "b.tiff", ImageError, "outside 0..1")


def test_a_missing_an_empty_and_a_folder_picture_are_each_named(tmp_path):
    refused(read_image, tmp_path / "none.png", ImageError, "no such file")
    refused(picture_size, tmp_path / "none.png", ImageError, "not a picture")
    (tmp_path / "empty.png").touch()
    refused(read_image, tmp_path / "empty.png", ImageError, "0 bytes")
    refused(read_image, tmp_path, ImageError, "folder")
    refused(read_image, tmp_path / ("x" * 300), ImageError, "cannot be read")


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "webp", "ppm", "tiff"])
@pytest.mark.parametrize("fraction", [0.03, 0.5, 0.9])
def test_a_truncated_picture_is_refused(tmp_path, suffix, fraction):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(colourful(64, 64)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    refused(read_image, path, ImageError)


def test_a_text_file_with_a_picture_name_is_refused(tmp_path):
    (tmp_path / "a.png").write_text("not a picture")
    refused(read_image, tmp_path / "a.png", ImageError, "not a picture")


def blank_png(path: Path, width: int, height: int) -> Path:
    """A PNG that claims a size and holds no pixels."""
    return png(path, width, height, 8, b"")


def png(path: Path, width: int, height: int, bits: int, rows: bytes) -> Path:
    """An RGB PNG of any contents."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return path


def test_a_picture_of_zero_size_is_refused(tmp_path):
    refused(read_image, blank_png(tmp_path / "a.png", 0, 5), ImageError, "zero size")
    with pytest.raises(ImageError, match="zero size"):
        rgb_array(Image.new("RGB", (0, 5)))


def test_a_decompression_bomb_is_refused_without_a_warning(tmp_path):
    refused(read_image, blank_png(tmp_path / "a.png", 30_000, 30_000), ImageError, "more pixels")
    # Between Pillow's limit and twice that it only warns: the warning must not escape.
    refused(read_image, blank_png(tmp_path / "b.png", 12_000, 10_000), ImageError, "AVSNET_MAX_PIXELS")
    refused(read_image, blank_png(tmp_path / "c.png", 8_000, 6_000), ImageError, "truncated")


# Recordings


@pytest.mark.parametrize(
    ("subtype", "step"), [("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 2**-24), ("FLOAT", 2**-24)]
)
def test_a_wav_comes_back_within_one_step_of_its_format(tmp_path, subtype, step):
    waveform = noise()
    recording = read_wav(wav(tmp_path / "a.wav", waveform, subtype))
    assert recording.waveform.dtype == np.float32 and recording.waveform.flags.c_contiguous
    assert recording.sample_rate == RATE and recording.path == str(tmp_path / "a.wav")
    assert np.abs(recording.waveform - waveform).max() <= step


def test_channel_0_is_the_left_one_and_mono_stays_one_channel(tmp_path):
    left_only = noise() * [[1.0], [0.0]]
    waveform = read_wav(wav(tmp_path / "a.wav", left_only)).waveform
    assert np.abs(waveform[0]).max() > 0.4 and np.abs(waveform[1]).max() == 0.0
    assert read_wav(wav(tmp_path / "b.wav", noise(1))).waveform.shape == (1, 500)


def test_flac_is_read_as_well(tmp_path):
    waveform = noise()
    path = wav(tmp_path / "a.flac", waveform)
    assert np.abs(read_wav(path).waveform - waveform).max() <= 2**-15
    path.write_bytes(path.read_bytes()[:800])
    refused(read_wav, path, AudioError)


def test_a_missing_an_empty_and_a_silly_recording_are_each_named(tmp_path):
    refused(read_wav, tmp_path / "none.wav", AudioError, "no such file")
    (tmp_path / "empty.wav").touch()
    refused(read_wav, tmp_path / "empty.wav", AudioError, "0 bytes")
    for name in ("text.wav", "text.raw", "text"):
        (tmp_path / name).write_text("this is not sound, it is prose")
        refused(read_wav, tmp_path / name, AudioError, "cannot be read as sound")
    refused(read_wav, tmp_path, AudioError, "folder")


def test_a_recording_without_frames_is_refused(tmp_path):
    refused(read_wav, wav(tmp_path / "a.wav", noise()[:, :0]), AudioError, "no samples")


@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
@pytest.mark.parametrize("lost", [1, 1000])
def test_a_truncated_wav_is_refused(tmp_path, endian, subtype, lost):
    path = wav(tmp_path / "a.wav", noise(), subtype, endian=endian, format="WAV")
    assert read_wav(path).waveform.shape == (2, 500)
    path.write_bytes(path.read_bytes()[:-lost])
    refused(read_wav, path, AudioError, "truncated")


@pytest.mark.parametrize("length", [0, 4, 11, 12, 20, 30, 44])
def test_a_wav_cut_inside_its_header_is_refused(tmp_path, length):
    path = wav(tmp_path / "a.wav", noise())
    path.write_bytes(path.read_bytes()[:length])
    refused(read_wav, path, AudioError)


def test_chunks_around_the_sound_do_not_confuse_the_check(tmp_path):
    path = wav(tmp_path / "a.wav", noise())
    content = path.read_bytes()
    odd = b"note" + struct.pack("<I", 3) + b"abc\0"  # a chunk of odd length is padded to an even one
    with_notes = content[:36] + odd + content[36:] + odd
    path.write_bytes(with_notes[:4] + struct.pack("<I", len(with_notes) - 8) + with_notes[8:])
    assert read_wav(path).waveform.shape == (2, 500)
    path.write_bytes(path.read_bytes()[: -len(odd) - 1])
    refused(read_wav, path, AudioError, "truncated")


def test_a_streamed_wav_is_read_if_it_holds_sound(tmp_path):
    path = wav(tmp_path / "a.wav", noise())
    content = path.read_bytes()
    unknown = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(content[:4] + unknown + content[8:40] + unknown + content[44:])
    assert read_wav(path).waveform.shape == (2, 500)
    path.write_bytes(content[:4] + unknown + content[8:40] + unknown)
    refused(read_wav, path, AudioError)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_a_float_wav_that_holds_no_number_is_refused(tmp_path, value, subtype):
    waveform = noise()
    waveform[1, 17] = value
    refused(read_wav, wav(tmp_path / "a.wav", waveform, subtype), AudioError, "sample 17 of channel 1")


def test_a_wrongly_scaled_float_wav_is_refused_and_a_small_overshoot_is_kept(tmp_path):
    refused(read_wav, wav(tmp_path / "a.wav", noise(peak=12_000.0), "FLOAT"), AudioError, "wrongly scaled")
    overshoot = read_wav(wav(tmp_path / "b.wav", noise(peak=1.4), "FLOAT")).waveform
    assert np.abs(overshoot).max() == pytest.approx(1.4)


def test_more_than_two_channels_are_refused_with_their_number(tmp_path):
    refused(read_wav, wav(tmp_path / "a.wav", noise(4)), AudioError, "4 channels", "left and right")


def test_an_array_is_held_to_the_same_rules_as_a_file():
    assert Recording(noise(), RATE).waveform.dtype == np.float32
    for waveform, word in [
        (noise().T, "500 channels"),
        (noise()[0], "shape"),
        (np.ones((2, 9), np.int16), "int16"),
        (noise(peak=1e300), "inf"),
    ]:
        with pytest.raises(AudioError, match=word):
            Recording(waveform, RATE)
    for rate in (0, -1, 44_100.5, float("nan"), float("inf")):
        with pytest.raises(AudioError, match="sample rate"):
            Recording(noise(), rate)


# Outputs


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".txt" and temporary != path
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_a_finished_write_replaces_the_file_and_makes_its_folders(tmp_path):
    path = tmp_path / "new" / "deep" / "a.txt"
    for text in ("first", "second"):
        with atomic_path(path) as temporary:
            temporary.write_text(text)
            assert not path.exists() or path.read_text() != text
        assert path.read_text() == text
    assert os.listdir(path.parent) == ["a.txt"]


def test_a_written_file_has_ordinary_permissions(tmp_path):
    (tmp_path / "plain").touch()
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.touch()
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    def write(path):
        with atomic_path(path) as temporary:
            temporary.write_text("text")

    (tmp_path / "file").touch()
    refused(write, tmp_path / "file" / "a.txt", OutputError)
    refused(write, tmp_path, OutputError, "folder")
    refused(write, Path(os.devnull), OutputError, "device")
    refused(write, tmp_path / ("x" * 300), OutputError)
    assert os.listdir(tmp_path) == ["file"]


def test_a_recording_may_overshoot_by_half_and_no_more():
    for peak in (1.0, 1.49, -1.49):
        assert Recording(np.full((1, 4), peak), RATE).waveform.shape == (1, 4)
    for peak in (1.51, -1.51, 10.0):
        with pytest.raises(AudioError, match="wrongly scaled"):
            Recording(np.full((1, 4), peak), RATE)
