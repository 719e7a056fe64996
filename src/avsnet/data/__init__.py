"""What goes in: the sample contract, and the data sets that keep it, each a file that registers itself."""
