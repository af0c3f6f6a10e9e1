"""How text becomes tokens: options that BM25 documents and full-text payload indexes share."""

from qdrant_edge import DisabledStemmer, Language, SnowballLanguage, SnowballParams, StopwordsSet, TokenizerType

from .errors import choice, known_keys, malformed, strings


def _members(enumeration):
    return {name.lower(): getattr(enumeration, name) for name in vars(enumeration) if name[0].isupper()}


TOKENIZERS = {name: member for name, member in _members(TokenizerType).items() if name != "code"}
LANGUAGES = _members(Language)
SNOWBALL_LANGUAGES = _members(SnowballLanguage)


def parse_stopwords(value, where):
    if value is None:
        return None
    if type(value) is str:
        return choice(value, LANGUAGES, where)
    known_keys(value, {"languages", "custom"}, where)
    languages = value.get("languages")
    custom = value.get("custom")
    return StopwordsSet(
        languages=None
        if languages is None
        else {choice(item, LANGUAGES, f"{where}.languages") for item in strings(languages, f"{where}.languages")},
        custom=None if custom is None else set(strings(custom, f"{where}.custom")),
    )


def describe_stopwords(value):
    if not isinstance(value, StopwordsSet):
        return spelling(value)
    described = {}
    if value.languages is not None:
        described["languages"] = sorted(spelling(language) for language in value.languages)
    if value.custom is not None:
        described["custom"] = sorted(value.custom)
    return described


def parse_stemmer(value, where):
    if value is None:
        return None
    known_keys(value, {"type", "language"}, where)
    kind = value.get("type")
    if kind == "none":
        known_keys(value, {"type"}, where)
        return DisabledStemmer()
    if kind != "snowball":
        raise malformed(f"{where}: unknown variant `{kind}`, expected one of snowball, none")
    language = choice(value.get("language"), SNOWBALL_LANGUAGES, f"{where}.language")
    if language is None:
        raise malformed(f"{where}: missing field `language`")
    return SnowballParams(language)


def describe_stemmer(value):
    if isinstance(value, SnowballParams):
        return {"type": "snowball", "language": spelling(value.language)}
    return {"type": "none"}


def spelling(member):
    """The JSON spelling of an engine enumeration's member, which has no `name` of its own."""
    return str(member).rsplit(".", 1)[-1].lower()
