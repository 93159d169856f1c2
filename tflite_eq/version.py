"""The version of this package, also recorded in every file it writes."""

VERSION = "0.1.0"
