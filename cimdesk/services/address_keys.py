"""Keys in addresses: kept with the person, never in a project that is passed on."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import orjson

from cimdesk.base.paths import user_data_dir

KEYS = frozenset(
    ("key", "apikey", "api_key", "api-key", "token", "access_token", "tk", "ak", "map_key", "mapkey", "app_id", "app_code", "sig",
     "password", "subscription-key")
)  # fmt: skip
"""Parameters of addresses that are a person's own."""
MARK = "{secret}"


def without_keys(address: str) -> str:
    """Return an address with its keys replaced by a mark; they are kept for `with_keys`."""
    parts = urlsplit(address)
    if "?" not in address:
        return address
    head, _, rest = address.partition("?")
    query, hash_, fragment = rest.partition("#")
    said: dict[str, str] = {}
    public = []
    for item in query.split("&"):
        name, equals, value = item.partition("=")
        if equals and name.lower() in KEYS and value and value != MARK:
            said[name] = unquote(value)
            public.append(f"{name}={MARK}")
        else:
            public.append(item)
    if said:
        known = _load()
        known.setdefault(parts.netloc.lower(), {}).update(said)
        _save(known)
    return f"{head}?{'&'.join(public)}{hash_}{fragment}"


def with_keys(address: str) -> str:
    """Return an address with the keys that are kept for its host."""
    if MARK not in address:
        return address
    known = _load().get(urlsplit(address).netloc.lower(), {})
    for name, value in known.items():
        address = address.replace(f"{name}={MARK}", f"{name}={quote(value, safe='')}")
    return address


def _path() -> Path:
    return user_data_dir() / "keys.json"


def _load() -> dict[str, dict[str, str]]:
    try:
        found = orjson.loads(_path().read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(host): {str(k): str(v) for k, v in keys.items()} for host, keys in found.items() if isinstance(keys, dict)}


def _save(known: dict[str, dict[str, str]]) -> None:
    path = _path()
    temporary = path.with_suffix(".part")
    with contextlib.suppress(OSError):
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(orjson.dumps(known))
        os.replace(temporary, path)
