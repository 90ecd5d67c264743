"""Commands and printers for gdb: what a cache, its L1, its flights and a Redis connection hold.

    (gdb) source tools/gdb/accel.py
    (gdb) accel cache users          a cache: an object of a generated type, or a pointer to one
    (gdb) accel table users 20       the entries of its L1 (the engine flat), 20 of them
    (gdb) accel flights users        loads under way, and how many threads wait for them
    (gdb) accel redis redis          an accel_redis: its servers, connections, requests in flight

They read memory and call nothing in the program, so they work on core files too, and on a process
that was stopped anywhere, also while it held a mutex. The implementing file must have been compiled
with -g. Numbers of milliseconds are of CLOCK_MONOTONIC, or of the cache's own clock.
"""

import time

import gdb

# Of accel_backends/flat/flat_layout.h.
WAYS = 16
TAG_REMOVED = 1
HEAD_NEVER = 1 << 63
HEAD_NEGATIVE = 1
HEAD_TIME_SHIFT = 24
HEAD_TIME_MASK = (1 << 39) - 1
HEAD_TTL_MASK = 0x00FFFFFE
TTL_MANTISSA_BITS = 19
EPOCH_ONE = 1 << 16
STRING_PLACE = 24

# Of accel_backends/redis/server/connection_io.h.
SLOTS = 1024

# Of accel/type.h.
KEY_STRING = 3

ENTRIES_SHOWN = 50
BYTES_SHOWN = 48


class Refused(gdb.GdbError):
    """What was asked for cannot be shown; gdb prints the sentence."""


# ---- values ----


def pointer_to(value, type_name):
    """A `type_name *` from an object, a pointer, or an object that begins with one."""
    if value.type.strip_typedefs().code != gdb.TYPE_CODE_PTR:
        value = value.address
        if value is None:
            raise Refused("accel: the expression names no object in memory")
    return value.cast(lookup(type_name).pointer())


def lookup(name):
    try:
        return gdb.lookup_type(name)
    except gdb.error:
        raise Refused(f"accel: no debug information on {name}: was the file that defines "
                      "ACCEL_IMPLEMENTATION compiled with -g?") from None  # fmt: skip


def text_of(value, size=None):
    """A C string, or `size` bytes, made printable."""
    if size is None:
        data = value.string("latin-1", length=-1).encode("latin-1")
    else:
        data = bytes(gdb.selected_inferior().read_memory(int(value), size)) if size else b""
    shown = "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in data)
    return f'"{shown}"'


def flags_of(value, *names):
    """The names of the flags that are set, without `is_` and `has_`."""
    found = [name for name in names if bool(value[name])]
    return " ".join(name.removeprefix("is_").removeprefix("has_") for name in found)


def user_value(type_, kind, address):
    """A key or a value as its own type prints, or as bytes where gdb does not know that type."""
    name = type_["name"].string()
    try:
        own = gdb.lookup_type(f"{name}_cache_{kind}")
    except gdb.error:
        size = int(type_[f"{kind}_size"])
        data = bytes(gdb.selected_inferior().read_memory(address, min(size, BYTES_SHOWN)))
        return data.hex(" ") + (" ..." if size > BYTES_SHOWN else "")
    value = gdb.Value(address).cast(own.pointer()).dereference()
    return value.format_string(max_elements=BYTES_SHOWN)


def key_of(type_, address):
    if int(type_["key_kind"]) == KEY_STRING:
        return text_of(gdb.Value(address).cast(lookup("char").pointer().pointer()).dereference())
    return user_value(type_, "key", address)


def now_of(clock):
    """Milliseconds, or None: in a core file, or with a clock of the user's."""
    is_live = gdb.selected_inferior().pid != 0 and not is_core()
    if not is_live or int(clock) != 0:
        return None
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000000


def is_core():
    connection = gdb.selected_inferior().connection
    return connection is None or connection.type == "core"


# ---- L1: the table of the engine flat ----


