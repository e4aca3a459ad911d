"""Fine-tuning with proof: pseudo-queries from the catalog, a small training, and a gate that may refuse it.

settings.py   every number, with unit and reason
language.py   is the catalog in a language the encoder knows?
pairs.py      product -> pseudo-queries, and what the trainer is fed
split.py      which products are kept out of training, variants and near-duplicates together
evidence.py   held-out products, or judged queries -> queries with known answers
vectors.py    texts -> vectors under a token limit
finetune.py   the loss, the training, the merge with the base
guard.py      general English the model must not forget
gate.py       scores, paired bootstrap, yes or no
decide.py     the story: train_and_decide
curve.py      quality against the share of the pairs
"""

from indexer.training.decide import Decision, train_and_decide
from indexer.training.gate import JudgedQueries
from indexer.training.language import warn_language
from indexer.training.settings import TrainingSettings

__all__ = ["Decision", "JudgedQueries", "TrainingSettings", "train_and_decide", "warn_language"]
