"""What goes in: the sample contract."""
