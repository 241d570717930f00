"""``python -m cimdesk``: the same entry point as the ``cimdesk`` command."""

from cimdesk.app.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
