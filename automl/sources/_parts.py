"""The parts of a set, and what people call them: in the keys of archives, and in the names of folders."""

PARTS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