def ttl_ms(head):
    """The TTL, of which a head keeps 19 bits and an exponent."""
    code = (head & HEAD_TTL_MASK) >> 1
    exponent, mantissa = code >> TTL_MANTISSA_BITS, code & ((1 << TTL_MANTISSA_BITS) - 1)
    return mantissa if exponent == 0 else (mantissa + (1 << TTL_MANTISSA_BITS)) << (exponent - 1)


def when_of(head, base_ms, now_ms):
    moment_ms = (base_ms + (head >> HEAD_TIME_SHIFT & HEAD_TIME_MASK)) % (1 << 64)
    if head & HEAD_NEVER:
        return "never expires"
    whole = f"of {ttl_ms(head)} ms"
    if now_ms is None:
        return f"expires at {moment_ms} ms, {whole}"
    left_ms = moment_ms - now_ms
    return f"{left_ms} ms left {whole}" if left_ms > 0 else f"expired {-left_ms} ms ago"


class Table:
    """The table of an L1 that is the engine flat."""

    def __init__(self, core):
        if core["local_ops"]["name"].string() != "flat":
            raise Refused(f"accel: its L1 is the engine {core['local_ops']['name'].string()}, "
                          "and only flat is known here")  # fmt: skip
        self.type = core["type"]
        self.local = core["local"]
        self.flat = self.local.cast(lookup("accel_flat").pointer())
        self.table = self.flat["table"]
        self.slots = int(self.table["slots"])
        self.set_count = int(self.table["set_count"])
        self.slot_size = int(self.table["slot_size"])
        self.now_ms = now_of(self.local["clock"])

    def entries(self):
        """Set, way and tag of whatever is not empty."""
        inferior = gdb.selected_inferior()
        size = self.table["sets"].dereference().type.sizeof
        start = int(self.table["sets"])
        for index in range(self.set_count):
            tags = bytes(inferior.read_memory(start + index * size, WAYS))
            for way in range(WAYS):
                if tags[way] != 0:
                    yield index, way, tags[way]

    def describe(self, index, way, tag):
        one = self.table["sets"][index]
        slot = self.slots + (way * self.set_count + index) * self.slot_size
        head = int.from_bytes(gdb.selected_inferior().read_memory(slot, 8).tobytes(), "little")
        place = f"  set {index} way {way} tag {tag:#04x}"
        pinned = " pinned" if int(one["pinned"]) >> way & 1 else ""
        if tag == TAG_REMOVED:
            return f"{place}: removed{pinned}"
        ways = int(one["current"]) ^ int(self.local["epoch"])
        is_current = ways < EPOCH_ONE and not ways >> way & 1
        value = "does not exist (negative)"
        if not head & HEAD_NEGATIVE:
            value = user_value(self.type, "value", slot + int(self.table["value_offset"]))
        when = when_of(head, int(self.flat["base_ms"]), self.now_ms)
        epoch = "" if is_current else ", of an earlier epoch"
        return f"{place}: {self.key(slot)} = {value}, {when}{epoch}{pinned}"

    def key(self, slot):
        place = slot + int(self.table["key_offset"])
        if int(self.type["key_kind"]) != KEY_STRING:
            return user_value(self.type, "key", place)
        text = gdb.Value(place).cast(lookup("char").pointer())
        if int(text[STRING_PLACE - 1]) != 0:  # a longer one has memory of its own
            text = text.cast(lookup("char").pointer().pointer()).dereference()
        return text_of(text)


def core_of(value):
    """The accel_core of a cache that is open."""
    cache = pointer_to(value, "accel_cache")
    if int(cache["core"]) == 0:
        raise Refused("accel: the cache is closed")
    return cache["core"]


# ---- flights ----


def flight_state(flight):
    if bool(flight["is_done"]):
        return "done"
    if bool(flight["is_landed"]):
        return "landed"
    return "queued" if int(flight["load"]) != 0 else "running"


def outcome_of(flight):
    if not bool(flight["is_landed"]):
        return ""
    error = text_of(flight["error"])
    return f" {flight['status']}" + (f" {error}" if error != '""' else "")


