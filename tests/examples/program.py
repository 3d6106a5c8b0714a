"""Runs an example as its user would, for the tests beside this file."""

import json
import os
import subprocess
import tempfile
import unittest


class ProgramTest(unittest.TestCase):
    """Tests of one program, named by the environment; each has a folder of its own, removed afterwards."""

    variable = ""  # the environment variable that names the program

    def setUp(self):
        self.program = os.environ[self.variable]
        folder = tempfile.TemporaryDirectory(prefix="pawl-example-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def run_program(self, *arguments):
        """Temporary logs go into the test's own folder."""
        return subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True, timeout=240,
                              check=False, env={**os.environ, "TMPDIR": self.folder})

    def run_json(self, *arguments, status=0):
        """The one object on standard output."""
        done = self.run_program(*arguments, "--json")
        self.assertEqual(done.returncode, status, done.stderr)
        return json.loads(done.stdout)

    def assert_refused(self, done, message, status=2):
        """One message, nothing on standard output."""
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(message, done.stderr)
        self.assertEqual(done.stdout, "")
