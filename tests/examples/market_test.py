#!/usr/bin/env python3
"""market on a hand-made day of 200 rows, on broken ones, and on a real day where that is there.

    MARKET=build/release/examples/market tests/examples/market_test.py [MarketTest.test_…]

Exit status 77: the real day was asked for and is not there.
"""

import csv
import os
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
from program import ProgramTest

DATA = pathlib.Path(__file__).parent / "data"
REAL_DAY = pathlib.Path(os.environ.get("PAWL_MARKET_DATA", "../shared/data/amzn-2012-06-21"))
SKIPPED = 77

# Counted by hand-written Python from the files alone, without the engine.
SMALL_DAY_FACTS = {
    "rows": 200, "new_orders": 90, "partial_cancels": 8, "deletions": 48, "visible_executions": 39,
    "hidden_executions": 15, "unknown_orders": 7, "open_orders": 17, "visible_volume": 777,
    "visible_notional": 777118300, "hidden_volume": 184, "book_rows_matched": 200, "rows_derived": 188, "rows_told": 11,
}
REAL_DAY_FACTS = {
    "rows": 57515, "new_orders": 27845, "partial_cancels": 16, "deletions": 18235, "visible_executions": 8974,
    "hidden_executions": 2445, "unknown_orders": 7467, "open_orders": 9768, "visible_volume": 613248,
    "visible_notional": 1365336194400, "hidden_volume": 197507, "book_rows_matched": 57515, "rows_derived": 43561,
    "rows_told": 13953,
}


class MarketTest(ProgramTest):
    variable = "MARKET"

    def setUp(self):
        super().setUp()
        self.messages = (DATA / "small_day_messages.csv").read_text(encoding="ascii").splitlines()
        self.book = (DATA / "small_day_book.csv").read_text(encoding="ascii").splitlines()

    def write_day(self, line_end="\n"):
        for name, rows in (("message.csv", self.messages), ("orderbook.csv", self.book)):
            text = "".join(row + line_end for row in rows)
            pathlib.Path(self.folder, name).write_text(text, encoding="ascii", newline="")
        return ("--messages", f"{self.folder}/message.csv", "--book", f"{self.folder}/orderbook.csv")

    def replay(self):
        return self.run_program(*self.write_day(), "--json")

    def assert_facts(self, found, facts):
        self.assertEqual({name: found.get(name) for name in facts}, facts)
        self.assertGreater(found["messages_per_second"], 0)

    def test_a_hand_made_day_matches_in_every_row_and_fact(self):
        self.assert_facts(self.run_json(*self.write_day()), SMALL_DAY_FACTS)

    def test_a_day_with_carriage_returns_is_the_same_day(self):
        self.assert_facts(self.run_json(*self.write_day("\r\n")), SMALL_DAY_FACTS)

    def test_the_table_is_for_people(self):
        done = self.run_program(*self.write_day())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("200 of 200 rows", done.stdout)
        self.assertNotIn("{", done.stdout)

    def is_hidden_at_once(self, index, column):
        """A level that nothing confirms: told in this row, and behind a better order in the next."""
        if index == 0 or index + 1 == len(self.book):
            return False
        above, row, below = (self.book[at].split(",")[column - 1:column + 1] for at in (index - 1, index, index + 1))
        is_told = row[0] != above[0] and self.messages[index].split(",")[1] != "1"
        return is_told and row[0] != below[0] and self.messages[index + 1].split(",")[1] == "1"

    def test_every_single_altered_row_is_reported(self):
        good = list(self.book)
        for index, row in enumerate(good):
            fields = row.split(",")
            column = 1 if index % 2 == 0 else 3  # the size of the best ask, or bid
            if self.is_hidden_at_once(index, column):
                continue
            fields[column] = str(int(fields[column]) + 1)
            self.book[index] = ",".join(fields)
            done = self.replay()
            self.assertEqual(done.returncode, 1, f"row {index + 1}: {done.stderr}")
            self.assertRegex(done.stderr, r"(orderbook\.csv:\d+: expected ask .*; found )|(message\.csv:\d+: refused)")
            self.book[index] = row

    def test_an_altered_row_is_named_with_what_was_expected_and_found(self):
        self.assertEqual(self.book[1], "1000100,60,1000000,30")
        self.book[1] = "1000100,60,1000000,31"
        done = self.replay()
        self.assertEqual(done.returncode, 1)
        self.assertIn("orderbook.csv:2: expected ask 60 at 1000100, bid 31 at 1000000; "
                      "found ask 60 at 1000100, bid 30 at 1000000", done.stderr)
        self.assertIn('"book_rows_matched": 199', done.stdout)

    def test_a_message_that_cannot_be_is_refused_by_name(self):
        fields = self.messages[1].split(",")
        self.messages[1] = ",".join(fields[:2] + ["1006"] + fields[3:])  # an order that exists
        self.assert_refused(self.replay(), "message.csv:2: refused: the order exists already", status=1)

    def test_rows_that_do_not_pair_up_are_refused(self):
        self.book.pop()
        self.assert_refused(self.replay(), "orderbook.csv:200:1: expected 200 rows, one per message; found 199")

    def test_files_that_are_not_there_or_empty_are_refused(self):
        day = self.write_day()
        self.assert_refused(self.run_program("--messages", "/nowhere.csv", *day[2:]),
                            "/nowhere.csv: No such file or directory")
        self.messages = []
        self.assert_refused(self.replay(), "message.csv:1:1: expected a row; found nothing")

    def test_unknown_options_are_refused(self):
        self.assert_refused(self.run_program("--mesages", "x"), "'--mesages' is no option")
        self.assert_refused(self.run_program("--book"), "--book needs a value")

    def test_every_kind_of_malformed_row_is_refused_with_file_line_column_and_expectation(self):
        cases = [
            ("", "1: expected the time, seconds since midnight with up to 9 decimals; found the end of the line"),
            ("noon,1,77,10,1000000,1", "1: expected the time, seconds since midnight"),
            ("34200.,1,77,10,1000000,1", "1: expected the time, seconds"),
            ("34200.1234567890,1,77,10,1000000,1", "1: expected the time, seconds"),
            ("86400,1,77,10,1000000,1", "1: expected the time, seconds"),
            ("1.5,1,77,10,1000000,1", "1: expected a time that is not before the row above; found '1.5'"),
            ("35999,6,77,10,1000000,1", "7: expected the type, a whole number from 1 to 5; found '6'"),
            ("35999,one,77,10,1000000,1", "7: expected the type"),
            ("35999,1,0,10,1000000,1", "9: expected the order id, a whole number from 1 to"),
            ("35999,1,99999999999999999999,10,1000000,1", "9: expected the order id"),
            ("35999,1,77,0,1000000,1", "12: expected the size, a whole number from 1 to 2147483647; found '0'"),
            ("35999,1,77,-5,1000000,1", "12: expected the size"),
            ("35999,1,77,1e3,1000000,1", "12: expected the size"),
            ("35999,1,77,10,,1", "15: expected the price, a whole number from 1 to 1000000000000; found an empty field"),
            ("35999,1,77,10,100.5,1", "15: expected the price"),
            ("35999,1,77,10,1000000,0", "23: expected the side, 1 (buy) or -1 (sell); found '0'"),
            ("35999,1,77,10,1000000,2", "23: expected the side"),
            ("35999,1,77,10,1000000", "22: expected the side, a further field; found the end of the line"),
            ("35999,1,77,10,1000000,1,9", "25: expected the end of the line; found '9'"),
            ("35999,1,77,10,1000000,1 ", "23: expected the side"),
            ("35999,1,77,10,1000000,1,", "25: expected the end of the line; found an empty field"),
        ]
        self.messages[4] = "35999" + self.messages[4][self.messages[4].index(","):]
        self.messages[6:] = []
        for malformed, complaint in cases:
            self.messages[5] = malformed
            done = self.replay()
            with self.subTest(row=malformed):
                self.assert_refused(done, f"message.csv:6:{complaint}")
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                self.assertEqual(list(pathlib.Path(self.folder).glob("market-*")), [])  # no log was made

    def test_every_kind_of_malformed_book_row_is_refused(self):
        for malformed, complaint in (
                ("1000100,60,1000000", "19: expected the size of the best bid, a further field"),
                ("1000100,x,1000000,5", "9: expected the size of the best ask"),
                ("1000100,60,1000000,-1", "20: expected the size of the best bid"),
                ("ask,60,1000000,5", "1: expected the best ask"),
                ("1000100,60,1000000,5,5", "22: expected the end of the line; found '5'")):
            self.book[2] = malformed
            with self.subTest(row=malformed):
                self.assert_refused(self.replay(), f"orderbook.csv:3:{complaint}")


