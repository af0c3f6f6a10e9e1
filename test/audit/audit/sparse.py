"""BM25 vectors, computed by Qdrant's own library in this process, whatever the server made of a text."""

from typing import Callable

TOLERANCE = 1e-4
"""Relative: the server stores single precision."""


class SparseJudge:
    """Says what is wrong with the sparse vector of a text."""

    def __init__(self, embed: Callable[[str], dict[int, float]]) -> None:
        self._embed = embed

    def fault(self, text: str, vector: object) -> str | None:
        expected = self._embed(text)
        if vector is None and not expected:
            return None
        indices = vector.get("indices") if isinstance(vector, dict) else None
        values = vector.get("values") if isinstance(vector, dict) else None
        if not isinstance(indices, list) or not isinstance(values, list) or len(indices) != len(values):
            return "sparse vector has no value for each index"
        if len(set(indices)) != len(indices):
            return "sparse vector has an index twice"
        actual = dict(zip(indices, values))
        if actual.keys() != expected.keys():
            return "sparse vector is not that of its text: other words"
        if any(not abs(actual[index] - value) <= TOLERANCE * abs(value) for index, value in expected.items()):
            return "sparse vector is not that of its text: other weights"
        return None


def bm25(options: dict) -> SparseJudge:
    """The judge for BM25 with these options, named as Qdrant names them."""
    from qdrant_edge import Bm25, Bm25Config, DisabledStemmer, StopwordsSet, TokenizerType  # here, so that the self-tests need no package

    tokenizers = {name.lower(): getattr(TokenizerType, name) for name in dir(TokenizerType) if name[0].isupper()}
    given = {**options, "tokenizer": tokenizers[options["tokenizer"]]}
    if given.get("language") == "none":
        given |= {"language": None, "stopwords": StopwordsSet(), "stemmer": DisabledStemmer()}
    model = Bm25(Bm25Config(**given))

    def embed(text: str) -> dict[int, float]:
        vector = model.embed_document(text)
        return dict(zip(vector.indices, vector.values))

    return SparseJudge(embed)
