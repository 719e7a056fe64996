"""Where the metres come from: one table of sources, the distribution over scale, and the rules that apply it."""
