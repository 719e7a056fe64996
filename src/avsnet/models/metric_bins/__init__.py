"""The metric-bins head of ZoeDepth: seed bins, attractors, and log-binomial probabilities."""
