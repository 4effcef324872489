/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program families: one object each, sharing maps by pin, loaded apart, so that what a kernel refuses is known by name. A hook that
 * this kernel does not have, or has with another number of arguments, is left out before load.
 */
#include <bpf/btf.h>
#include <stdio.h>
#include <sys/stat.h>
#include "base/base.h"
#include "base/log.h"
#include "kernel/internal.h"
#include "file.skel.h"
#include "guard.skel.h"
#include "member.skel.h"
#include "net.skel.h"
#include "observe.skel.h"

/* Skeletons are used for their bytes alone: programs and maps are found by name. */
#define FAMILY_OPEN(family) \
static struct bpf_object *open_##family(const struct bpf_object_open_opts *opts) \
{ \
	size_t size; \
	const void *elf = family##_bpf__elf_bytes(&size); \
\
	return bpf_object__open_mem(elf, size, opts); \
}
FAMILY_OPEN(member)
FAMILY_OPEN(guard)
FAMILY_OPEN(file)
FAMILY_OPEN(net)
FAMILY_OPEN(observe)

const struct family families[] = {
	{ "member", open_member, true, "membership" },
	{ "guard", open_guard, true, "guard" },
	{ "file", open_file, true, "files" },
	{ "net", open_net, true, "network sockets" },
	{ "observe", open_observe, false, "observation" },
};
const size_t family_count = ARRAY_SIZE(families);

static int libbpf_log(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	/* a family that does not load is reported by name; the verifier's log is for BAILIFF_BPF_LOG=1 */
	if (level == LIBBPF_DEBUG || !getenv("BAILIFF_BPF_LOG"))
		return 0;
	return vfprintf(stderr, fmt, ap);
}

void programs_log(void)
{
	libbpf_set_print(libbpf_log);
}

/* How many arguments the kernel's hook has; -1 without it. */
static int hook_args(const struct btf *btf, const char *hook)
{
	const struct btf_type *t;
	char name[128];
	int id;

	snprintf(name, sizeof(name), "bpf_lsm_%s", hook);
	id = btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);
	if (id < 0)
		return -1;
	t = btf__type_by_id(btf, id);
	t = t ? btf__type_by_id(btf, t->type) : NULL;
	return t ? btf_vlen(t) : -1;
}

/* Program names ending in _<digit> are variants for a hook with so many arguments. */
static bool program_fits(const struct btf *btf, const struct bpf_program *p)
{
	const char *section = bpf_program__section_name(p), *name = bpf_program__name(p);
	size_t n = strlen(name);
	int args;

	if (strncmp(section, "lsm/", 4))
		return true;
	args = hook_args(btf, section + 4);
	if (args < 0)
		return false;
	return n < 2 || name[n - 2] != '_' || name[n - 1] < '0' || name[n - 1] > '9' || name[n - 1] - '0' == args;
}

static int size_maps(struct bpf_object *obj, const struct kernel_options *o)
{
	struct bpf_map *map;
	int cpus = libbpf_num_possible_cpus(), err = 0;

	if (cpus < 1 || cpus > 512)
		return -E2BIG;
	bpf_object__for_each_map(map, obj) {
		const char *name = bpf_map__name(map);

		if (!strcmp(name, "scratches"))
			err = bpf_map__set_max_entries(map, 8 * cpus);
		else if (!strcmp(name, "decisions") && o->decision_ring_bytes)
			err = bpf_map__set_max_entries(map, o->decision_ring_bytes);
		else if (!strcmp(name, "telemetry") && o->telemetry_ring_bytes)
			err = bpf_map__set_max_entries(map, o->telemetry_ring_bytes);
		if (err)
			return err;
	}
	return 0;
}

static int place_locks(struct bpf_object *obj)
{
	struct bpf_map *map = bpf_object__find_map_by_name(obj, LOCK_PLACES_MAP);
	struct lock_places places;
	const uint64_t *ksyms;
	int err;

	if (!map)
		return 0;	/* this family walks no paths */
	err = ksyms_get(&ksyms);
	if (err)
		return err;
	places = (struct lock_places){ ksyms[KSYM_RENAME_LOCK], ksyms[KSYM_MOUNT_LOCK] };
	if (!places.rename || !places.mount)
		return -ENXIO;
	return bpf_map__set_initial_value(map, &places, sizeof(places));
}

