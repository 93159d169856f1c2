"""The version of this package, also recorded in every file it writes."""

__version__ = "0.1.0"
