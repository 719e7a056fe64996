"""Files: pictures, recordings, depth maps and cameras, checked where they are read, whole where they are written."""

from avsnet.io.pictures import read_image

__all__ = ["read_image"]
