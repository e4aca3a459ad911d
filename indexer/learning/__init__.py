"""What judged or clicked queries teach a release besides its encoder, each part kept only if it proves itself."""

from indexer.learning.learn import Learnt, learn, with_learnt

__all__ = ["Learnt", "learn", "with_learnt"]
