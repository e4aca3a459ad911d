"""HTTP <-> search/: the thin side that knows Flask."""

__version__ = "0.1.0"
