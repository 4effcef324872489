# SPDX-License-Identifier: Apache-2.0
"""Two that go on while the scenes change: the agent, governed by `bailiff run`, and an operator who watches `bailiff tail -f`."""
import re
import subprocess
import threading
import time

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def plain(line):
    return ANSI.sub("", line)


class Gone(Exception):
    """The agent is."""


class Agent:
    """Takes a command as a tool call a line."""

    def __init__(self, world, options):
        self.process = subprocess.Popen(["bailiff", "run", *options, "--", "bash", "agent"], cwd=world.work, env=world.environment, text=True,
                                        errors="replace", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.first_line = self.process.stderr.readline().rstrip("\n")

    def call(self, command):
        """Its output and exit code."""
        output = ""
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Gone(self.process.stderr.read()) from None
        for line in self.process.stdout:
            before, mark, code = line.partition("\x1e")
            output += before
            if mark:
                return output, int(code)
        raise Gone(output + self.process.stderr.read())

    def end(self, patience):
        """What `run` says at last, and its exit code."""
        self.process.stdin.close()
        return self.process.stderr.read(), self.process.wait(patience)


class Tail:
    def __init__(self, world, name, colour):
        self.process = subprocess.Popen(["bailiff", "tail", "-f", "--sandbox", name, "--color", "always" if colour else "never"],
                                        env=world.environment, stdout=subprocess.PIPE, text=True)
        self.lines, self.taken, self.news = [], 0, threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            with self.news:
                self.lines.append(line.rstrip("\n"))
                self.news.notify()

    def refusals(self, by, patience):
        """The lines of refusals that came since the last call, once one by this rule is among them (by: None does not wait)."""
        end = time.monotonic() + patience
        with self.news:
            while True:
                new = [line for line in self.lines[self.taken:] if re.match(r"\S+ \S+ refused:", plain(line))]
                if not by or any(f"  {by} " in plain(line) + " " for line in new) or not self.news.wait(max(0, end - time.monotonic())):
                    self.taken = len(self.lines)
                    return new

    def close(self):
        self.process.terminate()
        self.process.wait()