class RealDayTest(ProgramTest):
    variable = "MARKET"

    def setUp(self):
        super().setUp()
        if not (REAL_DAY / "message.csv").is_file():
            self.skipTest(f"no market data in {REAL_DAY}; name a folder with PAWL_MARKET_DATA")
        self.day = ("--messages", REAL_DAY / "message.csv", "--book", REAL_DAY / "orderbook.csv")

    def test_the_real_day_matches_in_every_row_and_fact(self):
        found = self.run_json(*self.day)
        self.assertEqual({name: found.get(name) for name in REAL_DAY_FACTS}, REAL_DAY_FACTS)

    def test_one_altered_row_of_the_real_day_is_reported(self):
        with open(REAL_DAY / "orderbook.csv", encoding="ascii") as file:
            rows = list(csv.reader(file))
        rows[40_000][1] = str(int(rows[40_000][1]) + 1)
        altered = pathlib.Path(self.folder, "altered.csv")
        altered.write_text("".join(",".join(row) + "\n" for row in rows), encoding="ascii")
        done = self.run_program(*self.day[:3], altered)
        self.assertEqual(done.returncode, 1)
        self.assertIn("altered.csv:40001: expected ask ", done.stderr)


if __name__ == "__main__":
    run = unittest.main(exit=False, verbosity=2)
    if run.result.skipped and len(run.result.skipped) == run.result.testsRun:
        print("SKIPPED:", run.result.skipped[0][1], file=sys.stderr)
        sys.exit(SKIPPED)
    sys.exit(0 if run.result.wasSuccessful() else 1)
