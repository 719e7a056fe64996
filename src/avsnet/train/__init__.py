"""Training on Lightning: what is trained, on what, and by which rule is one YAML file."""
