"""The pair of networks that comes with the package: what hears, and its twin that only sees."""

AV = "avsnet_lite0_av"
"""What `predict` takes where no depth model is named."""

V = "avsnet_lite0_v"
"""The same without the echo branch."""
