/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp floor as the engine deals in it: built once, handed to whoever starts a command. Where it cannot be built, nothing starts in enforce
 * but what was made with --allow-degraded: a sandbox that lacks it would be open to calls that no program of ours sees.
 */
#include <stdio.h>
#include "engine/engine.h"
#include "sandbox/seccomp.h"

int floor_build(struct engine *e)
{
	int err = e->floor.len ? 0 : seccomp_floor_build(&e->floor);

	if (err)
		buf_reset(&e->floor);
	return err;
}

static bool floor_wanted(const struct session *s)
{
	return s->enforced && s->stage == STAGE_ENFORCE;
}

int floor_get(struct engine *e, const struct session *s, const struct buf **out)
{
	int err = floor_wanted(s) ? floor_build(e) : 0;

	if (err && !s->allow_degraded)
		return err;
	*out = floor_wanted(s) && !err ? &e->floor : NULL;
	return 0;
}

bool floor_permits(struct engine *e, enum stage stage, char why[ENGINE_WHY])
{
	int err = e->enforcing && stage == STAGE_ENFORCE ? floor_build(e) : 0;

	if (err)
		snprintf(why, ENGINE_WHY, "the seccomp floor cannot be built here (%s), so nothing would refuse the calls that no hook sees; "
			"it takes libseccomp 2.5 or later on x86-64; --allow-degraded starts it without", strerror(-err));
	return !err;
}

const char *floor_word(struct engine *e, const struct session *s)
{
	if (!floor_wanted(s))
		return "off";
	if (!floor_build(e))
		return "on";
	return s->allow_degraded ? "OFF (--allow-degraded)" : "cannot be built: no further command starts";
}

const char *floor_missing(struct engine *e, const struct session *s)
{
	if (s && !floor_wanted(s))
		return "the floor is set in stage enforce alone";
	return floor_build(e) ? "the floor cannot be built here: nothing starts in enforce without --allow-degraded" : NULL;
}

struct coverage_row floor_row(const struct coverage_row *r, int err)
{
	struct coverage_row out = *r;

	if (!err || strcmp(r->name, "seccomp"))
		return out;
	out.state = COVERAGE_MISSING;
	snprintf(out.how, sizeof(out.how), "the floor cannot be built (%s): nothing starts in enforce without --allow-degraded", strerror(-err));
	snprintf(out.change, sizeof(out.change), "libseccomp 2.5 or later, on x86-64");
	return out;
}
