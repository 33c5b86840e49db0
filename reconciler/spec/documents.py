"""Files to one merged tree: opens, bounds, reads, follows `extends`, lays over each other.

Each file may extend others by relative path; those lie below it, in the order given, and files named together
(`-f a -f b`) lie on each other the same way. Circles are refused; the same base reached twice is read once.
This is the only module of the reader that does IO. It knows the key `extends` and no other.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from collections.abc import Sequence as Many
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from reconciler.core.values import Diagnostic, Severity, Source
from reconciler.spec.overlay import merge, merge_all, settle
from reconciler.spec.tree import Document, Mapped, Node, Scalar, Sequence, walk
from reconciler.spec.yaml_reader import read_yaml

MOST_BYTES: Final = 1024 * 1024
MOST_FILES: Final = 64
MOST_BASES: Final = 32
Reader = Callable[[str, str], tuple[Document, tuple[Diagnostic, ...]]]


@dataclass(slots=True)
class Library:
    """The files read so far: their trees, where they lie, and what was wrong with reading them.

    `models` names those that hold AI models; all others hold declarations.
    """

    documents: dict[str, Document] = field(default_factory=dict)
    directories: dict[str, Path] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    found: list[Diagnostic] = field(default_factory=list)
    layers: dict[str, Node | None] = field(default_factory=dict)
    models: set[str] = field(default_factory=set)

    def read(self, path: Path, reader: Reader, asked: Source | None = None) -> Document:
        """The document of a file, read once. What is wrong is collected; `asked` is who named the file."""
        name = shown(path)
        if name not in self.documents:
            absolute = Path(os.path.abspath(path))
            self.files.append(absolute)
            self.directories[name] = absolute.parent
            text, problem = _read_text(absolute)
            if problem:
                self.found.append(_unreadable(name, problem, asked))
                self.documents[name] = Document(name, None)
            else:
                self.texts[name] = text
                self.documents[name], found = reader(text, name)
                self.found.extend(found)
        return self.documents[name]


def shown(path: Path) -> str:
    """A path as people read it: relative where it lies below the working directory."""
    absolute = Path(os.path.abspath(path))
    here = Path.cwd()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(absolute)


def read_layers(paths: Many[Path], library: Library) -> Node | None:
    """All files, each on top of what it extends and of the one before; nulls have done their work."""
    layers = [_layer(path, library, (), None) for path in paths]
    merged = merge_all(layers)
    if merged is None:
        return None
    if len(library.documents) == 1:
        library.found.extend(_idle_nulls(merged))
    return settle(merged)


def _read_text(path: Path) -> tuple[str, str]:
    """The text, or a reason why there is none."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return "", "is not a regular file"
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        return "", f"cannot be read: {error.strerror}"
    if len(content) > MOST_BYTES:
        return "", f"is larger than {MOST_BYTES // 1024} KiB"
    try:
        return content.decode("utf-8-sig"), ""
    except UnicodeDecodeError as error:
        return "", f"is not UTF-8 text (byte {error.start})"


def _unreadable(name: str, problem: str, asked: Source | None) -> Diagnostic:
    detail = f"rule: a declared file is readable UTF-8 text of at most {MOST_BYTES // 1024} KiB\n"
    instead = (
        "write instead: a path that counts from the directory of this file"
        if asked
        else "next: check the path"
    )
    return Diagnostic(Severity.ERROR, f"{name} {problem}", detail + instead, asked or Source(name, 1))


def _layer(path: Path, library: Library, above: tuple[str, ...], asked: Source | None) -> Node | None:
    name = shown(path)
    if name in library.layers:
        return library.layers[name]
    if name in above:
        circle = " -> ".join((*above[above.index(name) :], name))
        detail = f"rule: extends never leads back to a file\nwrite instead: remove one of {circle}"
        library.found.append(Diagnostic(Severity.ERROR, f"circle in extends: {circle}", detail, asked))
        return None
    if len(library.files) >= MOST_FILES and name not in library.documents:
        detail = f"rule: {MOST_FILES} files at most\nwrite instead: fewer, larger files"
        library.found.append(Diagnostic(Severity.ERROR, "too many files", detail, asked))
        return None
    root = library.read(path, read_yaml, asked).root
    library.layers[name] = layer = _on_bases(root, path, library, (*above, name))
    return layer


def _on_bases(root: Node | None, path: Path, library: Library, above: tuple[str, ...]) -> Node | None:
    entry = root.entries.get("extends") if isinstance(root, Mapped) else None
    if entry is None or not isinstance(root, Mapped):
        return root
    bases: Node | None = None
    for base in _bases(entry.value):
        below = Path(os.path.abspath(path)).parent / str(base.value)
        bases = merge(bases, _layer(below, library, above, base.source))
    own = {
        key: value for key, value in root.entries.items() if key != "extends" or not _is_valid(entry.value)
    }
    return merge(bases, Mapped(own, root.source))


def _is_valid(node: Node) -> bool:
    items = node.items if isinstance(node, Sequence) else (node,)
    return len(items) <= MOST_BASES and all(
        isinstance(item, Scalar) and isinstance(item.value, str) for item in items
    )


def _bases(node: Node) -> tuple[Scalar, ...]:
    """The files named by `extends`, a text or a list. The rest stays in the tree: the schema refuses it."""
    items = node.items if isinstance(node, Sequence) else (node,)
    texts = tuple(item for item in items if isinstance(item, Scalar) and isinstance(item.value, str))
    return texts if len(items) <= MOST_BASES else ()


def _idle_nulls(root: Node) -> list[Diagnostic]:
    """A null in a lone file removes nothing: most likely a value was forgotten."""
    detail = "rule: null removes what a base declares; here is no base\nwrite instead: a value, or no key"
    return [
        Diagnostic(Severity.WARNING, f"{path[-1]} has no value", detail, node.source)
        for path, node in walk(root)
        if path and isinstance(path[-1], str) and isinstance(node, Scalar) and node.value is None
    ]
