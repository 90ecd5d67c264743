"""Static variables and forks: a child has one thread, and the locks of all the others.

A static variable that changes while the program runs is put in order in a forked child by a
function named *_fork_child of the same file, which a handler registers (accel_fork_register, or
pthread_atfork in the module that offers it); or it stands in FORK_SAFE with the reason why a child
may find it in any state. A lock is never fork-safe.
"""

import re

import sources

# What a child may find in the middle of a change, or as the parent had it.
FORK_SAFE = {
    "fork_ready": "written once, under pthread_once, which a fork does not harm",
    "thread_key": "the same",
    "thread_key_ready": "the same",
    "thread_object_holds": "one word: what the parent has open holds in the child until it closes",
    "renewal_turn": "one word that only grows; the thread that compares it is not in the child",
    "renewal_changed": "opened anew, because the handler says that it is not ready",
    "renewal_rested": "the same",
    "renewal_thread": "not looked at unless renewal_runs, which the handler clears",
    "fork_opened": "under the mutex that a fork takes; an entry says which process made it",
    "core_loader_too_early": "one word",
    "accel_clock_page_second": "one pointer, which the handler resets",
    "clock_page_is_refused": "one word: what was wrong in the parent is not used in the child",
    "redis_reply_functions": "never written: hiredis wants it without const",
}

LOCK = re.compile(
    r"\b(accel_mutex|accel_condition|pthread_(mutex|cond|rwlock|spinlock)_t|sem_t)\b"
)
# What is no state, or has its own answer to forks: pthread_once; handlers, whose list is one.
NO_STATE = re.compile(r"\bpthread_once_t\b|\baccel_fork_handler\b(?!\s*\*)")
STATIC = re.compile(r"^(?P<indent>\s*)static\s+(?P<rest>[^;{=]*?)\s*(?P<end>[;={])", re.M)
GLOBAL = re.compile(
    r"^(?!static|extern|typedef|const\b)(?P<rest>[A-Za-z_][\w \t*]*\w)\s*(?P<end>[;=])", re.M
)


def code(text):
    """Without comments and macros, line by line."""
    blank = lambda found: re.sub(r"[^\n]", " ", found[0])  # noqa: E731
    text = re.sub(r"/\*.*?\*/|//[^\n]*", blank, text, flags=re.S)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blank, text, flags=re.M)


def declared(rest):
    """The names that a declaration without its initialiser declares."""
    names = re.sub(r"\[[^\]]*\]", "", rest).split(",")
    return [re.split(r"[\s*]+", each.strip())[-1] for each in names]


def variables(text):
    """Yields (offset, declaration, names) of what has static storage and may change."""
    for pattern in (STATIC, GLOBAL):
        for match in pattern.finditer(text):
            rest = match["rest"]
            is_function = "(" in rest or match["end"] == "{" and "struct" not in rest
            is_constant = re.search(r"\b(const|constexpr)\b[^*]*$", rest) is not None
            is_forward = re.fullmatch(r"(struct|enum|union) \w+", rest) is not None
            is_of_a_thread = "ACCEL_THREAD_LOCAL" in rest
            if is_function or is_constant or is_forward or is_of_a_thread or NO_STATE.search(rest):
                continue
            yield match.start(), rest, declared(rest)


def handlers(text):
    """What the bodies of the file's *_fork_child functions say, if they are registered."""
    found = re.findall(r"^static void (\w+_fork_child)\([^)]*\)\n\{\n(.*?)^\}", text, re.M | re.S)
    used = [body for name, body in found if len(re.findall(rf"\b{name}\b", text)) > 1]
    return "\n".join(used) if "accel_fork_register(" in text or "pthread_atfork(" in text else ""


def check(path):
    text = code(path.read_text(encoding="utf-8"))
    handled = handlers(text)
    count = 0
    for offset, rest, names in variables(text):
        count += 1
        for name in names:
            if re.search(rf"\b{name}\b", handled) or (name in FORK_SAFE and not LOCK.search(rest)):
                continue
            if name in FORK_SAFE and "condition" in rest:
                continue  # a condition without its mutex is opened anew
            sources.report(
                path,
                text.count("\n", 0, offset) + 1,
                f"{name} is static and changes: no registered *_fork_child of this file "
                "mentions it; a forked child may find it locked or half written",
            )
    return count


def check_checks():
    """The check itself must see what it is for."""
    lock = "static accel_mutex one_mutex = ACCEL_MUTEX_INITIALIZER;\n"
    assert [names for _, _, names in variables(lock)] == [["one_mutex"]]
    assert not handlers(lock)
    handler = "static void one_fork_child(void *unused)\n{\n  one_mutex = fresh;\n}\n"
    assert not handlers(lock + handler)
    use = "static accel_fork_handler h = {.child = one_fork_child};\nx(accel_fork_register(&h));\n"
    assert "one_mutex" in handlers(lock + handler + use)
    inside = "void f(void)\n{\n  static uint32_t count, last[4];\n  count++;\n}\n"
    assert [names for _, _, names in variables(inside)] == [["count", "last"]]
    assert [names for _, _, names in variables("uint64_t word = 1;\n")] == [["word"]]
    quiet = "static const accel_mutex fresh = {0};\nstatic const char *const names[] = {0};\n"
    assert not list(variables(quiet))
    assert not list(variables("static int call(int one);\nstatic bool f(void)\n{\n}\n"))


check_checks()
checked = [check(path) for path in sources.c_files(sources.LIBRARY)]
sources.finish(f"{sum(checked)} static variables in {len(checked)} files")
