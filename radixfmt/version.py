"""The package version; the format version is `radixfmt.storage.FORMAT_VERSION`."""

__version__ = "0.1.0"
