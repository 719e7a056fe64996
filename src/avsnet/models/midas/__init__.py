"""The MiDaS networks: encoders, decoder, and the keys of their published files."""
