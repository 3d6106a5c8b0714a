#!/usr/bin/env python3
"""README's examples say what README says, compile, and do what they say.

    readme_test.py text README.md SOURCE               the block of README.md is the part marked there, byte for byte
    readme_test.py run PROGRAM                         run twice on one log, its output is as expected
"""

import pathlib
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^<!-- readme-example: (\S+) -->\n```cpp\n(.*?)```\n", re.DOTALL | re.MULTILINE)
MARKED = re.compile(r"^// \[readme\]\n(.*?)^// \[/readme\]\n", re.DOTALL | re.MULTILINE)


def compare_text(readme, source):
    blocks = BLOCK.findall(pathlib.Path(readme).read_text(encoding="utf-8"))
    block = next((text for name, text in blocks if source.endswith("/" + name)), None)
    marked = MARKED.search(pathlib.Path(source).read_text(encoding="utf-8"))
    if not marked:
        return f"{source}: no part between '// [readme]' and '// [/readme]'"
    if not block:
        return f"{readme}: no ```cpp block after '<!-- readme-example: … -->' with the path of {source}"
    shown, compiled = block.splitlines(), marked.group(1).splitlines()
    for number, (left, right) in enumerate(zip(shown + [None], compiled + [None]), 1):
        if left != right:
            return f"line {number} of the example: README.md has {left!r}, {source} has {right!r}"
    return None if block == marked.group(1) else "the blocks differ in their line ends"


def run_twice(program):
    with tempfile.TemporaryDirectory(prefix="pawl-readme-") as folder:
        log = f"{folder}/bank.log"
        for cents in (700, 1400):  # the second run finds what the first one left
            done = subprocess.run([program, log], capture_output=True, text=True, timeout=60, check=False)
            expected = ["deposit: accepted 1, position ", "withdrawal: refused with code 1\n", f"alice has {cents} cents\n"]
            missing = [text for text in expected if text not in done.stdout]
            if done.returncode != 0 or missing:
                return f"exit status {done.returncode}, missing {missing}\n{done.stdout}{done.stderr}"
    return None


def main(arguments):
    complaint = compare_text(*arguments[1:]) if arguments[0] == "text" else run_twice(*arguments[1:])
    if complaint:
        print(complaint, file=sys.stderr)
    return 1 if complaint else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
