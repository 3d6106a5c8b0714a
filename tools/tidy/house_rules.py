#!/usr/bin/env python3
"""The house rules that a compiler does not check. Each rule is one function from the tree to its findings.

    tools/tidy/house_rules.py [--root FOLDER] [--list] [RULE…]

Exit status: 0 nothing found; 1 something found; 2 wrong usage. Every rule has a fixture in
tests/tidy/house_rules_test.py that it must report, so none can be dead. Only the standard library is used.
"""

import argparse
import os
import re
import sys

sys.dont_write_bytecode = True
from source_tree import ROOMS, Finding, SourceTree

MAY_USE = {"memlog": {"memlog"}, "core": {"core", "memlog"}, "projectors": {"projectors", "core", "memlog"},
           "sagas": {"sagas", "core", "memlog"}}
LINES_MAX = 500
TEST_LINES_MAX = 800
TOP_FOLDERS = set(ROOMS) | {"tools", "bench", "tests", "examples", "build"}
TOP_FILES = {"README.md", "CMakeLists.txt", "CMakePresets.json", "CMakeUserPresets.json", "CHANGELOG.md", "LICENSE",
             "compile_commands.json"}
TEST_KIT = "core/include/pawl/testing.h"
DRAWERS = {"manager", "managers", "helper", "helpers", "util", "utils", "common", "misc", "data", "info", "impl", "base",
           "processor", "context", "types"}
BANNED_IN_TYPES = DRAWERS - {"types"}
ATOMIC_CALL = re.compile(r"(?:\.|->)\s*(load|store|exchange|fetch_(?:add|sub|and|or|xor)|test_and_set|"
                         r"compare_exchange_(?:weak|strong))\s*\(")
ORDER_WORDS = re.compile(r"relaxed|acquire|release|acq_rel|seq_cst|pairs with|memory order", re.IGNORECASE)
ORDER_COMMENT_LINES = 10


def layers(tree):
    """A room includes public headers of the rooms it may use, and its own private neighbours."""
    owner = {f.path.split("/include/")[1]: f.top for f in tree.files if f.is_public_header}
    for file in tree.cpp:
        for line, is_quoted, name in file.includes:
            if ".." in name.split("/"):
                target = os.path.normpath(os.path.join(file.folder, name)).split(os.sep)[0]
                if file.top in ROOMS or target != file.top:
                    yield Finding(file.path, line, f"includes '{name}' by a path that climbs; rooms meet in pawl/ headers")
            elif name.startswith("pawl/"):
                room = owner.get(name)
                if room is None:
                    yield Finding(file.path, line, f"includes '{name}', which no room offers")
                elif file.top in ROOMS and room not in MAY_USE[file.top]:
                    yield Finding(file.path, line, f"{file.top} may not include '{name}' of {room}")
            elif is_quoted and file.top in ROOMS and f"{file.top}/{name}" not in tree.by_path:
                hint = "foreign headers are spelled <…>" if "/" in name else f"it is no neighbour in {file.top}/"
                yield Finding(file.path, line, f"includes '{name}': {hint}")


def public_headers(tree):
    """Public headers need only the standard library, absl/status and public headers; macros begin with PAWL_."""
    # The test kit's one needs GoogleTest: it is for users' tests, and no room includes it.
    allowed = re.compile(r"pawl/|absl/status/(status|statusor)\.h$|[a-z_0-9]+$")
    for file in tree.files:
        if not file.is_public_header:
            continue
        for line, _, name in file.includes:
            if not allowed.match(name) and (file.path, name) != (TEST_KIT, "gtest/gtest.h"):
                yield Finding(file.path, line, f"a public header may not include '{name}'")
        yield from file.matches(r"^[ \t]*#[ \t]*define[ \t]+(?!PAWL_)\w+", "a public header leaks the macro: {0}")
        if file.folder.count("/") > 2:
            yield Finding(file.path, 1, "public header names are flat: <pawl/name.h>")
    for file in tree.in_rooms():
        for line, _, name in file.includes:
            if TEST_KIT.endswith(f"/include/{name}"):
                yield Finding(file.path, line, "the test kit is for tests; no room includes it")


def command_queue(tree):
    """moodycamel is included by exactly one file of the rooms, in core; benchmarks and their rivals may use it."""
    users = [(f, line) for f in tree.in_rooms() for line, _, name in f.includes if "concurrentqueue" in name]
    for number, (file, line) in enumerate(users):
        if file.top != "core" or number > 0:
            yield Finding(file.path, line, "only one file, in core, includes moodycamel's queue")


