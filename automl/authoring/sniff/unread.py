"""Data that no source reads yet, by the endings of its files: which modality it is, how it is brought into a form."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

MODALITIES = {
    "audio": ".wav .mp3 .flac .ogg .opus .m4a .aac .aif .aiff .wma .amr",
    "video": ".mp4 .avi .mov .mkv .webm .mpg .mpeg .wmv .m4v",
    "text": ".txt .md .text .rst .htm .html .doc .docx .pdf .pos .neg .conll .conllu .bio .srt .eml",
    "medical imaging (DICOM, NIfTI)": ".dcm .dicom .nii .mha .mhd .nrrd",
    "point cloud data": ".ply .pcd .las .laz .xyz .off .stl .obj",
}
"""What there is no input for yet, and what its files are called."""

_HINTS = {
    ".zip .tar .tgz .gz .bz2 .xz .7z .rar .zst": "Unpack it, and give the file or the folder that comes out",
    ".parquet": "Write its document by hand, with source: {parquet: {file: ..., target: ...}}",
    ".feather .orc .xlsx .xls .ods .json .jsonl .arff .sav .dta .sas7bdat .db .sqlite": (
        "Save the table as .csv (pandas: to_csv)"
    ),
    ".npy .mat .h5 .hdf5 .pkl .pickle .joblib .pt .pth .tfrecord .tfrecords .bin .edf .safetensors": (
        "Save its arrays as .npz (numpy.savez with x= and y=)"
    ),
    ".heic .heif .avif .svg .psd .raw .cr2 .nef .dng .jp2 .eps .ppm .pgm": "Convert the images to PNG or JPEG",
}
OTHER = "Save a table as .csv (pandas: to_csv), arrays as .npz (numpy.savez with x= and y=)"

_WORDS_ABOUT = {
    "readme", "license", "licence", "notice", "source", "changelog", "citation", "requirements", "classes", "labels",
    "notes", "copying",
}  # fmt: skip
"""Files about a set, which lie in a set of any kind."""


def modality(files: Iterable[Path]) -> tuple[Path, str] | None:
    """Returns what the most of some files hold where there is no input for it yet, `audio`, and one that holds it."""
    found: dict[str, list[Path]] = {}
    for path in files:
        for name, endings in MODALITIES.items():
            if _ending(path) in endings.split() and path.stem.lower() not in _WORDS_ABOUT:
                found.setdefault(name, []).append(path)
    most = max(found, key=lambda name: len(found[name]), default=None)
    return None if most is None else (min(found[most]), most)


def advice(files: Iterable[Path]) -> str | None:
    """Returns how files of a form that no source reads are brought into one; None for forms that nobody knows."""
    forms = {path.suffix.lower() for path in files}
    return next((said for endings, said in _HINTS.items() if forms & set(endings.split())), None)


def _ending(path: Path) -> str:
    name = path.name.lower()
    return Path(name.removesuffix(".gz")).suffix
