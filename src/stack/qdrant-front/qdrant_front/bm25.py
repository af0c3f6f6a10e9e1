"""BM25 documents: `{text, model: "qdrant/bm25", options}` in the place of a sparse vector, embedded by the engine."""

import orjson
from qdrant_edge import Bm25, Bm25Config, DisabledStemmer, StopwordsSet

from .errors import boolean, choice, integer, known_keys, malformed, number, required, string, unsupported, wrong_input
from .text_options import LANGUAGES, TOKENIZERS, parse_stemmer, parse_stopwords

MODELS = ("qdrant/bm25", "bm25")

_DOCUMENT = frozenset({"text", "model", "options"})
_OPTIONS = frozenset(
    "k b avg_len tokenizer language lowercase ascii_folding stopwords stemmer min_token_len max_token_len".split()
)

# An embedder holds its stop words and stemmer, and a collection uses one set of options for all its points.
_embedders = {}


def is_document(value):
    """A document and a set of named vectors are both objects; only a document has a string under `text`."""
    return type(value) is dict and type(value.get("text")) is str


def embed(document, where, query):
    """The sparse vector of a document; queries weigh every distinct token as 1, documents by the BM25 formula."""
    known_keys(document, _DOCUMENT, where)
    model = required(document, "model", where)
    if type(model) is not str or model.lower() not in MODELS:
        raise unsupported(f"inference with model {model}")
    embedder = _embedder(document.get("options"), f"{where}.options")
    try:
        return embedder.embed_query(document["text"]) if query else embedder.embed_document(document["text"])
    except ValueError as error:
        raise wrong_input(f"{where}: {error}") from error


def _embedder(options, where):
    key = orjson.dumps(options, option=orjson.OPT_SORT_KEYS)
    embedder = _embedders.get(key)
    if embedder is None:
        embedder = _embedders[key] = Bm25(_config(options or {}, where))
    return embedder


def _config(options, where):
    known_keys(options, _OPTIONS, where)
    language = string(options.get("language"), f"{where}.language")
    # A real server takes any language and then does not stem; here a misspelling must not pass unseen.
    if language is not None and language != "none" and language not in LANGUAGES:
        raise malformed(f"{where}.language: unsupported language `{language}`")
    stopwords = parse_stopwords(options.get("stopwords"), f"{where}.stopwords")
    stemmer = parse_stemmer(options.get("stemmer"), f"{where}.stemmer")
    if language == "none":
        # The server's older way to say "no language at all", which the engine's own class does not know.
        language, stopwords, stemmer = None, stopwords or StopwordsSet(), stemmer or DisabledStemmer()
    return Bm25Config(
        k=number(options.get("k"), f"{where}.k"),
        b=number(options.get("b"), f"{where}.b"),
        avg_len=number(options.get("avg_len"), f"{where}.avg_len"),
        tokenizer=choice(options.get("tokenizer"), TOKENIZERS, f"{where}.tokenizer"),
        language=language,
        lowercase=boolean(options.get("lowercase"), f"{where}.lowercase"),
        ascii_folding=boolean(options.get("ascii_folding"), f"{where}.ascii_folding"),
        stopwords=stopwords,
        stemmer=stemmer,
        min_token_len=integer(options.get("min_token_len"), f"{where}.min_token_len"),
        max_token_len=integer(options.get("max_token_len"), f"{where}.max_token_len"),
    )
