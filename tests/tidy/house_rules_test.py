#!/usr/bin/env python3
"""Every house rule must report its fixtures and leave the innocent alone; a rule without fixture is refused."""

import os
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "tidy"))
sys.dont_write_bytecode = True

import house_rules  # noqa: E402
from source_tree import ROOMS, SourceTree  # noqa: E402

# A repository that no rule objects to. A fixture changes or adds files; None removes one.
SOUND = {"README.md": "Sound.\n", "CMakeLists.txt": "project(pawl)\n"}
for _room in ROOMS:
    SOUND[f"{_room}/README.md"] = "A room.\n"
    SOUND[f"{_room}/CMakeLists.txt"] = f"pawl_room(NAME {_room}\n  SOURCES {_room}.cc\n  PUBLIC_HEADERS include/pawl/{_room}.h)\n"
    SOUND[f"{_room}/{_room}.cc"] = f'#include "pawl/{_room}.h"\nnamespace pawl::inline v0 {{}}\n'
    SOUND[f"{_room}/include/pawl/{_room}.h"] = "#pragma once\n#include <vector>\nnamespace pawl::inline v0 {}\n"

HEADER = "#pragma once\n"
NOTE = "TO" + "DO"

# rule -> changes that it must report, each with a piece of the report.
REPORTED = {
    "layers": [
        ({"memlog/memlog.cc": '#include "pawl/core.h"\n'}, "memlog may not include"),
        ({"projectors/projectors.cc": '#include "pawl/sagas.h"\n'}, "projectors may not include"),
        ({"core/core.cc": '#include "../memlog/segment.h"\n'}, "climbs"),
        ({"examples/bank.cc": '#include "../core/segment.h"\n'}, "climbs"),
        ({"core/core.cc": '#include "segment.h"\n', "memlog/segment.h": HEADER}, "no neighbour"),
        ({"core/core.cc": '#include "absl/status/status.h"\n'}, "foreign headers"),
        ({"core/core.cc": '#include "pawl/gone.h"\n'}, "no room offers"),
    ],
    "public_headers": [
        ({"core/include/pawl/core.h": HEADER + "#include <absl/strings/string_view.h>\n"}, "may not include"),
        ({"core/include/pawl/core.h": HEADER + '#include "private.h"\n'}, "may not include"),
        ({"core/include/pawl/core.h": HEADER + "#define LEAK 1\n"}, "leaks the macro"),
        ({"core/include/pawl/deep/core.h": HEADER}, "flat"),
        ({"core/include/pawl/core.h": HEADER + "#include <gtest/gtest.h>\n"}, "may not include"),
        ({"core/core.cc": '#include "pawl/testing.h"\n'}, "no room includes it"),
    ],
    "command_queue": [
        ({"memlog/memlog.cc": "#include <concurrentqueue.h>\n"}, "only one file"),
        ({"core/a.h": HEADER + "#include <concurrentqueue.h>\n", "core/b.h": HEADER + "#include <concurrentqueue.h>\n"},
         "only one file"),
    ],
    "headers": [
        ({"core/x.h": "namespace pawl::inline v0 {}\n"}, "pragma once"),
        ({"core/x.h": HEADER + "using namespace std;\n"}, "using namespace std"),
        ({"core/x.h": HEADER + "namespace pawl {\n}\n"}, "inline v0"),
        ({"core/core.cc": "namespace pawl::detail {\n}\n"}, "inline v0"),
    ],
    "atomic_orders": [
        ({"core/core.cc": "auto x = tail_.load();\n"}, "load() without"),
        ({"core/core.cc": "tail->store(\n    f(1),\n    g(2));\n"}, "store() without"),
        ({"core/core.cc": "a.compare_exchange_weak(x, y);\n"}, "compare_exchange_weak() without"),
        ({"core/core.cc": "std::atomic<int> count_;\nvoid F() { ++count_; }\n"}, "operator"),
        ({"core/core.cc": "Atomic<int> count_;\nvoid F() { count_ = 1; }\n"}, "operator"),
        ({"tests/core/a.cc": "flag.store(true);\n"}, "store() without"),
    ],
    "atomic_comments": [
        ({"core/core.cc": "x.load(std::memory_order_acquire);\n"}, "without a comment"),
        ({"core/core.cc": "// Loads it.\nx.load(std::memory_order_acquire);\n"}, "without a comment"),
        ({"bench/b.cc": "// Relaxed: a count." + "\n" * 12 + "x.load(std::memory_order_relaxed);\n"}, "without a comment"),
    ],
    "fences": [({"tests/a.cc": "std::atomic_thread_fence(std::memory_order_seq_cst);\n"}, "atomic operations")],
    "test_sleeps": [
        ({"tests/a.cc": "std::this_thread::sleep_for(1ms);\n"}, "a test sleeps"),
        ({"tests/a.cc": "::usleep(5);\n"}, "a test sleeps"),
        ({"tests/a.cc": "void F() { sleep(1); }\n"}, "a test sleeps"),
    ],
    "file_sizes": [
        ({"core/core.cc": "\n" * 501}, "501 lines"),
        ({"tests/a.cc": "\n" * 801}, "801 lines"),
        ({"tools/a.py": "\n" * 501}, "501 lines"),
    ],
    "names": [
        ({"core/string_utils.h": HEADER}, "drawer"),
        ({"tests/core/helpers.cc": ""}, "drawer"),
        ({"core/core.cc": "class SegmentManager {\n};\n"}, "named 'Manager'"),
        ({"core/core.cc": "template <class T>\nstruct alignas(64) BaseLog final {\n};\n"}, "named 'Base'"),
        ({"core/core.cc": "using LogInfo = int;\n"}, "named 'Info'"),
        ({"core/core.cc": "enum class DecodeContext : int {};\n"}, "named 'Context'"),
    ],
    "orphans": [
        ({"core/lost.cc": ""}, "nobody builds it"),
        ({"core/include/pawl/lost.h": HEADER}, "does not name"),
        ({"core/lost.h": HEADER}, "nobody includes"),
        ({"tests/core/lost_test.cc": "", "tests/core/CMakeLists.txt": "pawl_test(t SOURCES not_lost_test.cc)\n"}, "nobody builds it"),
    ],
    "swallowed": [
        ({"core/core.cc": "(void)status;\n"}, "swallowed"),
        ({"core/core.cc": "static_cast<void>(sync_status);\n"}, "swallowed"),
        ({"core/core.cc": "Sync().IgnoreError();\n"}, "swallowed"),
        ({"core/core.cc": "try { F(); } catch (...) {\n  count++;\n}\n"}, "goes on"),
    ],
    "throws": [({"core/core.cc": "throw 1;\n"}, "never throws")],
    "open_ends": [
        ({"core/core.cc": f"// {NOTE}: later\n"}, "without a place"),
        ({"tools/a.py": f"# {NOTE} later\n"}, "without a place"),
        ({"core/core.cc": "// See issue 7.\n"}, "ticket number"),
    ],
    "workplace": [
        ({"README.md": "see /" + "work/main\n"}, "names a place"),
        ({"tools/x": "cd /" + "tmp/w\n"}, "names a place"),
        ({"bench/README.md": "in /" + "home/somebody\n"}, "names a place"),
    ],
    "furniture": [
        ({"sagas/README.md": None}, "README.md"),
        ({"core/CMakeLists.txt": "pawl_room(NAME core)\npawl_room(NAME core)\n"}, "one pawl_room"),
        ({"docs/plan.md": "x\n"}, "design's list"),
        ({"NOTES.md": "x\n"}, "design's list"),
    ],
}

