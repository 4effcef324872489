#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A short `make soak` on this machine, so that it holds and what it claims holds."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(HERE, "../../build")))
os.environ["PATH"] = BUILD + ":" + os.environ["PATH"]
os.execv(sys.executable, [sys.executable, os.path.join(HERE, "../soak/soak.py"), "--seconds", "15"])
