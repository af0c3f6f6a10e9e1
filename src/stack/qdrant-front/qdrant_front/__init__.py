"""A local stand-in for a Qdrant server: the real engine (qdrant-edge-py) behind Qdrant's REST interface.

It exists so that the demo and the tests run on a machine without Docker or a Qdrant binary. Scores, filters, BM25 and
durability are the engine's own; this package only translates requests. It keeps two rules: an unknown key is refused
with 400 and what is not served with 501, so nothing that a caller asks for is ever ignored in silence.
"""

TITLE = "qdrant - vector search engine"

# The server whose REST interface this front follows. Clients compare it with their own version.
VERSION = "1.19.0"

# Scripts recognise the stand-in by this commit before they do anything destructive.
COMMIT = "vector-ferry-front"