def headers(tree):
    """Headers begin with #pragma once and do not open namespaces for others; room code lives in pawl::v0."""
    for file in tree.cpp:
        if file.name.endswith(".h"):
            if "#pragma once" not in file.code:
                yield Finding(file.path, 1, "a header needs #pragma once")
            yield from file.matches(r"\busing\s+namespace\b[^;]*", "a header must not say '{0}'")
        if file.top in ROOMS:
            for match in re.finditer(r"\bnamespace\s+pawl\b(?!::inline v0\b|\s*\{\s*inline\s+namespace\s+v0\b)", file.code):
                yield file.finding(match.start(), "room code lives in namespace pawl::inline v0")


def _call_text(code, open_paren):
    depth = 0
    for offset in range(open_paren, min(len(code), open_paren + 2000)):
        depth += {"(": 1, ")": -1}.get(code[offset], 0)
        if depth == 0:
            return code[open_paren:offset + 1]
    return code[open_paren:]


def atomic_orders(tree):
    """Every atomic operation names its memory order: no default, no operator."""
    for file in tree.cpp:
        if file.path.startswith("tests/litmus/relacy_"):
            continue  # The model checker's twin of the atomics: its cells have no orders.
        for match in ATOMIC_CALL.finditer(file.code):
            if "order" not in _call_text(file.code, match.end() - 1):
                yield file.finding(match.start(), f"{match.group(1)}() without an explicit memory order")
        names = set(re.findall(r"\b(?:std::atomic|Atomic)\s*<[^;{}]*?>\s+(\w+_)\b", file.code))
        for name in sorted(names):
            operator = rf"(?:\+\+|--)\s*{name}\b|(?<![\w.>&*]){name}\s*(?:\+\+|--|[-+|&^]?=(?!=))"
            yield from file.matches(operator, "operator on an atomic, hence seq_cst in secret: '{0}'")


def atomic_comments(tree):
    """Beside every atomic operation stands a comment about its order: the reason, and the partner. Not for tests."""
    for file in tree.cpp:
        if file.top == "tests":
            continue
        for match in ATOMIC_CALL.finditer(file.code):
            line = file.line_of(match.start())
            end = file.line_of(match.start() + len(_call_text(file.code, match.end() - 1)) + len(match.group(0)))
            near = file.lines[max(0, line - 1 - ORDER_COMMENT_LINES):end]
            comments = [text.partition("//")[2] for text in near]
            if not any(ORDER_WORDS.search(comment) for comment in comments):
                yield file.finding(match.start(), f"{match.group(1)}() without a comment on its order nearby")


def fences(tree):
    """No atomic_thread_fence: ThreadSanitizer cannot see it. Order through atomic operations."""
    for file in tree.cpp:
        yield from file.matches(r"\b(?:atomic_thread_fence|__sync_synchronize|__atomic_thread_fence|_mm_mfence)\b",
                                "{0}: order through atomic operations")


def test_sleeps(tree):
    """Tests wait on conditions with a deadline; they never sleep."""
    for file in tree.cpp:
        if file.top == "tests":
            yield from file.matches(r"\b(?:sleep_for|sleep_until|usleep|nanosleep|clock_nanosleep|(?<![\w.>])sleep)\s*\(",
                                    "a test sleeps: {0}…)")


def file_sizes(tree):
    """A file has at most 500 lines, a test 800."""
    for file in tree.files:
        limit = TEST_LINES_MAX if file.top == "tests" else LINES_MAX
        if (file.is_cpp or file.name.endswith((".py", ".cmake"))) and len(file.lines) > limit:
            yield Finding(file.path, limit, f"{len(file.lines)} lines; the limit is {limit}")


def names(tree):
    """No drawers: neither a file nor a type (outside tests) is called helper, manager, util, data…"""
    declared = re.compile(r"\b(?:class|struct|enum(?:\s+class)?|union|concept|using)\s+(?:alignas\([^)]*\)\s*|\[\[[^]]*\]\]\s*)*"
                          r"([A-Z]\w*)\s*(?=[{:;=]|final\b)")
    for file in tree.files:
        if file.is_cpp or file.name.endswith((".py", ".cmake", ".sh")):
            for word in re.split(r"[_\-.]", file.name.rpartition(".")[0]):
                if word.lower() in DRAWERS:
                    yield Finding(file.path, 1, f"the file's name says '{word}', which is a drawer")
        if not file.is_cpp or file.top == "tests":
            continue  # What tests hand to a checker may well be an EmptyBase.
        for match in declared.finditer(file.code):
            words = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*", match.group(1))
            if words[0] in ("Has", "Is"):
                continue  # A predicate about what C++ calls a base or a context, not a drawer.
            for word in {words[0], words[-1]}:
                if word.lower() in BANNED_IN_TYPES:
                    yield file.finding(match.start(), f"the type {match.group(1)} is named '{word}'")


