"""Where Python would find a module, found out without importing anything: to import a module is to run it."""

import importlib
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any


def way_to(module: str, places: Sequence[str], finders: Iterable[Any] = ()) -> list[ModuleSpec]:
    """What was found of the module's parts: of ``a.b.c`` one for ``a``, one for ``a.b`` and one for ``a.b.c``.

    Shorter where a part is missing. ``places``: folders that the first part is looked for in; ``finders``: what is
    asked for it when it lies in none of them, such as ``sys.meta_path``. The name of each is that of its own part.
    """
    importlib.invalidate_caches()  # the module may have been written after Python started
    found: list[ModuleSpec] = []
    for part in module.split("."):
        spec = _in_places(part, places) or (None if found else _by_finders(part, finders))
        if spec is None:
            break
        found.append(spec)
        places = list(spec.submodule_search_locations or ())
    return found


def _in_places(part: str, places: Sequence[str]) -> ModuleSpec | None:
    """The part without those before it: by a whole name Python looks for the package above, which was not imported."""
    try:
        return PathFinder.find_spec(part, places)
    except (ImportError, OSError, ValueError):
        return None


def _by_finders(part: str, finders: Iterable[Any]) -> ModuleSpec | None:
    for finder in finders:
        try:
            spec: ModuleSpec | None = finder.find_spec(part, None)
        except (AttributeError, ImportError, OSError, ValueError):  # an old finder has no such method
            continue
        if spec is not None:
            return spec
    return None
