"""The pairs of networks that come with the package: what hears, and its twin that only sees."""

AV = "avsnet_lite0_av"
"""Has seen photographs; what `predict` takes where no depth model is named."""

V = "avsnet_lite0_v"
"""The same without the echo branch."""

ROOMS_AV = "avsnet_tiny_av"
"""Knows simulated rooms alone, and knows them best: for the demo and the paper's tables on the simulated twin."""

ROOMS_V = "avsnet_tiny_v"
"""The same without the echo branch."""
