"""The data model: patterns, layers, nodes, networks, and the digests that cite them."""
