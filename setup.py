"""What pyproject.toml cannot say: features, steps, contracts, Compose files and systems go along.

Projects outside of this repository use them; see stackproof/session/shipped.py,
stackproof/project/making.py and stackproof/stack/docker/engine.py.
"""

from setuptools import find_packages, setup

SHIPPED = ("steps", "features", "contracts", "reference")

setup(
    packages=[
        *find_packages(include=["stackproof*"]),
        *(f"stackproof_{name}" for name in SHIPPED),
        "stackproof.compose",
    ],
    package_dir={
        **{f"stackproof_{name}": name for name in SHIPPED},
        "stackproof.compose": "compose",
    },
)
