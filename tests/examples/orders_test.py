#!/usr/bin/env python3
"""orders: events that are FlatBuffers messages; what its tests cannot say, since they open no log.

    ORDERS=build/release/examples/orders.dir/orders tests/examples/orders_test.py [OrdersTest.test_…]
"""

import sys
import unittest

sys.dont_write_bytecode = True
from program import ProgramTest

HISTORY = """order 1
  placed by ada
    2 x tea at 300 cents
    1 x biscuits at 250 cents
    note: by the back door, please
  shipped in 1 parcels
order 2
  placed by bob
    1 x tea at 300 cents
tea ordered: 3
"""
FIRST = """the first order: accepted
the second order: accepted
the first one is shipped: accepted
""" + HISTORY
SECOND = FIRST.replace("accepted", "refused")


class OrdersTest(ProgramTest):
    variable = "ORDERS"

    def test_the_second_run_finds_what_the_first_one_did(self):
        for expected in (FIRST, SECOND):
            done = self.run_program(f"{self.folder}/log")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, expected, ""))

    def test_a_log_that_cannot_be_is_refused_with_one_message(self):
        done = self.run_program(f"{self.folder}/none/log")
        self.assert_refused(done, f"{self.folder}/none", status=1)


if __name__ == "__main__":
    unittest.main()
