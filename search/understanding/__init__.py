"""What a shopper means by the words of a query: constraints, negations, spelling. No model, under a millisecond."""

from search.understanding.constraints import Constraint
from search.understanding.interpreter import Interpreter, Understood

__all__ = ["Constraint", "Interpreter", "Understood"]
