"""What pyproject.toml cannot say: the steps go along, as a package of their own.

Projects outside of this repository load them; see stackproof/session/shipped.py.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["stackproof*"]), "stackproof_steps"],
    package_dir={"stackproof_steps": "steps"},
)
