"""report.html: what a build did and why, and what its embedding knows of the catalog, a page that travels with it.

subject.py     what is looked at: products with variants folded, vectors, neighbours, vocabulary
neighbors.py   the nearest neighbours of every product, found once for all sections
vocabulary.py  the words of the titles, encoded in one batch
training.py    did training help?                 words.py       do words that mean the same meet?
feel.py        which words does it not find?      categories.py  are products in the right categories?
duplicates.py  is anything listed twice?          loners.py      what stands alone?
clusters.py    do the clusters hold together?     health.py      what is missing in the catalog?
knowledge.py   all of these of one catalog
plots.py       pictures of numbers as inline SVG
page.py        the page
"""

from indexer.report.knowledge import Knowledge, knowledge_of
from indexer.report.page import kept_findings, report_page, write_query_report, write_report
from indexer.report.subject import Subject

__all__ = ["Knowledge", "Subject", "kept_findings", "knowledge_of", "report_page", "write_query_report", "write_report"]
