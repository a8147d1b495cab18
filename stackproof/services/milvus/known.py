"""What server, client, fixture and features of Milvus call the same. Loads no library."""

SERVER = "server"
#: The fields of every collection that scenarios make.
KEY, VECTOR, COLOUR, PRICE = "id", "vector", "colour", "price"
COLOURS = ("red", "green", "blue", "black")
#: Parameters of each kind of index, when it is built and when it is searched; chosen for some
#: 20,000 vectors.
INDEXES: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "FLAT": ({}, {}),
    "IVF_FLAT": ({"nlist": 128}, {"nprobe": 64}),
    "IVF_SQ8": ({"nlist": 128}, {"nprobe": 64}),
    "IVF_PQ": ({"nlist": 128, "m": 128, "nbits": 4}, {"nprobe": 64}),
    "HNSW": ({"M": 32, "efConstruction": 400}, {"ef": 400}),
    "SCANN": ({"nlist": 128}, {"nprobe": 64, "reorder_k": 200}),
}
METRICS = ("L2", "IP", "COSINE")
#: What a reader may miss of what was acknowledged, as Milvus calls it.
LEVELS = ("Strong", "Session", "Bounded", "Eventually")
#: What a client may do wrong, as features say it; see `fixture.MISTAKES`.
MISTAKES = (
    "a vector of another dimension",
    "a search in a collection that is not there",
    "a filter that cannot be parsed",
    "a filter on a field that is not there",
    "a collection that exists with another schema",
    "a partition that is not there",
    "more neighbours than the server allows",
)
