"""The command ``nezha``: ``python -m nezha_onnx``."""

from __future__ import annotations

import os
import signal
import sys
import sysconfig
from typing import Optional

from . import _nezha


def program() -> Optional[str]:
    """The script that starts the command again: the one that runs, or the one beside the interpreter."""
    name = "nezha.exe" if os.name == "nt" else "nezha"
    places = [sys.argv[0], os.path.join(sysconfig.get_path("scripts"), name)]
    named = (it for it in places if os.path.basename(it) == name and os.access(it, os.X_OK))
    return next((os.path.abspath(it) for it in named), None)


def main() -> int:
    """Runs the command that the arguments describe, and returns its exit code."""
    # The command isn't Python code: Ctrl-C ends it, or the command catches it itself.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _nezha.main(["nezha", *sys.argv[1:]], program())


if __name__ == "__main__":
    sys.exit(main())
