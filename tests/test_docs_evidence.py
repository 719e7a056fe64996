"""What docs say of the commands of this evidence is what the commands do."""

from avsnet.evaluation.half_real import CONTROLS
from avsnet.evaluation.scores import FILES
from avsnet.metrics_shape import SHAPE_METRICS
from avsnet.rooms.failures import KINDS
from places import ROOT

DOCS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}


def test_every_metric_control_and_kind_is_told():
    assert all(f"`{name}`" in DOCS["half_real.md"] for name in SHAPE_METRICS)
    assert all(f"`@{name}`" in DOCS["half_real.md"] for name in CONTROLS)
    assert all(f"`{name}`" in DOCS["reproduce.md"] for name in KINDS)
    assert all(f"`{name}`" in DOCS["reproduce.md"] for name in FILES)
