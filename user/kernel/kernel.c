/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and adopting. A complete set of pins of our ABI version is adopted as it is: enforcement never pauses. Anything else is loaded
 * anew, and only while no sandbox lives; a broken set with living sandboxes is for a person to look at.
 */
#include <stdio.h>
#include <time.h>
#include "base/base.h"
#include "kernel/internal.h"

void kernel_close(struct kernel *k)
{
	size_t i;

	if (!k)
		return;
	rings_close(k);
	programs_free(k);
	if (k->host && k->host->engine_tgid == (uint32_t)getpid())
		k->host->engine_tgid = 0;
	publish_close(k);
	for (i = 0; i < MAP_COUNT; i++)
		if (k->maps[i] >= 0)
			close(k->maps[i]);
	free(k);
}

static void kernel_close_p(struct kernel **k)
{
	kernel_close(*k);
}

static struct kernel *kernel_alloc(const struct kernel_options *o)
{
	struct kernel *k = calloc(1, sizeof(*k));
	size_t i;

	if (!k)
		return NULL;
	k->options = *o;
	k->grace_inner = k->grace_outer = -1;
	for (i = 0; i < MAP_COUNT; i++)
		k->maps[i] = -1;
	snprintf(k->pin_dir, sizeof(k->pin_dir), "%s", o->pin_dir);
	return k;
}

static void close_maps(struct kernel *k)
{
	size_t i;

	publish_close(k);
	k->arena = NULL, k->slots = NULL, k->sandboxes = NULL, k->counters = NULL, k->host = NULL, k->whys = NULL, k->parting = NULL;
	k->grace_inner = k->grace_outer = -1;
	for (i = 0; i < MAP_COUNT; i++) {
		if (k->maps[i] >= 0)
			close(k->maps[i]);
		k->maps[i] = -1;
	}
}

/* What an earlier engine left: 0 adopted, -ENOENT nothing worth keeping, -EUCLEAN broken with living sandboxes. */
static int adopt(struct kernel *k, struct kernel_adoption *found, char why[256])
{
	size_t links = pins_count_links(k->pin_dir), living;
	int err = pins_open_maps(k);

	if (!err)
		err = publish_open(k);
	if (err) {
		close_maps(k);
		if (!links)
			return -ENOENT;
		snprintf(why, 256, "%zu program%s attached but not all maps are there (%s): if no sandbox is needed, remove %.100s", links,
			 links == 1 ? " is" : "s are", strerror(-err), k->pin_dir);
		return -EUCLEAN;
	}
	living = publish_living(k);
	if (k->host->abi_version == BAILIFF_ABI_VERSION && living && links && links == k->host->programs) {
		err = publish_take_over(k);
		if (err)
			return err;
		found->adopted = k->adopted = k->attached = true;
		found->beat_ns = k->host->engine_beat_ns;
		found->sandboxes = living;
		return 0;
	}
	if (living && k->host->abi_version == BAILIFF_ABI_VERSION) {
		snprintf(why, 256, "sandboxes live (%zu) but only %zu of %u programs are attached: their enforcement is broken", living, links,
			 k->host->programs);
		return -EUCLEAN;
	}
	if (living) {
		snprintf(why, 256, "sandboxes live (%zu) under ABI version %u, this engine has %u: let them end first", living, k->host->abi_version,
			 BAILIFF_ABI_VERSION);
		return -EUCLEAN;
	}
	close_maps(k);
	return -ENOENT;
}

static int load_anew(struct kernel *k, char why[256])
{
	int err = pins_remove(k->pin_dir);

	if (!err)
		err = programs_load(k, why);
	if (!err)
		err = pins_open_maps(k);
	if (!err)
		err = publish_open(k);
	if (err) {
		if (!why[0])
			snprintf(why, 256, "cannot set up %.150s: %s", k->pin_dir, strerror(-err));
		return err;
	}
	k->host->abi_version = BAILIFF_ABI_VERSION;
	k->host->programs = 0;
	return 0;
}

int kernel_open(const struct kernel_options *o, struct kernel **out, struct kernel_adoption *found, char why[256])
{
	_cleanup_(kernel_close_p) struct kernel *k = kernel_alloc(o);
	int err;

	why[0] = 0;
	*found = (struct kernel_adoption){};
	if (!k)
		return -ENOMEM;
	err = pins_dir(k->pin_dir, why);
	if (!err)
		err = adopt(k, found, why);
	if (err == -ENOENT)
		err = load_anew(k, why);
	if (!err)
		err = rings_open(k);
	if (err)
		return err;
	k->host->engine_tgid = getpid();
	k->why_err = why_open(k);
	*out = steal(&k);
	return 0;
}

int kernel_attach(struct kernel *k, char why[256])
{
	int err;

	why[0] = 0;
	if (k->attached)
		return 0;
	if (!k->loaded) {
		err = programs_load(k, why);
		if (err)
			return err;
	}
	err = programs_attach(k, why);
	if (!err)
		k->attached = true;
	return err;
}

int kernel_detach(struct kernel *k)
{
	if (publish_living(k))
		return -EBUSY;
	k->attached = false;
	return programs_detach(k);
}

void kernel_beat(struct kernel *k)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	__atomic_store_n(&k->host->engine_beat_ns, t.tv_sec * 1000000000ull + t.tv_nsec, __ATOMIC_RELAXED);
}
