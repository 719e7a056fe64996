"""The owner's one command, rehearsed: both parts of BatVision in the published layout, published files of the zero-shot
models, a row that is trained first, and every row of the tables or what to fetch for it."""

import csv
import json
import re

import pytest
import torch

from avsnet import cli
from avsnet.evaluation.scores import Scores
from avsnet.reproduce.table_rows import Cast, plan
from avsnet.rooms.writer import Plan, write_dataset
from places import GOLDEN, ROOT, SHARED

# Recordings of BatVision tell no camera, and the packaged pair wants one.
pytestmark = pytest.mark.filterwarnings("ignore:.*no camera known")

PUBLISHED = {
    "zoedepth_n": ("ZoeD_M12_N.pt", SHARED / "golden" / "zoedepth_nyu" / "keys.json", ""),
    "newcrfs_large07": ("model_nyu.ckpt", GOLDEN / "newcrfs" / "keys.json", ""),
    "jun2022_mdr": ("51k_HRWSI.pth", GOLDEN / "jun2022" / "keys.json", "module."),
}
"""Model -> its published file, the list of that file's entries, and what stands before each in the file."""


def trees(root):
    write_dataset(Plan("offices", 3, 2, layout="v1", size=(36, 64)), root / "v1", progress=False)
    write_dataset(Plan("historic", 2, 6, layout="v2", size=(36, 64)), root / "v2", progress=False)


def published_file(path, keys, prefix):
    """A file in the published layout whose every entry is one number, however large it looks."""
    entries = json.loads(keys.read_text())[path.name]
    state = {}
    for key, entry in entries.items():
        number = torch.full((), 0.02 if entry["dtype"] == "float32" else 0, dtype=getattr(torch, entry["dtype"]))
        state[f"{prefix}{key}"] = number.expand(entry["shape"])
    torch.save({"model": state}, path)


def reproduce(root, *flags):
    words = ["--bv1", str(root / "v1"), "--bv2", str(root / "v2"), "--weights", str(root / "weights")]
    return cli.main(["reproduce", *words, "--out", str(root / "paper"), *flags])


@pytest.mark.slow
def test_a_row_is_trained_on_the_owners_v2_first_and_all_others_say_what_to_fetch(tmp_path):
    pytest.importorskip("lightning")
    trees(tmp_path)
    config = tmp_path / "short.yaml"
    base = ROOT / "configs" / "twin_bitd.yaml"
    config.write_text(
        f"base: {base}\nsteps: 1\nvalidate_every: 1\nsave_every: 1\n"
        "model: {options: {width: 32, input_size: [96, 128]}}\ndata: {workers: 0, batch_size: 2, cache: null}\n"
    )
    assert reproduce(tmp_path, "--train", f"bitd={config}") == 0
    assert (tmp_path / "weights" / "bitd" / "model.safetensors").is_file()
    systems = {row["system"] for row in Scores.read(tmp_path / "paper" / "v1").rows}
    assert any(system.startswith("bitd") for system in systems)
    page = (tmp_path / "paper" / "report.html").read_text(encoding="utf-8")
    for line in plan(Cast(weights=tmp_path / "weights"), ["V1", "V2"]):
        assert line.trial is not None or re.search(r"not run: (needs|no) weights", line.missing)
    assert "newcrfs_large07" in page and "none: " in page  # two rooms of each give no interval


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "golden").is_dir(), reason="needs ../shared/golden")
def test_the_published_files_of_the_zero_shot_models_are_found_read_and_scored_under_every_scaling(tmp_path):
    trees(tmp_path)
    for name, (file, keys, prefix) in PUBLISHED.items():
        (tmp_path / "weights" / name).mkdir(parents=True)
        published_file(tmp_path / "weights" / name / file, keys, prefix)
    plain = tmp_path / "weights" / "zoedepth_n"  # a file by the model's name is found as well as one in its folder
    (plain / "ZoeD_M12_N.pt").rename(tmp_path / "weights" / "zoedepth_n.pt")
    plain.rmdir()
    assert reproduce(tmp_path) == 0
    with (tmp_path / "paper" / "table2.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["block"] != "not run"]
    for method in ("ZoeDepth", "Jun et al.", "NeWCRFs"):
        variants = {row["input or scaling"] for row in rows if row["method"] == method}
        assert {"w/o", "Baseline", "Proposed", "another image's echo", "oracle"} <= variants
