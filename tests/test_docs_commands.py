"""Every command line and every Python block of README and docs: flags exist, and what is quick is run."""

import functools
import json
import re
import shlex
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
from onnx import TensorProto, helper
from PIL import Image

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.cli import VERBS, main
from avsnet.cli.flags import call
from avsnet.rooms import sample
from places import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$|((?:^    \S.*\n(?:^    .*\n)*)+)", re.MULTILINE | re.DOTALL)
RUN = ("predict", "scale", "models", "echo", "chirp")  # the others take minutes, a data set or a browser
ELSEWHERE = ("huggingface:", "../shared")  # what a line names that is not here


def lines(kind: str) -> list[tuple[str, str]]:
    """(page, text) of every command, or every block of Python."""
    found = []
    for page in PAGES:
        for language, fenced, indented in BLOCK.findall(page.read_text()):
            text = fenced or indented
            if kind == "python" and language == "python":
                found.append((page.name, text))
            if kind == "sh" and language in ("", "sh"):
                joined = text.replace("\\\n", "")  # as a shell joins lines
                found += [
                    (page.name, line.strip()) for line in joined.splitlines() if line.strip().startswith("avsnet ")
                ]
    return found


def words_of(line: str) -> list[str]:
    return shlex.split(line, comments=True)[1:]


@pytest.mark.parametrize(("page", "line"), lines("sh"))
def test_flags_of_a_documented_command_exist(page, line):
    verb, *words = words_of(line)
    assert verb in VERBS, f"{page}: {line}"
    if verb == "train":
        if words[0].endswith(".yaml"):
            assert (ROOT / words[0]).exists() or "/" not in words[0], f"{page}: {line}"
        return
    heard = []
    assert call(verb, functools.wraps(VERBS[verb])(lambda *a, **k: heard.append(k) or 0), words) == 0


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory):
    """A folder with what the pages name: a picture and its echo, maps, and a model."""
    folder = tmp_path_factory.mktemp("kitchen")
    made = sample("offices", 300_001, size=(96, 128))
    Image.fromarray(made["rgb"]).save(folder / "kitchen.jpg")
    soundfile.write(folder / "kitchen.wav", made["audio"].T, SAMPLE_RATE)
    depth = np.where(made["depth"] > 0.0, made["depth"], np.median(made["depth"]))
    np.save(folder / "disparity.npy", (1.0 / depth).astype(np.float32))
    np.save(folder / "midas.npy", (2.0 / depth + 0.1).astype(np.float32))
    for name in ("metric.png", "depth.png"):
        Image.fromarray(np.round(depth * 1000).astype(np.uint16)).save(folder / name)
    node = helper.make_node("ReduceMean", ["image", "axes"], ["depth"], keepdims=1)
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, count, 192, 640])
        for name, count in (("image", 3), ("depth", 1))
    ]
    graph = helper.make_graph([node], "toy", ends[:1], ends[1:], [axes])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), folder / "model.onnx"
    )
    (folder / "model.json").write_text(json.dumps({"output": "disparity", "layout": "NCHW", "size": [192, 640]}))
    return folder


def here(line: str) -> bool:
    """Whether a command can run in the kitchen's folder."""
    verb, *words = words_of(line)
    inputs = [word for word in words if re.search(r"\.(jpg|npy|png|wav|onnx)$", word) or "/" in word]
    known = re.compile(r"(onnx:)?(kitchen|disparity|midas|metric|depth|model|echo|chirp)\.\w+$")
    return verb in RUN and not any(e in line for e in ELSEWHERE) and all(known.match(word) for word in inputs)


@pytest.mark.parametrize("line", sorted({line for _, line in lines("sh") if here(line)}))
def test_a_quick_documented_command_runs(line, kitchen, monkeypatch, capsys):
    monkeypatch.chdir(kitchen)
    extra = ["--overwrite"] if "--out" in line and "predict" in line else []
    assert main([*words_of(line), *extra]) == 0, capsys.readouterr().err


RUN_PAGES = ("README.md", "index.md", "own_model.md")


@pytest.mark.parametrize(("page", "block"), [(page, text) for page, text in lines("python") if page in RUN_PAGES])
def test_a_documented_block_of_python_runs(page, block, kitchen, monkeypatch):
    monkeypatch.chdir(kitchen)
    exec(compile(block, page, "exec"), {})


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_pages_name_no_file_that_is_not_there():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} names {target}"
            assert Path(target).suffix != ".html"


def test_the_site_holds_every_page_and_links_to_nothing_outside_it():
    nav = (ROOT / "mkdocs.yml").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert f": {page.name}" in nav, f"{page.name} is not in the navigation"
        assert "](../" not in page.read_text(), f"{page.name} links outside the docs"
