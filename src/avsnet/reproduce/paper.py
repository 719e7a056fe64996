"""The numbers printed in the paper, as data.

Source: "Audio-Visual Scale Net for Self-supervised Monocular Metric Depth Estimation", Tables 1 and 2. Columns are
`avsnet.metrics.PAPER_METRICS`; None where the paper prints a dash. In Table 2, "w/o" is the unscaled map, "Baseline"
the map scaled by the visual-only AVS-Net, "Proposed" by the audio-visual one.
"""

from __future__ import annotations

Numbers = tuple[float | None, ...]

TABLE_1: dict[tuple[str, str, str], Numbers] = {
    ("V2", "BITD", "AV"): (0.323, None, 2.286, None, 0.647, 0.834, 0.901),
    ("V2", "AVS-Net", "V"): (0.189, 0.233, 0.696, 0.253, 0.745, 0.938, 0.978),
    ("V2", "AVS-Net", "AV"): (0.170, 0.210, 0.678, 0.245, 0.776, 0.942, 0.976),
    ("V1", "AVS-Net", "V"): (0.315, 0.518, 1.149, 0.479, 0.414, 0.680, 0.842),
    ("V1", "AVS-Net", "AV"): (0.277, 0.450, 1.006, 0.398, 0.537, 0.792, 0.906),
}
"""Stage one: (tested on, method, input) -> metrics; all are trained on V2."""

TABLE_2: dict[tuple[str, str], Numbers] = {
    ("Monodepth2", "w/o"): (0.649, 0.931, 1.656, 1.168, 0.008, 0.023, 0.065),
    ("Monodepth2", "Baseline"): (0.312, 0.354, 0.975, 0.498, 0.397, 0.677, 0.827),
    ("Monodepth2", "Proposed"): (0.289, 0.318, 0.898, 0.433, 0.490, 0.753, 0.874),
    ("MonoViT", "w/o"): (0.568, 0.757, 1.490, 0.998, 0.017, 0.072, 0.283),
    ("MonoViT", "Baseline"): (0.320, 0.386, 1.002, 0.531, 0.393, 0.673, 0.814),
    ("MonoViT", "Proposed"): (0.297, 0.355, 0.931, 0.465, 0.484, 0.746, 0.860),
    ("Lite-Mono", "w/o"): (0.782, 1.284, 1.933, 1.626, 0.000, 0.000, 0.001),
    ("Lite-Mono", "Baseline"): (0.284, 0.313, 0.951, 0.458, 0.436, 0.719, 0.852),
    ("Lite-Mono", "Proposed"): (0.261, 0.270, 0.875, 0.393, 0.525, 0.785, 0.898),
    ("ZoeDepth", "w/o"): (1.000, 1.630, 1.558, 0.705, 0.107, 0.258, 0.486),
    ("ZoeDepth", "Baseline"): (0.285, 0.394, 1.181, 0.455, 0.420, 0.677, 0.829),
    ("ZoeDepth", "Proposed"): (0.250, 0.301, 1.042, 0.377, 0.512, 0.780, 0.901),
    ("Jun et al.", "w/o"): (0.549, 0.597, 1.083, 0.483, 0.241, 0.532, 0.828),
    ("Jun et al.", "Baseline"): (0.303, 0.437, 1.258, 0.493, 0.387, 0.647, 0.807),
    ("Jun et al.", "Proposed"): (0.260, 0.342, 1.129, 0.409, 0.495, 0.755, 0.880),
    ("NeWCRFs", "w/o"): (1.240, 2.485, 1.874, 0.813, 0.094, 0.208, 0.388),
    ("NeWCRFs", "Baseline"): (0.309, 0.453, 1.287, 0.505, 0.386, 0.630, 0.793),
    ("NeWCRFs", "Proposed"): (0.276, 0.361, 1.156, 0.425, 0.463, 0.737, 0.869),
}
"""Stage two on the V1 test set: (model, scaling) -> metrics."""

FAMILIES: dict[str, tuple[tuple[str, str], ...]] = {
    "relative, self-supervised on V1": (
        ("Monodepth2", "monodepth2"),
        ("MonoViT", "monovit"),
        ("Lite-Mono", "lite_mono"),
    ),
    "metric, zero-shot": (
        ("ZoeDepth", "zoedepth_n"),
        ("Jun et al.", "jun2022_mdr"),
        ("NeWCRFs", "newcrfs_large07"),
    ),
}
"""Table 2's two families: the paper's name of each model, and ours. Which ZoeDepth and which Jun et al. the paper used
it does not say: the indoor one, and the one with all parts."""
