"""avsnet."""
