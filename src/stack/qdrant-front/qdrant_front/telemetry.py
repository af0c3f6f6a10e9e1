"""What a server tells of itself and its machine at `/telemetry`; sizes are in KiB, as a real server gives them."""

import os
import platform
import shutil
import sys
from datetime import datetime, timezone
from uuid import uuid4

from . import VERSION
from .errors import ApiError

# More than this the stand-in does not know; a real server adds shards and histograms.
_MACHINE_LEVEL = 1
_ID = str(uuid4())
_STARTUP = datetime.now(timezone.utc).isoformat()


def telemetry(front, request):
    level = request.parameters.get("details_level", ["0"])[-1]
    if not (level.isascii() and level.isdigit()):
        raise ApiError(400, "Invalid query parameters: details_level has to be a whole number")
    app = {"name": "qdrant", "version": VERSION, "startup": _STARTUP}
    if int(level) >= _MACHINE_LEVEL:
        features = ("debug", "service_debug_feature", "recovery_mode", "gpu", "rocksdb", "staging")
        app["features"] = dict.fromkeys(features, False)
        app["system"] = _system(front.data)
    return {"id": _ID, "app": app, "collections": {"number_of_collections": len(front.registry.collections)}}


def _system(data):
    release = platform.freedesktop_os_release() if os.path.exists("/etc/os-release") else {}
    return {
        "distribution": release.get("ID"),
        "distribution_version": release.get("VERSION_ID"),
        "is_docker": os.path.exists("/.dockerenv"),
        "cores": os.cpu_count(),
        "ram_size": _memory_bytes() // 1024,
        "disk_size": shutil.disk_usage(data).total // 1024,
        "cpu_flags": "",
        "cpu_endian": sys.byteorder,
    }


def _memory_bytes():
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as file:
            limit = file.read().strip()
    except OSError:
        return machine
    return min(machine, int(limit)) if limit.isdigit() else machine
