"""Who belongs to whom in decoded CityJSON: what comes along with an object, and which objects go on one line."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

Json = dict[str, Any]
_BELOW = ("children", "members")


def kept_ids(objects: Mapping[str, Json], wanted: Iterable[str]) -> set[str]:
    """Return objects with all their parts, and with what they are parts of; a group comes only when it is wanted itself."""
    below = _children(objects)
    kept: set[str] = set()
    waiting = [key for key in wanted if key in objects]
    while waiting:
        key = waiting.pop()
        if key not in kept:
            kept.add(key)
            waiting += below.get(key, ())
    waiting = list(kept)
    while waiting:
        for parent in _names(objects[waiting.pop()], "parents"):
            if parent in objects and parent not in kept and not _is_group(objects[parent]):
                kept.add(parent)
                waiting.append(parent)
    return kept


def pruned(item: Json, kept: Collection[str]) -> Json:
    """Return an object that names only relatives which are kept."""
    made = dict(item)
    roles = item.get("children_roles")
    children = item.get("children")
    if isinstance(roles, list) and isinstance(children, list) and len(roles) == len(children):
        made["children_roles"] = [role for role, child in zip(roles, children, strict=True) if child in kept]
    for name in ("parents", *_BELOW):
        if isinstance(item.get(name), list):
            made[name] = [other for other in item[name] if other in kept]
            if not made[name] and name != "members":
                del made[name]
    if "children" not in made:
        made.pop("children_roles", None)
    return made


def families(objects: Mapping[str, Json]) -> Iterator[list[str]]:
    """Yield the keys of each top-level object with its parts, itself first; members of groups lie with their first group."""
    below = _children(objects)
    under = {child for children in below.values() for child in children}
    done: set[str] = set()
    for top in (*(key for key in objects if key not in under), *objects):
        family: list[str] = []
        waiting = [top]
        while waiting:
            key = waiting.pop()
            if key not in done:
                done.add(key)
                family.append(key)
                waiting += reversed(below.get(key, []))
        if family:
            yield family


def _children(objects: Mapping[str, Json]) -> dict[str, list[str]]:
    """Return the parts and members of each object; either side of the relation is enough."""
    below: dict[str, dict[str, None]] = {}
    for key, item in objects.items():
        for name in _BELOW:
            for child in _names(item, name):
                if child in objects:
                    below.setdefault(key, {})[child] = None
        for parent in _names(item, "parents"):
            if parent in objects:
                below.setdefault(parent, {})[key] = None
    return {key: list(children) for key, children in below.items()}


def _names(item: Json, name: str) -> list[str]:
    found = item.get(name)
    return [other for other in found if isinstance(other, str)] if isinstance(found, list) else []


def _is_group(item: Json) -> bool:
    return item.get("type") == "CityObjectGroup"