def runners():
    """The threads of the process by the address of what they note of their flights."""
    found = {}
    chosen = gdb.selected_thread()
    for thread in gdb.selected_inferior().threads():
        try:
            thread.switch()
            found[int(gdb.parse_and_eval("(unsigned long)&singleflight_thread"))] = thread
        except gdb.error:
            pass  # a core file without thread-local storage, or a thread that has none yet
    if chosen is not None:
        chosen.switch()
    return found


def runner_of(flight, threads):
    runner = int(flight["runner"])
    if runner == 0:
        return ""
    thread = threads.get(runner)
    return f", run by thread {thread.num} ({thread.name})" if thread else f", run by {runner:#x}"


def flights_of(core):
    table = core["flights"]
    for bucket in range(int(table["mask"]) + 1):
        flight = table["buckets"][bucket]
        while int(flight) != 0:
            yield flight
            flight = flight["next"]


def show_flights(core):
    found = list(flights_of(core))
    print(f"{len(found)} flights; the cache counts {int(core['flights']['count'])}")
    threads = runners() if found else {}
    for flight in found:
        note = flight["note"].cast(lookup("core_note").pointer())
        flags = flags_of(flight, "is_forgotten", "is_refresh", "stays")
        flags = f"{flags} {flags_of(note, 'is_renewed', 'is_in_body')}".strip()
        print(
            f"  {key_of(core['type'], int(flight['key']))}: {flight_state(flight)}"
            f"{outcome_of(flight)}, {int(flight['wanted'])} wait, "
            f"{int(flight['references'])} hold it{runner_of(flight, threads)}"
            + (f" [{flags}]" if flags else "")
        )


# ---- Redis ----


def request_of(slot):
    who = "given up" if int(slot["caller"]) == 0 else f"for {int(slot['caller']):#x}"
    kind = "write" if bool(slot["is_write"]) else "read"
    asked, due = int(slot["replies_asked"]), int(slot["replies_due"])
    begun = ", a part is there" if bool(slot["has_begun"]) else ""
    return f"{kind} {who}: {due} of {asked} replies due{begun}"


def show_connection(title, connection, breaker):
    submitted, completed = int(connection["submitted"]), int(connection["completed"])
    queued, written = int(connection["queued"]["size"]), int(connection["written"])
    print(
        f"    {title}: {connection['state']}, fd {int(connection['stream']['fd'])}, breaker "
        f"{breaker['state']} after {int(breaker['failure_streak'])} failures in a row"
    )
    if len(text_of(connection["error"])) > 2:
        print(f"      why: {text_of(connection['error'])}")
    print(
        f"      {submitted} requests, {submitted - completed} in flight; {queued} bytes queued, "
        f"{int(connection['writing']['size']) - written} being written"
    )
    for number in range(completed, submitted):
        print(f"      {number}: {request_of(connection['slots'][number % SLOTS])}")


def show_endpoint(endpoint):
    address = endpoint["address"]
    flags = flags_of(endpoint, "is_retired", "must_reconnect")
    print(
        f"  endpoint {int(endpoint['number'])}: {text_of(address['host'])} "
        f"{text_of(address['port'])}" + (f" [{flags}]" if flags else "")
    )
    for number, title in enumerate(("data", "large")):
        lane = endpoint["lanes"][number]
        if number == 0 or int(lane["connection"]["submitted"]) != 0:
            show_connection(title, lane["connection"], lane["breaker"])


def show_redis(value):
    state = pointer_to(value, "accel_redis")["state"]
    if int(state) == 0:
        raise Refused("accel: the accel_redis is closed")
    count = int(state["route"]["count"])
    print(
        f"accel_redis {int(state):#x}: {count} endpoints, the main one is "
        f"{int(state['route']['main'])}; {int(state['users']) - 1} caches attached"
    )
    for number in range(count):
        show_endpoint(state["route"]["endpoints"][number].dereference())


# ---- a cache ----


