"""Rooms whose picture, depth and echo come from the same geometry."""

from avsnet.rooms.simulator import sample

__all__ = ["sample"]
