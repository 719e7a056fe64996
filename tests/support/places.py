"""Where tests find what lies outside of them."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The project's own folder."""

GOLDEN = ROOT / "tests" / "golden"
"""Parity data that the project carries."""

SHARED = ROOT.parent / "shared"
"""Real data and further parity data beside the project; tests of them are skipped where it is absent."""
