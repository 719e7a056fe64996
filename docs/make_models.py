"""Write docs/models.md from the registry: `python docs/make_models.py`. A test checks that the page is up to date."""

from __future__ import annotations

from pathlib import Path

from avsnet.models import ModelInfo, list_models, model_info

PAGE = Path(__file__).with_name("models.md")

HEAD = """\
# Depth models

Written by `python docs/make_models.py` from the registry; `avsnet models` prints the same, and whether weights are on
this disk. Networks are code of this project, written from descriptions of their originals, or of timm and transformers.
Weights are their authors', under the licence in the table, and do not come with the package unless `avsnet models` says
"packaged".

```python
import avsnet

model = avsnet.create_model("lite_mono", weights="lite-mono_640x192")  # the published file or folder
prediction = avsnet.predict("kitchen.jpg", "kitchen.wav", depth_model=model, scale_from="ranging")
```

`avsnet predict --depth-model lite_mono=PATH` takes them too. `weights="default"`, and the name without a path, look for
a file or folder of the model's name in the user's cache, or in `AVSNET_CACHE`. Files are read without running code in
them, and must fit entry by entry; bare, in the wrapper of a training run, and behind the prefixes of parallel, compiled
or Lightning modules.

| what a model gives | meaning |
|---|---|
| `metric_depth` | metres along the optical axis |
| `relative_depth` | depth up to a scale |
| `affine_depth` | depth up to scale and shift |
| `disparity` | 1 / depth up to a scale |
| `affine_disparity` | 1 / depth up to scale and shift |

Third-party depth models: `onnx:PATH`, `huggingface:ID_OR_FOLDER` ([your own model](own_model.md)).
"""

COLUMNS = ("name", "takes", "gives", "input", "parameters", "code", "weights", "published at", "source")


def row(info: ModelInfo) -> str:
    """One line of the table."""
    size = "its own" if info.size is None else f"{info.size[0]} x {info.size[1]}"
    count = "" if info.parameters is None else f"{info.parameters / 1e6:.1f} M"
    takes = " and ".join(what for what, is_so in (("picture", info.sees), ("echo", info.hears)) if is_so)
    licences = (info.code_licence, info.weights_licence)
    return (
        f"| {' | '.join((f'`{info.name}`', takes, info.output, size, count, *licences, info.published, info.source))} |"
    )


def page() -> str:
    """The whole page."""
    infos = [model_info(name) for name in list_models()]
    table = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}", *map(row, infos)]
    return "\n".join([HEAD, *table, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
