"""A project of somebody's own, outside of the suite's repository.

It may touch the ground alone.
"""

from stackproof.project.making import make_project

__all__ = ["make_project"]
