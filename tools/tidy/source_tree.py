"""The repository as the house rules see it: text files, and C++ with comments and literals blanked."""

import dataclasses
import functools
import os
import re

ROOMS = ("memlog", "core", "projectors", "sagas")
CPP_SUFFIXES = (".h", ".cc")
TEXT_SUFFIXES = CPP_SUFFIXES + (".md", ".py", ".cmake", ".in", ".txt", ".json", ".sh", ".supp", "")
SKIPPED_FOLDERS = {"build", "__pycache__", "node_modules"}
SKIPPED_FILES = {"LICENSE"}

_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^(\s]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'',
    re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Finding:
    path: str
    line: int
    text: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.text}"


class SourceFile:
    """One text file; `path` is relative to the repository's root, with forward slashes."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.folder, _, self.name = path.rpartition("/")
        self.top = path.split("/")[0] if "/" in path else ""
        self.lines = text.splitlines()

    @property
    def is_cpp(self):
        return self.name.endswith(CPP_SUFFIXES)

    @property
    def is_public_header(self):
        return self.top in ROOMS and self.path.startswith(f"{self.top}/include/pawl/")

    @functools.cached_property
    def code(self):
        """The text with comments and the inside of literals blanked; offsets and lines stay."""
        return _TOKEN.sub(_blank, self.text)

    @functools.cached_property
    def includes(self):
        """(line, spelled with quotes?, name) of every include."""
        pattern = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.MULTILINE)
        return [(self.line_of(m.start()), m.group(1) is not None, m.group(1) or m.group(2))
                for m in pattern.finditer(self.text)]

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1

    def finding(self, offset, text):
        return Finding(self.path, self.line_of(offset), text)

    def matches(self, pattern, text, in_code=True):
        """A finding per match; `{0}` in `text` is the match."""
        haystack = self.code if in_code else self.text
        return [self.finding(m.start(), text.format(m.group(0).strip()))
                for m in re.finditer(pattern, haystack, re.MULTILINE)]


def _blank(match):
    text = match.group(0)
    blanked = re.sub(r"[^\n]", " ", text)
    if text[0] in "\"'":
        return text[0] + blanked[1:-1] + text[-1]
    return blanked


class SourceTree:
    """All text files below `root`, and the folders at its top."""

    def __init__(self, root):
        self.root = root
        self.files = list(_read(root))
        self.by_path = {file.path: file for file in self.files}

    @property
    def cpp(self):
        return [file for file in self.files if file.is_cpp]

    def in_rooms(self):
        return [file for file in self.cpp if file.top in ROOMS]


def _read(root):
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders
                            if f not in SKIPPED_FOLDERS and (f == ".ci" or not f.startswith(".")))
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")
            suffix = os.path.splitext(name)[1]
            if name in SKIPPED_FILES or suffix not in TEXT_SUFFIXES or os.path.islink(os.path.join(root, path)):
                continue
            try:
                with open(os.path.join(folder, name), encoding="utf-8") as stream:
                    yield SourceFile(path, stream.read())
            except (UnicodeDecodeError, FileNotFoundError):
                continue  # Golden bytes are no text; an editor's file may be gone again.
