"""A point cloud to turn on the page: one frame of plain HTML that draws on a canvas.

The page's own 3-D component stays blank where the browser has no WebGPU; a canvas is everywhere.
"""

from __future__ import annotations

import base64
import html

import numpy as np

from avsnet.point_cloud import PointCloud

MOST = 40_000
"""Points that are drawn."""

_FULL = 32_000  # of 16 bits, for the farthest coordinate

_PAGE = """<!doctype html><meta charset="utf-8"><style>html,body{margin:0;background:#1e1e22;overflow:hidden}
canvas{width:100%;height:100vh;display:block;cursor:grab;touch-action:none}</style><canvas></canvas><script>
const bytes = Uint8Array.from(atob("DATA"), c => c.charCodeAt(0)), count = COUNT;
const place = new Int16Array(bytes.buffer, 0, 3 * count), colour = new Uint8Array(bytes.buffer, 6 * count);
const canvas = document.querySelector("canvas"), context = canvas.getContext("2d");
let turn = 0.35, tilt = 0.25, zoom = 1, from = null;
function draw() {
  const w = canvas.width = canvas.clientWidth, h = canvas.height = canvas.clientHeight;
  const image = context.createImageData(w, h), pixels = image.data, near = new Float32Array(w * h);
  for (let i = 0; i < w * h; i++) pixels.set([30, 30, 34, 255], 4 * i);
  const [ct, st, cu, su] = [Math.cos(turn), Math.sin(turn), Math.cos(tilt), Math.sin(tilt)];
  const size = 1.1 * zoom * Math.min(w, h), dot = Math.max(1, Math.round(zoom * Math.min(w, h) / 260));
  for (let i = 0; i < count; i++) {
    const x = place[3 * i] / FULL, y = place[3 * i + 1] / FULL, z = place[3 * i + 2] / FULL;
    const a = ct * x - st * z, b = st * x + ct * z, up = cu * y - su * b, away = su * y + cu * b + 2.2;
    const column = Math.round(w / 2 + size * a / away), row = Math.round(h / 2 + size * up / away);
    for (let r = row; r < row + dot; r++) for (let c = column; c < column + dot; c++) {
      if (c < 0 || r < 0 || c >= w || r >= h || near[r * w + c] >= 1 / away) continue;
      near[r * w + c] = 1 / away;
      const to = 4 * (r * w + c);
      pixels[to] = colour[3 * i]; pixels[to + 1] = colour[3 * i + 1]; pixels[to + 2] = colour[3 * i + 2];
    }
  }
  context.putImageData(image, 0, 0);
}
canvas.onpointerdown = e => { from = [e.clientX, e.clientY]; canvas.setPointerCapture(e.pointerId); };
canvas.onpointerup = () => { from = null; };
canvas.onpointermove = e => {
  if (!from) return;
  turn -= (e.clientX - from[0]) / 150; tilt += (e.clientY - from[1]) / 150;
  tilt = Math.max(-1.5, Math.min(1.5, tilt)); from = [e.clientX, e.clientY]; draw();
};
canvas.onwheel = e => {
  e.preventDefault(); zoom = Math.max(0.3, Math.min(8, zoom * Math.exp(-e.deltaY / 600))); draw();
};
addEventListener("resize", draw); draw();
</script>"""


def turning(cloud: PointCloud, height: int = 420) -> str:
    """HTML of a frame in which a cloud can be turned by dragging, and zoomed by the wheel.

    Args:
        cloud: camera axes; every so many-th point is drawn where there are more than `MOST`.
        height: pixels.
    """
    step = max(1, -(-len(cloud.points) // MOST))
    points, colours = cloud.points[::step].astype(np.float64), cloud.colours[::step]
    if len(points):
        points = points - np.median(points, axis=0)
        points = np.clip(points / np.quantile(np.abs(points), 0.98).clip(1e-9), -1.0, 1.0)
    data = np.round(points * _FULL).astype("<i2").tobytes() + colours.astype(np.uint8).tobytes()
    page = _PAGE.replace("DATA", base64.b64encode(data).decode()).replace("COUNT", str(len(points)))
    page = html.escape(page.replace("FULL", str(_FULL)))
    return f'<iframe title="points" srcdoc="{page}" style="width:100%;height:{height}px;border:0"></iframe>'
