"""An independent audit of a migration: raw SQL on one side, raw HTTP on the other, and no code of the product between.

It states again, in another language, what a finished migration looks like, so that a fault in the product's own idea of
its outcome cannot hide itself. The contract stands in docs/architecture.md; the checks in checks.py.
"""
