"""The tutorial: SentenceTransformer.encode, IndexFlatIP and Flask."""

import faiss
from corpus import FOUND, model, products, serve, vectors

encoder, catalog, index = model(), products(), faiss.IndexFlatIP(384)
index.add(vectors())


def search(text: str) -> list[dict[str, object]]:
    """Return the nearest products."""
    scores, rows = index.search(encoder.encode([text], normalize_embeddings=True), FOUND)
    return [{**catalog[row], "score": float(score)} for score, row in zip(scores[0], rows[0], strict=True)]


serve(search)
