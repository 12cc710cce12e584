"""How the outputs of a pattern are put into tiles: orders, cuts, and tiles of a few sizes."""
