"""The page of models is what the registry gives."""

import importlib.util

from avsnet.models import OUTPUT_KINDS, list_models
from places import ROOT

DOCS = ROOT / "docs"


def test_the_committed_page_is_what_the_registry_gives_and_explains_every_kind():
    spec = importlib.util.spec_from_file_location("make_models", DOCS / "make_models.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    committed = (DOCS / "models.md").read_text(encoding="utf-8")
    assert committed == script.page(), "run: python docs/make_models.py"
    assert all(committed.count(f"| `{name}` |") == 1 for name in (*list_models(), *OUTPUT_KINDS))
