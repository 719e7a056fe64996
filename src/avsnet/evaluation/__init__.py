"""How maps are evaluated: one protocol, the systems and data it is applied to, and the scores it gives."""
