"""Chroma, persistent and in the process of the page, behind SentenceTransformer.encode and Flask."""

import chromadb
from corpus import FOLDER, FOUND, model, products, serve, vectors

client = chromadb.PersistentClient(str(FOLDER / "chroma"))
collection = client.get_or_create_collection(
    "products", embedding_function=None, configuration={"hnsw": {"space": "ip"}}
)
if collection.count() == 0:
    catalog, embeddings = products(), vectors()
    for start in range(0, len(catalog), 2000):
        part = catalog[start : start + 2000]
        collection.add(
            ids=[one["id"] for one in part], embeddings=embeddings[start : start + 2000],
            documents=[one["text"] for one in part], metadatas=[{"title": one["title"]} for one in part],
        )  # fmt: skip
encoder = model()


def search(text: str) -> list[dict[str, object]]:
    """Return the nearest products."""
    vector = encoder.encode([text], normalize_embeddings=True)
    found = collection.query(query_embeddings=vector, n_results=FOUND)
    parts = zip(found["ids"][0], found["metadatas"][0], found["documents"][0], found["distances"][0], strict=True)
    return [{"id": one, **about, "text": body, "score": 1 - distance} for one, about, body, distance in parts]


serve(search)
