"""LanceDB, hybrid: vectors and full text with its own reranker, behind SentenceTransformer.encode and Flask."""

import lancedb
import pyarrow as pa
from corpus import FOLDER, FOUND, model, products, serve, vectors

database = lancedb.connect(str(FOLDER / "lance"))
if "products" not in database.table_names():
    catalog, embeddings = products(), vectors()
    columns = {name: pa.array([one[name] for one in catalog]) for name in ("id", "title", "text")}
    flat = pa.FixedSizeListArray.from_arrays(pa.array(embeddings.ravel()), embeddings.shape[1])
    table = database.create_table("products", pa.table({**columns, "vector": flat}))
    table.create_fts_index("text")
    table.create_index(metric="cosine", index_type="IVF_HNSW_SQ")
table = database.open_table("products")
encoder = model()


def search(text: str) -> list[dict[str, object]]:
    """Return the best products of both legs, fused by reciprocal rank."""
    vector = encoder.encode([text], normalize_embeddings=True)[0]
    found = table.search(query_type="hybrid").vector(vector).text(text).limit(FOUND).to_list()
    return [{name: one[name] for name in ("id", "title", "text", "_relevance_score")} for one in found]


serve(search)
