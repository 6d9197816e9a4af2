"""The changes that Redis makes in one step, each to one key, in Lua.

Every script that changes or ends a session publishes its id in the same step, so that state and push agree.
The offsets are those of :mod:`admit.stores.redis_packing`. No script compares texts by order: Redis lets the
server's locale decide that.

A server whose memory is full refuses what would take more of it. Scripts that end or shrink something, or change it
in place, are allowed all the same (``allow-oom``, Redis 7): a full server must not keep a thief signed in. So are
counters, whose number is bounded: without them nobody could change a password either.

A user without the right to publish (ACL) ends sessions too: the script then gives its answer in a list, with the
error behind it.
"""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING

from admit.stores.redis_packing import ALIVE, CONFIRMED, ENDED, FIXED, PENDING, SEEN

if TYPE_CHECKING:
    from admit.stores.redis_nodes import Command

__all__ = [
    "DROP",
    "END",
    "FORGET",
    "JOIN",
    "LEAVE",
    "LIST_IN",
    "NOTE",
    "NOW",
    "PROMOTE",
    "REFUND",
    "ROTATE",
    "SPEND",
    "TOUCH",
    "TRIM",
    "WRITE",
    "in_full",
]

_texts: dict[str, str] = {}


def _script(text: str, *, when_full: bool = False) -> str:
    if when_full:
        text = f"#!lua flags=allow-oom\n{text}"
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

_PUBLISH = """
local function published(answer)
    local told = redis.pcall('PUBLISH', ARGV[1], ARGV[2])
    if type(told) == 'table' and told.err then return {answer, told.err} end
    return answer
end
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

# Note that all of a subject's sessions have ended. (note, for how many milliseconds)
NOTE = _script("redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])", when_full=True)

# The server's time, in microseconds. It changes nothing; in a cluster, the key says whose time it is. ()
NOW = _script("""
local time = redis.call('TIME')
return string.format('%.0f', time[1] * 1000000 + time[2])
""")

_HEAD = f"""
local lengths = string.byte(value, 2)
local head = {FIXED} + math.floor(lengths / 16) + lengths % 16
"""

# End a living session; exactly one caller is given the value that it had. (channel, id, ending)
END = _script(
    f"""{_ALIVE}{_HEAD}{_PUBLISH}
redis.call('SET', KEYS[1], string.char({ENDED}) .. string.sub(value, 2, head) .. ARGV[3], 'KEEPTTL')
return published(value)
""",
    when_full=True,
)

# Let a waiting session live; its predecessor has ended for it. ()
PROMOTE = _script(
    f"""
local value = redis.call('GET', KEYS[1])
if not value or string.byte(value) ~= {PENDING} then return value end
local promoted = string.sub(value, 3 + string.byte(value, 2))
redis.call('SET', KEYS[1], promoted, 'KEEPTTL')
return promoted
""",
    when_full=True,
)

# Note a later use, and give the value that it had. (channel, id, seen_at, expires_at, grace)
TOUCH = _script(
    f"""{_ALIVE}{_PUBLISH}
local function later(a, b)
    local a1, a2 = struct.unpack('>I4I4', a)
    local b1, b2 = struct.unpack('>I4I4', b)
    return a1 > b1 or (a1 == b1 and a2 > b2)
end
if not later(ARGV[3], string.sub(value, {SEEN + 1}, {SEEN + 8})) then return value end
redis.call('SETRANGE', KEYS[1], {SEEN}, ARGV[3])
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', ARGV[4] + ARGV[5]), 'GT')
return published(value)
""",
    when_full=True,
)

# Put one secret in the place of another if that one still stands. (channel, id, guard, times, secret)
ROTATE = _script(
    f"""{_ALIVE}{_HEAD}{_PUBLISH}
