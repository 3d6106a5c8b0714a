#!/usr/bin/env python3
"""library: an application's own aggregates; what its tests cannot say, since they open no log.

    LIBRARY=build/release/examples/library.dir/library tests/examples/library_test.py [LibraryTest.test_…]
"""

import sys
import unittest

sys.dont_write_bytecode = True
from program import ProgramTest

FIRST = """ada joins: accepted, version 1
the book comes: accepted, version 1
it is lent to ada: accepted, version 2
it is lent again: refused with code 3
it is taken back: accepted, version 3
"""
SECOND = """ada joins: refused with code 1
the book comes: refused with code 1
it is lent to ada: accepted, version 4
it is lent again: refused with code 3
it is taken back: accepted, version 5
"""


class LibraryTest(ProgramTest):
    variable = "LIBRARY"

    def test_the_second_run_finds_what_the_first_one_did(self):
        for expected in (FIRST, SECOND):
            done = self.run_program(f"{self.folder}/log")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, expected, ""))

    def test_a_log_that_cannot_be_is_refused_with_one_message(self):
        done = self.run_program(f"{self.folder}/none/log")
        self.assert_refused(done, f"{self.folder}/none", status=1)


if __name__ == "__main__":
    unittest.main()
