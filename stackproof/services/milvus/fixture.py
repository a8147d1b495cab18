"""placeholder"""


class VectorsFixture:
    """placeholder."""
