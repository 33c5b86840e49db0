"""From files to a `Declaration`, or to everything that is wrong with them, at once and in order of place.

The way in for everybody: `load` for verbs that need a declaration, `examine` for `validate`. It works offline
and changes nothing; references stay references. The steps: read, merge, vocabulary, mend, build, rules.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.core.errors import ConfigError
from reconciler.core.values import Diagnostic, Severity
from reconciler.spec.build import build
from reconciler.spec.chain_rules import CHAIN_RULES
from reconciler.spec.declaration import Declaration
from reconciler.spec.documents import Library, read_layers, shown
from reconciler.spec.excerpts import Excerpts, excerpts_of
from reconciler.spec.facts import Facts
from reconciler.spec.grammar import check_tree, is_valid
from reconciler.spec.json_reader import read_json
from reconciler.spec.mend import Mended, mend
from reconciler.spec.models import build_models, check_models, fold_keys
from reconciler.spec.node_rules import NODE_RULES
from reconciler.spec.price_rules import PRICE_RULES
from reconciler.spec.prices import Model
from reconciler.spec.sentences import error
from reconciler.spec.tree import Mapped, Node, Scalar, find
from reconciler.spec.violations import Fault
from reconciler.spec.vocabulary import MODELS, ORCHESTRATOR


@dataclass(frozen=True, slots=True)
class Examination:
    """What came of reading: a declaration unless there is an error, all findings, and their lines to show."""

    declaration: Declaration | None
    diagnostics: tuple[Diagnostic, ...]
    excerpts: Excerpts
    library: Library

    def accepted(self) -> Declaration:
        """Raises `ConfigError` with every error where there is no declaration."""
        if self.declaration is None:
            errors = tuple(found for found in self.diagnostics if found.severity is Severity.ERROR)
            raise ConfigError(errors, self.excerpts)
        return self.declaration


def load(paths: Sequence[Path], *, root: Path | None = None) -> Declaration:
    """The declaration that the files make, later ones on top. Raises `ConfigError` with every error.

    The node's data lies by default in `.orchestrator` below `root`, the first file's directory if omitted.
    """
    return examine(paths, root=root).accepted()


def check(
    paths: Sequence[Path], *, root: Path | None = None
) -> tuple[Declaration | None, tuple[Diagnostic, ...]]:
    """The declaration, or None where there is an error; and all errors and warnings, sorted by place."""
    examined = examine(paths, root=root)
    return examined.declaration, examined.diagnostics


def examine(paths: Sequence[Path], *, root: Path | None = None) -> Examination:
    """As `check`, with the source lines of the findings (secrets masked)."""
    library = Library()
    tree = read_layers(paths, library)
    found: list[Diagnostic] = []
    home = Path(os.path.abspath(root or paths[0].parent))
    declaration: Declaration | None = None
    if tree is None and not _has_error(library.found):
        name = str(paths[0])
        rule, instead = "a declared file holds a map of keys", "service: {uri: https://HOST:8935}"
        found.append(error(f"{name} declares nothing", rule=rule, instead=instead, source=None))
    if tree is not None:
        declaration, found = _judge(tree, library, home)
    return _examination(declaration, [*library.found, *found], library)


def examine_models_alone(path: Path) -> Examination:
    """What is wrong with an aiModels.json by itself. There is no declaration."""
    library = Library()
    _, _, found = _examine_models(path, library)
    return _examination(None, [*library.found, *found], library)


def _examination(declaration: Declaration | None, found: list[Diagnostic], library: Library) -> Examination:
    in_order = tuple(_sorted(found))
    if declaration is not None:
        declaration = None if _has_error(in_order) else replace(declaration, warnings=in_order)
    return Examination(declaration, in_order, excerpts_of(in_order, library), library)


def _judge(tree: Node, library: Library, home: Path) -> tuple[Declaration | None, list[Diagnostic]]:
    problems = check_tree(tree, ORCHESTRATOR)
    if any(document.root is None for document in library.documents.values()):
        # A base could not be read: what seems to be missing may stand there, and so may what rules compare.
        return None, [problem.diagnostic for problem in problems if problem.fault is not Fault.MISSING_KEY]
    found = [problem.diagnostic for problem in problems]
    mended = mend(tree, problems, ORCHESTRATOR)
    models, models_tree, said = _read_models(mended, library)
    found.extend(said)
    if not isinstance(mended.root, Mapped) or (problems and not is_valid(mended.root, ORCHESTRATOR)):
        return None, found
    declaration = build(
        mended.root,
        models=models,
        models_tree=models_tree,
        directories=library.directories,
        home=home,
        files=tuple(library.files),
    )
    facts = Facts(declaration, mended)
    found.extend(said for rule in (*NODE_RULES, *PRICE_RULES, *CHAIN_RULES) for said in rule(facts))
    return declaration, found


def _read_models(mended: Mended, library: Library) -> tuple[tuple[Model, ...], Node | None, list[Diagnostic]]:
    node = find(mended.root, ("models",))
    if not isinstance(node, Scalar) or not mended.intact("models"):
        return (), None, []
    path = library.directories.get(node.source.file, Path()) / str(node.value)
    return _examine_models(path, library, node)


def _examine_models(
    path: Path, library: Library, asked: Scalar | None = None
) -> tuple[tuple[Model, ...], Node | None, list[Diagnostic]]:
    """The models of an aiModels.json, its tree, and what is wrong with it. Unknown keys are warnings."""
    library.models.add(shown(path))
    tree = library.read(path, read_json, asked.source if asked else None).root
    if tree is None:
        return (), None, []
    tree = fold_keys(tree)
    problems = check_tree(tree, MODELS, Severity.WARNING)
    found = [problem.diagnostic for problem in problems]
    mended = mend(tree, problems, MODELS)
    if problems and not is_valid(mended.root, MODELS):
        return (), None, found
    found.extend(check_models(mended))
    return build_models(mended.root, path.parent), mended.root, found


def _has_error(found: Iterable[Diagnostic]) -> bool:
    return any(diagnostic.severity is Severity.ERROR for diagnostic in found)


def _sorted(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """By file, line and column; the same finding (an alias, a base used twice) once."""

    def place(diagnostic: Diagnostic) -> tuple[str, int, int, str]:
        source = diagnostic.source
        return (source.file, source.line, source.column, diagnostic.summary) if source else ("", 0, 0, "")

    return sorted(dict.fromkeys(found), key=place)
