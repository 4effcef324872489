#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A short `make soak`, so that it holds and what it claims holds. vm: --cpus 2 --timeout 900
# with: tests/soak/soak.py tests/e2e/hec_receiver.py
exec python3 soak.py --seconds 60 --receiver hec_receiver.py
