"""A document as it is written: read, overridden, named, with the place of every mistake."""
