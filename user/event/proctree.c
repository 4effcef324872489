/* SPDX-License-Identifier: Apache-2.0 */
/* A fixed pool of processes, hashed by (tgid, start), on two lists in order of use: living and ended. */
#include "event/proctree.h"

#define NONE UINT32_MAX
#define BYTES_EACH 256		/* of programs, on average; more makes the oldest go earlier */
#define PATH_KEPT 1024
#define COMMAND_LINE_KEPT 512

struct list {
	uint32_t newest, oldest;
};

struct proctree {
	struct proc *pool;
	uint32_t *buckets;
	uint32_t max, used, mask;
	uint32_t count;
	uint32_t free;			/* by chain */
	struct list living, ended;
	size_t bytes;
};

int proctree_new(size_t max, struct proctree **out)
{
	struct proctree *t = calloc(1, sizeof(*t));
	uint32_t buckets = 16;

	if (!t || !max || max > 1u << 24) {
		free(t);
		return t ? -EINVAL : -ENOMEM;
	}
	while (buckets < max)
		buckets *= 2;
	t->pool = calloc(max, sizeof(*t->pool));
	t->buckets = malloc(buckets * sizeof(*t->buckets));
	if (!t->pool || !t->buckets) {
		proctree_free(t);
		return -ENOMEM;
	}
	memset(t->buckets, 0xff, buckets * sizeof(*t->buckets));
	t->max = max;
	t->mask = buckets - 1;
	t->free = NONE;
	t->living = t->ended = (struct list){ NONE, NONE };
	*out = t;
	return 0;
}

static size_t program_bytes(const struct program *g)
{
	return sizeof(*g) + g->path_len + g->command_line_len;
}

static void program_put(struct proctree *t, struct program *g)
{
	if (!g || --g->refs)
		return;
	t->bytes -= program_bytes(g);
	free(g);
}

void proctree_free(struct proctree *t)
{
	if (!t)
		return;
	for (uint32_t i = 0; t->pool && i < t->used; i++)
		program_put(t, t->pool[i].program);
	free(t->pool);
	free(t->buckets);
	free(t);
}

static uint32_t *bucket(struct proctree *t, uint32_t tgid, uint64_t start_ns)
{
	uint64_t h = (start_ns ^ (uint64_t)tgid << 32) * 0x9e3779b97f4a7c15ull;

	return &t->buckets[(h >> 32) & t->mask];
}

static struct list *list_of(struct proctree *t, const struct proc *p)
{
	return p->ended ? &t->ended : &t->living;
}

static void list_take(struct proctree *t, struct proc *p)
{
	struct list *l = list_of(t, p);

	if (p->newer != NONE)
		t->pool[p->newer].older = p->older;
	else
		l->newest = p->older;
	if (p->older != NONE)
		t->pool[p->older].newer = p->newer;
	else
		l->oldest = p->newer;
}

static void list_put(struct proctree *t, struct proc *p)
{
	struct list *l = list_of(t, p);
	uint32_t i = p - t->pool;

	p->newer = NONE;
	p->older = l->newest;
	if (l->newest != NONE)
		t->pool[l->newest].newer = i;
	else
		l->oldest = i;
	l->newest = i;
}

static void list_touch(struct proctree *t, struct proc *p)
{
	if (p->newer == NONE)
		return;
	list_take(t, p);
	list_put(t, p);
}

struct proc *proctree_find(struct proctree *t, uint32_t tgid, uint64_t start_ns)
{
	for (uint32_t i = *bucket(t, tgid, start_ns); i != NONE; i = t->pool[i].chain) {
		struct proc *p = &t->pool[i];

		if (p->tgid == tgid && p->start_ns == start_ns)
			return p;
	}
	return NULL;
}

static void forget(struct proctree *t, struct proc *p)
{
	uint32_t i = p - t->pool, *at = bucket(t, p->tgid, p->start_ns);

	while (*at != i)
		at = &t->pool[*at].chain;
	*at = p->chain;
	list_take(t, p);
	program_put(t, p->program);
	p->program = NULL;
	p->chain = t->free;
	t->free = i;
	t->count--;
}

/* Ended ones first, of each kind the one unused for longest. `keep` is in use by the caller. */
static bool forget_one(struct proctree *t, const struct proc *keep)
{
	uint32_t candidates[] = { t->ended.oldest, t->living.oldest };

	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
		if (candidates[i] != NONE && &t->pool[candidates[i]] != keep) {
			forget(t, &t->pool[candidates[i]]);
			return true;
		}
	}
	return false;
}

static struct proc *take_free(struct proctree *t)
{
	struct proc *p;

	if (t->free == NONE && t->used < t->max)
		return &t->pool[t->used++];
	if (t->free == NONE)
		forget_one(t, NULL);
	p = &t->pool[t->free];
	t->free = p->chain;
	return p;
}

struct proc *proctree_parent(struct proctree *t, const struct proc *p)
{
	return proctree_find(t, p->parent_tgid, p->parent_start_ns);
}

/* A process that is first seen without an exec still runs what its parent ran at the fork; the name, which a fork copies, must agree. */
static void inherit(struct proctree *t, struct proc *p)
{
	struct proc *parent = proctree_parent(t, p);

	if (!parent || parent == p || !parent->program || strcmp(parent->comm, p->comm))
		return;
	p->program = parent->program;
	p->program->refs++;
}

static struct proc *proc_new(struct proctree *t, const struct rec_head *h)
{
	struct proc *p = take_free(t);
	uint32_t *b = bucket(t, h->tgid, h->start_ns);

	*p = (struct proc){
		.tgid = h->tgid, .start_ns = h->start_ns, .parent_tgid = h->parent_tgid, .parent_start_ns = h->parent_start_ns, .chain = *b,
	};
	memcpy(p->comm, h->comm, sizeof(h->comm));
	*b = p - t->pool;
	list_put(t, p);
	t->count++;
	inherit(t, p);
	return p;
}

struct proc *proctree_see(struct proctree *t, const struct rec_head *h)
{
	struct proc *p = proctree_find(t, h->tgid, h->start_ns);

	if (!p)
		return proc_new(t, h);
	list_touch(t, p);
	if (h->pid == h->tgid)	/* other threads have names of their own */
		memcpy(p->comm, h->comm, sizeof(h->comm));
	return p;
}

int proctree_exec(struct proctree *t, struct proc *p, const char *path, size_t path_len, const char *command_line, size_t command_line_len)
{
	struct program *g;

	path_len = path_len < PATH_KEPT ? path_len : PATH_KEPT;
	command_line_len = command_line_len < COMMAND_LINE_KEPT ? command_line_len : COMMAND_LINE_KEPT;
	program_put(t, p->program);
	p->program = NULL;
	g = malloc(sizeof(*g) + path_len + command_line_len);
	if (!g)
		return -ENOMEM;
	*g = (struct program){ .refs = 1, .path_len = path_len, .command_line_len = command_line_len };
	if (path_len)
		memcpy(g->bytes, path, path_len);
	if (command_line_len)
		memcpy(g->bytes + path_len, command_line, command_line_len);
	p->program = g;
	t->bytes += program_bytes(g);
	while (t->bytes > (size_t)t->max * BYTES_EACH && forget_one(t, p))
		;
	return 0;
}

void proctree_exit(struct proctree *t, struct proc *p)
{
	list_take(t, p);
	p->ended = true;
	list_put(t, p);
}

size_t proctree_count(const struct proctree *t)
{
	return t->count;
}

size_t proctree_bytes(const struct proctree *t)
{
	return t->bytes;
}
