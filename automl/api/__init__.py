"""From Python: a search as an object."""