int family_load(const struct family *f, const char *pin_root, const struct kernel_options *o, struct bpf_object **out)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .pin_root_path = pin_root);
	struct btf *btf = btf__load_vmlinux_btf();
	struct bpf_program *p;
	struct bpf_object *obj;
	struct bpf_map *map;
	int err;

	if (!btf)
		return -errno;
	programs_log();
	obj = f->open(&opts);
	if (!obj) {
		err = -errno;
		btf__free(btf);
		return err;
	}
	bpf_object__for_each_program(p, obj)
		if (!program_fits(btf, p))
			bpf_program__set_autoload(p, false);
	btf__free(btf);
	if (!pin_root)
		bpf_object__for_each_map(map, obj)
			bpf_map__set_pin_path(map, NULL);
	err = size_maps(obj, o);
	if (!err)
		err = place_locks(obj);
	if (!err)
		err = bpf_object__load(obj);
	if (err)
		bpf_object__close(obj);
	else
		*out = obj;
	return err;
}

int programs_load(struct kernel *k, char why[256])
{
	char root[256];
	size_t i;
	int err;

	snprintf(root, sizeof(root), "%s/maps", k->pin_dir);
	for (i = 0; i < family_count; i++) {
		if (families[i].enforcing == k->options.observe_only)
			continue;
		err = family_load(&families[i], root, &k->options, &k->objects[i]);
		if (err) {
			snprintf(why, 256, "this kernel does not take the %s programs: %s (set BAILIFF_BPF_LOG=1 to see why)", families[i].name,
				 strerror(-err));
			programs_free(k);
			return err;
		}
	}
	k->loaded = true;
	return 0;
}

/* Each link under its program's name; a set is complete when the host's state has its size. */
static int attach_one(struct kernel *k, struct bpf_program *p, char why[256])
{
	struct bpf_link *link;
	char path[320];
	int err;

	if (k->link_count == MAX_PROGRAMS)
		return -E2BIG;
	link = bpf_program__attach(p);
	if (!link) {
		err = -errno;
		snprintf(why, 256, "cannot attach %s: %s", bpf_program__name(p), strerror(-err));
		return err;
	}
	k->links[k->link_count++] = link;
	snprintf(path, sizeof(path), "%s/links/%s", k->pin_dir, bpf_program__name(p));
	err = bpf_link__pin(link, path);
	if (err)
		snprintf(why, 256, "cannot pin %.180s: %s", path, strerror(-err));
	return err;
}

int programs_attach(struct kernel *k, char why[256])
{
	struct bpf_program *p;
	size_t i;
	int err;

	for (i = 0; i < family_count; i++) {
		if (!k->objects[i])
			continue;
		bpf_object__for_each_program(p, k->objects[i]) {
			if (!bpf_program__autoload(p))
				continue;
			err = attach_one(k, p, why);
			if (err) {
				(void)programs_detach(k);
				return err;
			}
		}
	}
	k->host->programs = k->link_count;
	return 0;
}

int programs_detach(struct kernel *k)
{
	char path[256];

	k->host->programs = 0;
	while (k->link_count) {
		struct bpf_link *link = k->links[--k->link_count];

		(void)bpf_link__unpin(link);
		bpf_link__destroy(link);
	}
	/* adopted links have no handle here: their pins are all there is */
	snprintf(path, sizeof(path), "%s/links", k->pin_dir);
	return pins_remove(path);
}

void programs_free(struct kernel *k)
{
	size_t i;

	while (k->link_count) {
		struct bpf_link *link = k->links[--k->link_count];

		bpf_link__disconnect(link);	/* pinned: stays in force */
		bpf_link__destroy(link);
	}
	for (i = 0; i < family_count; i++) {
		bpf_object__close(k->objects[i]);
		k->objects[i] = NULL;
	}
	k->loaded = false;
}
