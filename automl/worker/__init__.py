"""One trial: built, trained, measured, told of."""