def orphans(tree):
    """Every source is built: a .cc or public header is named in a CMakeLists.txt, a private header is included."""
    included = {name.rpartition("/")[2] for file in tree.cpp for _, _, name in file.includes}
    for file in tree.cpp:
        lists = [tree.by_path[path] for path in _cmake_lists_above(file.path) if path in tree.by_path]
        named = any(re.search(rf"(?<![\w/.-])(?:[\w.-]+/)*{re.escape(file.name)}(?![\w.])", listing.text) for listing in lists)
        if file.is_public_header and not named:
            yield Finding(file.path, 1, "a public header that the room's CMakeLists.txt does not name")
        elif file.name.endswith(".cc") and not named:
            yield Finding(file.path, 1, "no CMakeLists.txt names this source: nobody builds it")
        elif not named and file.name.endswith(".h") and file.name not in included:
            yield Finding(file.path, 1, "nobody includes this header")


def _cmake_lists_above(path):
    folder = path.rpartition("/")[0]
    while folder:
        yield f"{folder}/CMakeLists.txt"
        folder = folder.rpartition("/")[0]


def swallowed(tree):
    """Nothing is swallowed: no status cast away, no catch (...) that goes on."""
    for file in tree.cpp:
        yield from file.matches(r"\(void\)\s*\w*[sS]tatus\w*|static_cast<void>\([^;]*[sS]tatus\w*[^;]*\)|\bIgnoreError\s*\(",
                                "a status is swallowed: {0}")
        for match in re.finditer(r"\bcatch\s*\(\s*\.\.\.\s*\)\s*\{([^{}]*)\}", file.code):
            if not re.search(r"\b(?:return|throw|abort|terminate|_exit|PAWL_CHECK|FAIL|ADD_FAILURE)\b", match.group(1)):
                yield file.finding(match.start(), "catch (...) that goes on")


def throws(tree):
    """Library code never throws."""
    for file in tree.in_rooms():
        yield from file.matches(r"\bthrow\b(?!\s*\()", "library code never throws")


def open_ends(tree):
    """No note for later without the place that tracks it in brackets. No ticket numbers in code comments."""
    mark = "TO" + "DO|FIX" + "ME|HA" + "CK|XX" + "X"
    for file in tree.files:
        if file.is_cpp or file.name.endswith((".py", ".cmake", "CMakeLists.txt")):
            yield from file.matches(rf"\b(?:{mark})\b(?!\([^)]+\))", "{0} without a place where it is tracked", in_code=False)
        if file.is_cpp:
            yield from file.matches(r"//.*\b[iI]ssue #?\d+", "a ticket number in a comment: {0}", in_code=False)


def workplace(tree):
    """Nothing names the machine or the folders it was made in."""
    paths = "/" + r"work/|/" + r"tmp/w\b|/" + r"home/\w+"
    for file in tree.files:
        yield from file.matches(paths, "names a place of one machine: {0}", in_code=False)


def furniture(tree):
    """Each room has README.md and a CMakeLists.txt with one pawl_room() call; the root holds what the design lists."""
    for room in ROOMS:
        lists = tree.by_path.get(f"{room}/CMakeLists.txt")
        if lists is None or len(re.findall(r"^pawl_room\(", lists.text, re.MULTILINE)) != 1:
            yield Finding(f"{room}/CMakeLists.txt", 1, "a room has one pawl_room() call")
        if f"{room}/README.md" not in tree.by_path:
            yield Finding(f"{room}/README.md", 1, "a room has a one-page README.md")
    for name in sorted(os.listdir(tree.root)):
        is_folder = os.path.isdir(os.path.join(tree.root, name))
        if not name.startswith(".") and name not in (TOP_FOLDERS if is_folder else TOP_FILES):
            yield Finding(name, 1, "not on the design's list for the root; it lives in a room or in tools/")


RULES = (layers, public_headers, command_queue, headers, atomic_orders, atomic_comments, fences, test_sleeps, file_sizes,
         names, orphans, swallowed, throws, open_ends, workplace, furniture)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(here)))
    parser.add_argument("--list", action="store_true", help="print the rules")
    parser.add_argument("rules", nargs="*", metavar="RULE", help="only these")
    arguments = parser.parse_args()
    by_name = {rule.__name__: rule for rule in RULES}
    if unknown := [name for name in arguments.rules if name not in by_name]:
        parser.error(f"no such rule: {' '.join(unknown)}")
    if arguments.list:
        print("\n".join(f"{name:16} {rule.__doc__}" for name, rule in by_name.items()))
        return 0
    tree = SourceTree(arguments.root)
    count = 0
    for name in arguments.rules or by_name:
        for finding in by_name[name](tree):
            print(f"{finding} [{name}]")
            count += 1
    print(f"house rules: {count} findings in {len(tree.files)} files", file=sys.stderr)
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
