"""Rooms whose picture, depth and echo come from the same geometry, in closed form."""
