"""The collections and aliases of a data folder.

One small JSON file says what exists; it is replaced as a whole, so several alias actions happen together or not at all.
Order makes every crash harmless: a folder is filled before it is registered and unregistered before it is removed, and
a folder that nobody registered is removed at the next start.
"""

import os
import re
import shutil
from uuid import uuid4

from .collection import Collection
from .errors import ApiError, array, invalid, known_keys, malformed, not_found, required, string, wrong_input
from .files import read_json, sync_folder, write_json

_NAME = re.compile(r'[^<>:"/\\|?*\x00-\x1f]{1,255}\Z')
_ACTIONS = {
    "create_alias": {"collection_name", "alias_name"},
    "delete_alias": {"alias_name"},
    "rename_alias": {"old_alias_name", "new_alias_name"},
}


class Registry:
    def __init__(self, data):
        self._file = os.path.join(data, "registry.json")
        self._folders = os.path.join(data, "collections")
        os.makedirs(self._folders, exist_ok=True)
        stored = read_json(self._file, {"collections": {}, "aliases": {}})
        self.aliases = stored["aliases"]
        self.collections = {
            name: Collection.load(os.path.join(self._folders, entry["folder"]), entry["config"])
            for name, entry in stored["collections"].items()
        }
        self._remove_orphans()

    def _remove_orphans(self):
        registered = {os.path.basename(collection.path) for collection in self.collections.values()}
        for folder in os.listdir(self._folders):
            if folder not in registered:
                shutil.rmtree(os.path.join(self._folders, folder))

    def _commit(self, collections, aliases):
        """The file comes first: what cannot be stored has not happened."""
        entries = {
            name: {"folder": os.path.basename(collection.path), "config": collection.config}
            for name, collection in collections.items()
        }
        write_json(self._file, {"collections": entries, "aliases": aliases}, durable=True)
        self.collections = collections
        self.aliases = aliases

    def get(self, name):
        """The collection of this name or alias."""
        collection = self.collections.get(self.aliases.get(name, name))
        if collection is None:
            raise not_found(f"Collection `{name}` doesn't exist!")
        return collection

    def exists(self, name):
        return self.aliases.get(name, name) in self.collections

    def create(self, name, config):
        if not _NAME.match(name):
            raise invalid(f"collection_name: `{name}` is not a name for a collection")
        if name in self.collections:
            raise ApiError(409, f"Wrong input: Collection `{name}` already exists!")
        if name in self.aliases:
            raise wrong_input(f"Can't create collection with name {name}. Alias with the same name already exists")
        path = os.path.join(self._folders, uuid4().hex)
        os.mkdir(path)
        try:
            collection = Collection.create(path, config)
            sync_folder(self._folders)
            self._commit({**self.collections, name: collection}, self.aliases)
        except Exception:
            shutil.rmtree(path)
            raise

    def update(self, name, config):
        self.get(name).reconfigure(config)
        self._commit(self.collections, self.aliases)

    def delete(self, name):
        """Deletes a collection and its aliases; False where there is none, which is no error."""
        collection = self.collections.get(name)
        if collection is None:
            return False
        self._commit(
            {other: kept for other, kept in self.collections.items() if other != name},
            {alias: target for alias, target in self.aliases.items() if target != name},
        )
        collection.shard.close()
        shutil.rmtree(collection.path)
        return True

    def change_aliases(self, body):
        """Applies all actions to a copy first, so that a refused one leaves nothing behind."""
        known_keys(body, {"actions"}, "body")
        aliases = dict(self.aliases)
        for action in array(required(body, "actions", "body"), "actions"):
            self._apply(action, aliases)
        self._commit(self.collections, aliases)

    def _apply(self, action, aliases):
        known_keys(action, _ACTIONS.keys(), "actions")
        if len(action) != 1:
            raise malformed("actions: expected exactly one action in each object")
        ((kind, arguments),) = action.items()
        known_keys(arguments, _ACTIONS[kind], f"actions.{kind}")
        names = {key: string(required(arguments, key, kind), key) for key in _ACTIONS[kind]}
        if kind == "create_alias":
            if names["collection_name"] not in self.collections:
                raise not_found(f"Collection `{names['collection_name']}` doesn't exist!")
            self._set(aliases, names["alias_name"], names["collection_name"])
        elif kind == "delete_alias":
            aliases.pop(names["alias_name"], None)
        else:
            target = aliases.pop(names["old_alias_name"], None)
            if target is None:
                raise not_found(f"Alias {names['old_alias_name']} does not exists!")
            self._set(aliases, names["new_alias_name"], target)

    def _set(self, aliases, alias, target):
        if alias in self.collections:
            raise ApiError(409, f"Wrong input: Collection `{alias}` already exists!")
        if not _NAME.match(alias):
            raise invalid(f"alias_name: `{alias}` is not a name for an alias")
        aliases[alias] = target

    def flush(self):
        for collection in self.collections.values():
            collection.flush()

    def close(self):
        for collection in self.collections.values():
            collection.close()
