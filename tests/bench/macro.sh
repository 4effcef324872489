#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The whole workloads, on the guest's root disk: unpack, search, compile, start programs, keep versions. Their input is made of what the disk
# holds, before anything is measured. untar and grep use busybox, as the survey did whose goals stand beside them; gnu-tar and gnu-grep do the
# same with what a host has.
in=/tmp/ws/in
mkdir -p $in/tree $in/py
cp /run/vm/busybox /t/
cd /usr/lib/python3.11 || exit 1
find . -name '*.py' -type f -size -20k | grep -v -e test -e config- | sort | head -n 200 >/tmp/files
for copy in 0 1 2 3 4 5 6 7 8 9; do
	mkdir $in/tree/$copy
	tar -cf - -T /tmp/files | tar -xf - -C $in/tree/$copy
done
tar -C $in -cf $in/all.tar tree
tar -C $in -cf $in/some.tar tree/0
find . -maxdepth 1 -name '[a-c]*.py' -type f -size -20k | sort | head -n 12 | xargs cp -t $in/py
# What git would find anew each time: whose, when, and files younger than its index.
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
export GIT_AUTHOR_DATE='2026-01-01T00:00:00Z' GIT_COMMITTER_DATE='2026-01-01T00:00:00Z'
cd /t || exit 1
# shellcheck disable=SC2016 # for the shells that run them
exec ./macro_bench \
	untar 'cd work && /t/busybox tar -xf ../in/all.tar' \
	grep '/t/busybox find in/tree -name "*.py" >/dev/null; /t/busybox grep -rl import in/tree' \
	gnu-tar 'cd work && tar -xf ../in/some.tar' \
	gnu-grep 'find in/tree/0 -name "*.py" >/dev/null; grep -rl import in/tree/0' \
	compile 'cp -rp in/py work/py && python3 -I -m compileall -q work/py' \
	execs 'i=0; while [ $i -lt 200 ]; do /t/nothing_tool; i=$((i + 1)); done' \
	git 'cp -rp in/py work/py && cd work/py && git init -q . && git add . && git commit -q -m one && git status && git log'