local size = string.byte(value, head + 1)
local stands = string.sub(value, {CONFIRMED + 1}, {CONFIRMED + 8}) .. string.sub(value, head + 1, head + 1 + size)
if stands ~= ARGV[3] then return 0 end
local rest = head + 3 + size + string.byte(value, head + 2 + size)
redis.call('SET', KEYS[1], string.sub(value, 1, {CONFIRMED}) .. ARGV[4]
    .. string.sub(value, {FIXED + 1}, head) .. ARGV[5] .. string.sub(value, rest), 'KEEPTTL')
return published(1)
""",
    when_full=True,
)

# Collect a value that nobody changed since it was read. (channel, id, value)
DROP = _script(f"""{_PUBLISH}
if redis.call('GET', KEYS[1]) ~= ARGV[3] then return 0 end
redis.call('DEL', KEYS[1])
return published(1)
""")

# -- challenges --------------------------------------------------------------------------------------------------------

# How long after its time a key may be collected, in milliseconds.
_DAY = 24 * 60 * 60 * 1000

_STAY = """
local function stay(due)
    if now + redis.call('PTTL', KEYS[1]) < due then
        redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', due))
    end
end
"""

# Write a challenge, and say when it may be collected. (value, expires_at in milliseconds)
WRITE = _script(f"""{_NOW}
local due = string.format('%.0f', math.max(tonumber(ARGV[2]), now) + {_DAY})
redis.call('SET', KEYS[1], ARGV[1], 'PXAT', due)
return due
""")

_DEPART = """
local gone = {}
local function depart(start)
    for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
        if string.sub(member, 1, #start) == start then
            redis.call('ZREM', KEYS[1], member)
            gone[#gone + 1] = member
        end
    end
end
"""

# Put a challenge into its subject's set, in the place of those that begin like its rivals. A few that are due go, more
# than come. (member, due, what the rivals begin with)
JOIN = _script(f"""{_NOW}{_STAY}{_DEPART}
for _, old in ipairs(redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, 16)) do
    redis.call('ZREM', KEYS[1], old)
end
if ARGV[3] ~= 'none' then depart(ARGV[3]) end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
stay(tonumber(ARGV[2]))
return gone
""")

# Take out of a subject's set all that begin so. (beginning)
LEAVE = _script(f"""{_DEPART}
depart(ARGV[1])
return gone
""")

# -- counters ----------------------------------------------------------------------------------------------------------

# Move a counter's time of rest on by one interval, unless it is too far off: then say by how much. All in microseconds.
# (name, now, interval, how far off it may be, how many may be in the set)
SPEND = _script(
    f"""{_NOW}{_STAY}
local at, interval = tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call('ZSCORE', KEYS[1], ARGV[1])
local rest = math.max(kept and tonumber(kept) or at, at)
local wait = rest - at - ARGV[4]
if wait > 0 then return string.format('%.0f', wait) end
rest = rest + interval
redis.call('ZADD', KEYS[1], string.format('%.0f', rest), ARGV[1])
for _, old in ipairs(redis.call('ZRANGE', KEYS[1], '-inf', '(' .. ARGV[2], 'BYSCORE', 'LIMIT', 0, 16)) do
    redis.call('ZREM', KEYS[1], old)
end
local surplus = redis.call('ZCARD', KEYS[1]) - ARGV[5]
if surplus > 0 then redis.call('ZPOPMIN', KEYS[1], math.min(surplus, 16)) end
stay(math.max(math.ceil(rest / 1000), now) + {_DAY})
return 0
""",
    when_full=True,
)

# Move it back, or forget it if that puts it at rest. (name, now, interval)
REFUND = _script(
    """
local kept = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not kept then return end
local rest = kept - ARGV[3]
if rest > tonumber(ARGV[2]) then
    redis.call('ZADD', KEYS[1], string.format('%.0f', rest), ARGV[1])
else
    redis.call('ZREM', KEYS[1], ARGV[1])
end
""",
    when_full=True,
)

# Forget some that were at rest before, and say how many. (before, at most)
TRIM = _script("""
local old = redis.call('ZRANGE', KEYS[1], '-inf', '(' .. ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[2])
for _, name in ipairs(old) do redis.call('ZREM', KEYS[1], name) end
return #old
""")
