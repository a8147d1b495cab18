from .mirroring import Regions as Regions
