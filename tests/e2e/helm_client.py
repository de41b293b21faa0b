"""One action of Helm 4, in a process of its own: its Go runtime does not mix with a test's.

Takes kubeconfig, action and arguments (JSON) on the command line; prints the answer, or the error.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from helm_python import Config, HelmError


def main() -> None:
    kubeconfig, action, given = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    with Config(kubeconfig_path=kubeconfig, namespace="helmed") as helm:
        try:
            said: Any = getattr(helm, action)(*given["args"], **given["options"])
        except HelmError as error:
            said = {"error": str(error)}
    print(json.dumps(said))


if __name__ == "__main__":
    main()
