# SPDX-License-Identifier: Apache-2.0
"""What people see, and what was found to be so or not."""
import re
import textwrap


class Stage:
    def __init__(self, colour, suite):
        self.colour, self.suite = colour, suite
        self.failed, self.checks, self.scenes = [], 0, 0

    def paint(self, style, text):
        return f"\x1b[{style}m{text}\x1b[0m" if self.colour else text

    def say(self, text="", indent=4):
        print(textwrap.indent(text, " " * indent), flush=True)

    def output(self, text, indent=4):
        """What a program said, if anything."""
        if text.strip():
            self.say(text.rstrip("\n"), indent)

    def scene(self, heading):
        self.scenes += 1
        self.say()
        self.say(self.paint("1", f"{self.scenes}. {heading}"), 0)

    def command(self, text):
        self.say(self.paint("36", "$ " + text), 2)

    def note(self, text, indent=4):
        self.say(self.paint("2", text), indent)

    def check(self, claim, good, found=""):
        """In a demonstration only what is not so is said; as a suite, a line each."""
        name = "demo_" + re.sub(r"[^a-z0-9]+", "_", claim.lower()).strip("_")
        found = re.sub(r"\s*\n\s*", " | ", str(found))
        self.checks += 1
        if not good:
            self.failed.append(claim)
        if self.suite:
            print(f"ok {name}" if good else f"not ok {name}: {found}", flush=True)
        elif not good:
            self.say(self.paint("31;1", f"NOT SO: {claim}") + f" ({found[:600]})", 2)
        return good
