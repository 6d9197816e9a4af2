"""The changes that Redis makes in one step, each to one key, in Lua.

Every script that changes or ends a session publishes its id in the same step, so that state and push agree.
The offsets are those of :mod:`admit.stores.redis_packing`. No script compares texts by order: Redis lets the
server's locale decide that.
"""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING

from admit.stores.redis_packing import ALIVE, CONFIRMED, ENDED, FIXED, PENDING, SEEN

if TYPE_CHECKING:
    from admit.stores.redis_nodes import Command

__all__ = ["DROP", "END", "FORGET", "LIST_IN", "PROMOTE", "ROTATE", "TOUCH", "in_full"]

_texts: dict[str, str] = {}


def _script(text: str) -> str:
    name = sha1(text.encode(), usedforsecurity=False).hexdigest()
    _texts[name] = text
    return name


def in_full(command: Command) -> Command:
    """Return the command with the script itself in the place of its name; others stay as they are."""
    if command[0] != "EVALSHA":
        return command
    return ("EVAL", _texts[str(command[1])], *command[2:])


# The milliseconds of the server's own clock: it decides when garbage is collected, and nothing else.
_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

_ALIVE = f"""
local value = redis.call('GET', KEYS[1])
if not value or string.byte(value) ~= {ALIVE} then return value end
"""

# Note a session in its subject's list, and say when its own key may be collected. The list stays as long
# as any session in it can. (id, expires_at, ends_at, grace)
LIST_IN = _script(f"""{_NOW}
local function after(moment) return math.max(tonumber(moment), now) + ARGV[4] end
local due = string.format('%.0f', after(ARGV[2]))
redis.call('ZADD', KEYS[1], due, ARGV[1])
local stay = after(ARGV[3])
if now + redis.call('PTTL', KEYS[1]) < stay then
    redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', stay))
end
return due
""")

# Take out of a subject's list what is not there any more, once nobody can still be about to write it. (ids…)
FORGET = _script(f"""{_NOW}
for _, id in ipairs(ARGV) do
    local due = redis.call('ZSCORE', KEYS[1], id)
    if due and tonumber(due) < now then redis.call('ZREM', KEYS[1], id) end
end
""")

_HEAD = f"""
local lengths = string.byte(value, 2)
local head = {FIXED} + math.floor(lengths / 16) + lengths % 16
"""

# End a living session; exactly one caller is given the value that it had. (channel, id, ending)
END = _script(f"""{_ALIVE}{_HEAD}
redis.call('SET', KEYS[1], string.char({ENDED}) .. string.sub(value, 2, head) .. ARGV[3], 'KEEPTTL')
redis.call('PUBLISH', ARGV[1], ARGV[2])
return value
""")

# Let a waiting session live; its predecessor has ended for it. ()
PROMOTE = _script(f"""
local value = redis.call('GET', KEYS[1])
if not value or string.byte(value) ~= {PENDING} then return value end
local promoted = string.sub(value, 3 + string.byte(value, 2))
redis.call('SET', KEYS[1], promoted, 'KEEPTTL')
return promoted
""")

# Note a later use. (channel, id, seen_at, expires_at, grace)
TOUCH = _script(f"""{_ALIVE}
local function later(a, b)
    local a1, a2 = struct.unpack('>I4I4', a)
    local b1, b2 = struct.unpack('>I4I4', b)
    return a1 > b1 or (a1 == b1 and a2 > b2)
end
if later(ARGV[3], string.sub(value, {SEEN + 1}, {SEEN + 8})) then
    redis.call('SETRANGE', KEYS[1], {SEEN}, ARGV[3])
    redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', ARGV[4] + ARGV[5]), 'GT')
    redis.call('PUBLISH', ARGV[1], ARGV[2])
end
return 1
""")

# Put one secret in the place of another if that one still stands. (channel, id, guard, times, secret)
ROTATE = _script(f"""{_ALIVE}{_HEAD}
local size = string.byte(value, head + 1)
local stands = string.sub(value, {CONFIRMED + 1}, {CONFIRMED + 8}) .. string.sub(value, head + 1, head + 1 + size)
if stands ~= ARGV[3] then return 0 end
local rest = head + 3 + size + string.byte(value, head + 2 + size)
redis.call('SET', KEYS[1], string.sub(value, 1, {CONFIRMED}) .. ARGV[4]
    .. string.sub(value, {FIXED + 1}, head) .. ARGV[5] .. string.sub(value, rest), 'KEEPTTL')
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1
""")

# Collect a value that nobody changed since it was read. (channel, id, value)
DROP = _script("""
if redis.call('GET', KEYS[1]) ~= ARGV[3] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1
""")