def show_cache(core):
    channel = text_of(core["channel"])
    print(f"cache {text_of(core['type']['name'])}, area {text_of(core['area'])}")
    if int(core["local"]) == 0:
        print("  L1: none")
    else:
        print(f"  L1: {core['local_ops']['name'].string()}, capacity {int(core['capacity'])}")
    if int(core["link"]) == 0:
        print("  L2: none")
    else:
        state = "up" if bool(core["is_channel_up"]) else "down"
        print(f"  L2: {core['remote_ops']['name'].string()}, channel {channel} {state}")
    print(f"  {int(core['flights']['count'])} flights, {int(core['pending'])} jobs pending")
    flags = flags_of(core, "is_closing", "is_repairing", "has_listener", "has_leases")
    print(f"  flags: {flags or 'none'}")


def show_table(core, limit):
    if int(core["local"]) == 0:
        raise Refused("accel: the cache has no L1")
    table = Table(core)
    found = list(table.entries())
    print(f"{len(found)} of {table.set_count * WAYS} slots are in use")
    for index, way, tag in found[:limit]:
        try:
            print(table.describe(index, way, tag))
        except gdb.MemoryError as error:
            print(f"  set {index} way {way} tag {tag:#04x}: {error}")
    if len(found) > limit:
        print(f"  {len(found) - limit} more: accel table CACHE {len(found)}")


# ---- commands and printers ----


class Prefix(gdb.Command):
    """Shows what accel holds: accel cache|table|flights|redis EXPRESSION."""


class Accel(gdb.Command):

    def __init__(self, name, show, documentation):
        self.__doc__ = documentation
        self.show = show
        super().__init__(name, gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, _from_tty):
        if not argument:
            raise Refused(f"usage: {self.__doc__}")
        try:
            self.show(argument)
        except gdb.error as error:
            raise Refused(f"accel: {error}") from None


def table_arguments(argument):
    """EXPRESSION [COUNT]: the last word is a count if it is a number."""
    expression, _, last = argument.rpartition(" ")
    if expression and last.isdigit():
        return expression, int(last)
    return argument, ENTRIES_SHOWN


def command_table(argument):
    expression, limit = table_arguments(argument)
    show_table(core_of(gdb.parse_and_eval(expression)), limit)


class BufferPrinter:
    """Bytes that are collected: how many, and how they begin."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        size = int(self.value["size"])
        shown = text_of(self.value["data"], min(size, BYTES_SHOWN))
        return f"{size} bytes {shown}" + (" ..." if size > BYTES_SHOWN else "")


class LifetimePrinter:
    """When an entry was made and when it expires."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        born, expires = int(self.value["born_ms"]), int(self.value["expires_ms"])
        if expires == (1 << 64) - 1:
            return f"born at {born} ms, never expires"
        return f"born at {born} ms, expires at {expires} ms"


PRINTERS = {"accel_buffer": BufferPrinter, "accel_lifetime": LifetimePrinter}


def find_printer(value):
    printer = PRINTERS.get(value.type.unqualified().strip_typedefs().tag)
    return printer(value) if printer else None


find_printer.name = "accel"  # what `info pretty-printer` calls it


def register():
    Prefix("accel", gdb.COMMAND_DATA, gdb.COMPLETE_COMMAND, True)
    Accel(
        "accel cache",
        lambda text: show_cache(core_of(gdb.parse_and_eval(text))),
        "accel cache CACHE: its levels, its channel, its flights.",
    )
    Accel("accel table", command_table, "accel table CACHE [COUNT]: the entries of its L1.")
    Accel(
        "accel flights",
        lambda text: show_flights(core_of(gdb.parse_and_eval(text))),
        "accel flights CACHE: loads under way, and how many threads wait for them.",
    )
    Accel(
        "accel redis",
        lambda text: show_redis(gdb.parse_and_eval(text)),
        "accel redis REDIS: servers, connections, requests in flight.",
    )
    gdb.pretty_printers.append(find_printer)


register()
