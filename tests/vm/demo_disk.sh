#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make demo` shows, each of its claims as a test. vm: --cpus 2 --timeout 900
# with: scripts/demo.d docs/examples/coding-agent.yaml tests/e2e/hec_receiver.py
exec python3 demo.d/show --suite --guest --root /demo --policy coding-agent.yaml --receiver hec_receiver.py
