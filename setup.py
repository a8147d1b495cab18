"""What pyproject.toml cannot say: the steps and the Compose files go along.

Projects outside of this repository use them; see stackproof/session/shipped.py and
stackproof/stack/docker/engine.py.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["stackproof*"]), "stackproof_steps", "stackproof.compose"],
    package_dir={"stackproof_steps": "steps", "stackproof.compose": "compose"},
)
