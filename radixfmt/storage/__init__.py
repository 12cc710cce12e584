"""Files: the guard, the reader, the writer, and the JSON they share (spec §§2 to 4, 8).

Every module here loads HDF5; this package itself loads nothing.
"""
