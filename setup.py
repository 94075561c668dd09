"""Puts the suites into the package that is built: they lie beside it, where `qbench run suites/resnet.yaml` finds them.

Everything else stands in pyproject.toml, which cannot map single files of a folder into a package.
"""

from __future__ import annotations

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SUITES = Path(__file__).parent / "suites"


class BuildWithSuites(build_py):
    """Copies `suites/*.yaml` and their schemas to `qbench/suites`; an editable install finds them where they are."""

    def run(self) -> None:
        """Build the modules, then copy."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "qbench" / "suites"
        self.mkpath(str(target))
        for path in sorted([*SUITES.glob("*.yaml"), *SUITES.glob("*.schema.json")]):
            self.copy_file(str(path), str(target / path.name))


if __name__ == "__main__":
    setup(cmdclass={"build_py": BuildWithSuites})
