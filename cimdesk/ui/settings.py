"""What the window remembers between starts: theme, language, sizes of panels, recently used commands. One small JSON file."""

from __future__ import annotations

import json
from typing import Any

from cimdesk.base.paths import user_data_dir


class WindowSettings:
    """Settings of the window; written when they change. A damaged file is started over."""

    def __init__(self) -> None:
        self._path = user_data_dir() / "window.json"
        self._values: dict[str, Any] = self._read()

    def get(self, name: str, default: Any = None) -> Any:
        """Return a remembered value."""
        return self._values.get(name, default)

    def put(self, **values: Any) -> None:
        """Remember values, at once."""
        if all(self._values.get(name) == value for name, value in values.items()):
            return
        self._values.update(values)
        partial = self._path.with_suffix(".part")
        partial.write_text(json.dumps(self._values, ensure_ascii=False, indent=1), encoding="utf-8")
        partial.replace(self._path)

    def _read(self) -> dict[str, Any]:
        try:
            values = json.loads(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
            return {}
        return values if isinstance(values, dict) else {}
