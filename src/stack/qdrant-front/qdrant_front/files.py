"""A JSON file that is always either the old or the new version, whatever happens while it is written."""

import os

import orjson


def read_json(path, default):
    try:
        with open(path, "rb") as file:
            return orjson.loads(file.read())
    except FileNotFoundError:
        return default


def write_json(path, value, durable):
    """`durable` waits for the disk; without it the file survives a killed process but not a power failure."""
    temporary = f"{path}.tmp"
    with open(temporary, "wb") as file:
        file.write(orjson.dumps(value, option=orjson.OPT_INDENT_2))
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(temporary, path)
    if durable:
        sync_folder(os.path.dirname(path))


def sync_folder(path):
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