# What the rules must not object to.
INNOCENT = {
    "comments and strings are no code": {
        "core/core.cc": '// throw, atomic_thread_fence(, x.load()\nconst char* kText = "throw x.load() catch (...) {}";\n'},
    "the README's way to say a status is wanted": {
        "core/core.cc": "if (absl::Status status = F(); !status.ok()) return status;\nauto t = std::exchange(a, b);\n"},
    "an order with its reason": {
        "core/core.cc": "std::atomic<int> x_{0};\n// Release: pairs with the acquire in Poll().\nx_.store(1, std::memory_order_release);\n"},
    "catch at the border": {"core/core.cc": "try { F(); } catch (...) {\n  return InternalError();\n}\n"},
    "rooms below": {"core/core.cc": '#include <sys/mman.h>\n\n#include <absl/status/status.h>\n\n#include "pawl/memlog.h"\n'},
    "neighbours in examples": {
        "examples/CMakeLists.txt": "pawl_program(bank SOURCES bank/main.cc)\n", "examples/console/text.h": HEADER,
        "examples/bank/main.cc": '#include "../console/text.h"\n'},
    "digit separators": {"core/core.cc": "constexpr int kA = 1'000'000;\nint x = 'a';\nconstexpr int kB = 2'000;\n"},
    "words that only contain a drawer": {"core/core.cc": "struct Database {};\nclass InformationRow {};\nconcept HasBase = true;\n"},
}


def findings(rules, changes):
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**SOUND, **changes}.items():
            if text is None:
                continue
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as stream:
                stream.write(text)
        tree = SourceTree(root)
        return [str(finding) for rule in rules for finding in rule(tree)]


class HouseRules(unittest.TestCase):
    def test_every_rule_has_a_fixture(self):
        self.assertEqual({rule.__name__ for rule in house_rules.RULES}, set(REPORTED))

    def test_every_fixture_is_reported_by_its_rule(self):
        for rule in house_rules.RULES:
            for changes, piece in REPORTED[rule.__name__]:
                with self.subTest(rule=rule.__name__, changes=changes):
                    self.assertTrue(any(piece in text for text in findings([rule], changes)), findings([rule], changes))

    def test_the_sound_tree_is_clean(self):
        self.assertEqual(findings(house_rules.RULES, {}), [])

    def test_the_innocent_are_left_alone(self):
        for name, changes in INNOCENT.items():
            with self.subTest(name):
                self.assertEqual(findings(house_rules.RULES, changes), [])


if __name__ == "__main__":
    unittest.main()
