"""Reading, computing and writing overlap, and nobody can tell from the results: order, numbers, errors, whole files."""

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from avsnet import cli
from avsnet.audio.rig import Rig
from avsnet.cli.predict_pipeline import Steps, batch_size, computing_threads, device_of, pipelined
from avsnet.errors import ImageError, ModelError, OptionError
from avsnet.prediction import Prediction
from closed_form.echo import echo
from closed_form.furnished import furnished_room
from closed_form.render import render

RATE = 44_100


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five rooms of two sizes, each with its echo, of which one is longer and one is silent."""
    folder = tmp_path_factory.mktemp("rooms")
    for number in range(5):
        scene = furnished_room("offices", number)
        picture, _, _ = render(scene, *((48, 64) if number != 2 else (64, 48)))
        Image.fromarray(picture).save(folder / f"room_{number}.png")
        sound = echo(scene, Rig(), seed=number)
        sound = {3: 0.0 * sound, 4: np.pad(sound, ((0, 0), (0, 500)))}.get(number, sound)
        soundfile.write(folder / f"room_{number}.wav", sound.T, RATE, subtype="FLOAT")
    return folder


def predict(folder, out, *flags):
    words = ["predict", str(folder), "--echo", str(folder) if folder.is_dir() else str(folder.with_suffix(".wav"))]
    return cli.main([*words, "--out", str(out), "--no-panel", *flags])


def test_a_folder_in_batches_gives_the_numbers_of_its_pictures_one_by_one(folder, tmp_path, capsys):
    assert predict(folder, tmp_path / "all") == 0
    lines = capsys.readouterr().out.splitlines()
    for number in range(5):
        name = f"room_{number}_depth.npz"
        assert predict(folder / f"room_{number}.png", tmp_path / "each") == 0
        assert capsys.readouterr().out == f"{lines[number]}\n"
        together, alone = (Prediction.load(tmp_path / place / name) for place in ("all", "each"))
        assert np.allclose(together.depth, alone.depth, rtol=1e-5, atol=1e-5)
        assert (together.warnings, together.assumptions) == (alone.warnings, alone.assumptions)
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == sorted(
        f"room_{number}_depth.{suffix}" for number in range(5) for suffix in ("npz", "png")
    )


def test_a_picture_that_fails_in_the_middle_fails_alone_and_is_named(folder, tmp_path, capsys):
    for path in folder.iterdir():
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "in" / "room_1.png").write_bytes(b"no picture")
    assert predict(tmp_path / "in", tmp_path / "out") == 1
    out, err = capsys.readouterr()
    assert [line.partition(":")[0] for line in out.splitlines()] == [f"room_{number}.png" for number in (0, 2, 3, 4)]
    assert "1 of 5 pictures failed" in err and "room_1.png: " in err
    assert len(list((tmp_path / "out").glob("*.npz"))) == 4


def squares(fails=(), wait=None):
    """Steps on numbers: read, square in batches, write."""
    batches = []

    def read(job):
        if ("read", job) in fails:
            raise ImageError(f"{job} cannot be read")
        return job

    def compute(values):
        batches.append(list(values))
        return [ModelError(f"{value} fails") if ("compute", value) in fails else value**2 for value in values]

    def write(job, value, square):
        if wait:
            wait(job)
        if ("write", job) in fails:
            raise OptionError(f"{job} cannot be written")
        return f"{job} {value} {square}"

    return Steps(read, compute, write), batches


@pytest.mark.parametrize("batch", [1, 3, 20])
@pytest.mark.parametrize("threads", [1, 4])
def test_results_come_in_the_order_of_the_jobs_whatever_takes_how_long(batch, threads):
    delays = np.random.default_rng(0).uniform(0.0, 0.005, 10)
    fails = {("read", 2), ("compute", 5), ("compute", 6), ("write", 8)}
    steps, batches = squares(fails, lambda job: time.sleep(delays[job]))
    found = list(pipelined(range(10), steps, batch=batch, threads=threads))
    failed = {2: "2 cannot be read", 5: "5 fails", 6: "6 fails", 8: "8 cannot be written"}
    assert [(job, str(outcome)) for job, outcome in found] == [
        (job, failed.get(job, f"{job} {job} {job**2}")) for job in range(10)
    ]
    assert [value for values in batches for value in values] == [0, 1, *range(3, 10)]
    assert max(map(len, batches)) <= batch


def test_no_jobs_are_no_results():
    assert list(pipelined([], squares()[0], batch=4, threads=2)) == []


def test_only_a_few_batches_are_in_memory_at_a_time():
    taken = []

    def jobs():
        for job in range(1000):
            taken.append(job)
            yield job

    outcomes = pipelined(jobs(), squares()[0], batch=4, threads=2)
    for seen, _ in zip(range(20), outcomes, strict=False):
        assert len(taken) - seen <= 4 * 4
    outcomes.close()
    assert len(taken) < 50


def test_whoever_stops_in_the_middle_leaves_what_was_begun_whole():
    begun, done = [], []

    def wait(job):
        begun.append(job)
        time.sleep(0.01)
        done.append(job)

    outcomes = pipelined(range(100), squares(wait=wait)[0], batch=4, threads=2)
    next(outcomes)
    outcomes.close()
    assert sorted(begun) == sorted(done) and len(done) < 20
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("avsnet")]


def test_an_error_that_is_none_of_ours_ends_it_all():
    steps, _ = squares(wait=lambda job: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        list(pipelined(range(9), steps, batch=2, threads=2))


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_an_interrupted_folder_leaves_whole_files_and_no_others(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(60):
        pixels = np.random.default_rng(number).integers(0, 256, (1200, 1600, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "in" / f"{number:02d}.png", compress_level=0)
    words = ["predict", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--no-panel", "--compress"]
    command = [sys.executable, "-u", "-m", "avsnet", *words]
    # A shell's background jobs ignore the signal, and so would what they start.
    heeds = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, preexec_fn=heeds)
    assert process.stdout.readline().startswith("00.png: ")  # in the midst of it
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and err.endswith("avsnet: interrupted\n")
    left = sorted(path.name for path in (tmp_path / "out").iterdir())
    stems = sorted({name[:2] for name in left})
    assert 1 <= len(stems) < 60 and left == sorted(f"{stem}_depth.{kind}" for stem in stems for kind in ("npz", "png"))
    for stem in stems:
        depth = Prediction.load(tmp_path / "out" / f"{stem}_depth.npz").depth
        with Image.open(tmp_path / "out" / f"{stem}_depth.png") as picture:
            assert np.abs(np.asarray(picture) / 1000.0 - depth).max() < 0.00051


def test_files_are_fast_by_default_and_small_with_compress(folder, tmp_path):
    for name, flags in (("fast", []), ("small", ["--compress"])):
        assert predict(folder / "room_0.png", tmp_path / name, *flags) == 0
    fast, small = ({path.suffix: path for path in (tmp_path / name).iterdir()} for name in ("fast", "small"))
    assert small[".npz"].stat().st_size < fast[".npz"].stat().st_size
    assert small[".png"].stat().st_size <= fast[".png"].stat().st_size
    assert np.array_equal(Prediction.load(fast[".npz"]).depth, Prediction.load(small[".npz"]).depth)
    with Image.open(fast[".png"]) as one, Image.open(small[".png"]) as other:
        assert np.array_equal(np.asarray(one), np.asarray(other))


def test_a_panel_is_drawn_unless_it_is_not_wanted_and_an_old_one_of_ours_goes(folder, tmp_path):
    words = ["predict", str(folder / "room_0.png"), "--out", str(tmp_path)]
    assert cli.main(words) == 0 and (tmp_path / "room_0_panel.png").exists()
    assert cli.main([*words, "--no-panel"]) == 0 and not (tmp_path / "room_0_panel.png").exists()


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "cpu:x", ""])
def test_a_device_that_is_not_here_is_one_line(folder, tmp_path, capsys, device):
    code = predict(folder / "room_0.png", tmp_path / "out", f"--device={device}")
    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1) and "--device" in err
    assert not (tmp_path / "out").exists()


def test_half_precision_is_refused_on_a_cpu(folder, tmp_path, capsys):
    assert predict(folder / "room_0.png", tmp_path / "out", "--device", "cpu", "--half") == 2
    assert "--half" in capsys.readouterr().err and not (tmp_path / "out").exists()
    assert device_of("cpu") == torch.device("cpu")


def test_a_small_network_computes_in_one_thread_and_leaves_the_callers_number(monkeypatch):
    small, large = (torch.nn.Linear(width, width) for width in (10, 3000))
    before = torch.get_num_threads()
    with computing_threads(small):
        assert torch.get_num_threads() == 1
    with computing_threads(large):
        assert torch.get_num_threads() == before
    assert torch.get_num_threads() == before
    assert batch_size(small) > 1 and batch_size(large) == 1 and batch_size(torch.nn.Identity()) == 1


def test_predicting_does_not_import_what_only_other_models_and_the_panel_need(folder, tmp_path):
    words = ["predict", str(folder / "room_0.png"), "--echo", str(folder / "room_0.wav"), "--out", str(tmp_path)]
    code = (
        "import sys; from avsnet import cli; code = cli.main(sys.argv[1:]); "
        "heavy = {'timm', 'torchvision', 'transformers', 'matplotlib', 'scipy.signal', 'torch._dynamo'}; "
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words, "--no-panel"], capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (0, "[]")
