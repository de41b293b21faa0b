"""The `busk8s` command. Long-running components replace this process by a lean one (cli.launch)."""

from __future__ import annotations

import sys


def main() -> None:
    from busk8s.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
