/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a binding: one that can be resolved, or findings that say where and what. */
#include "policy/binding.h"
#include "findings.h"

static void whole(const struct binding *b)
{
	if (!b->name || !b->name[0] || strlen(b->name) > 64 || !b->policy || !b->policy[0] || !b->match_count || b->stage >= BINDING_STAGES ||
	    b->priority > 9999 || (b->digest && strlen(b->digest) != strlen("sha256:") + 64))
		abort();
	for (size_t i = 0; i < b->grant_count; i++) {
		if (!b->grants[i].rule || !b->grants[i].rule[0] || !b->grants[i].by_count)
			abort();
	}
	for (size_t i = 0; i < b->param_count; i++) {
		if (!b->params[i].name || !b->params[i].value)
			abort();
	}
}

/* Nothing that is known matches nothing; a rival of the same text is never guessed away. */
static void resolve(const struct binding *b)
{
	static const struct binding_pair labels[] = { { (char *)"app", (char *)"coder" }, { (char *)"tier", (char *)"2" } };
	const struct binding_facts facts = { .image = "registry.example.com/coder:1", .unit = "agent@1.service", .cgroup = "/sys/fs/cgroup/agents/a",
					     .user = "1000", .namespace = "agents", .labels = labels, .label_count = ARRAY_SIZE(labels) };
	const struct binding *twice[] = { b, b }, *found = NULL;
	const struct binding_facts nothing = {};
	char why[200] = "";
	int err = binding_resolve(twice, 1, &facts, &found, why);

	if (err ? err != -ENOENT || found || !why[0] : found != b)
		abort();
	if (binding_resolve(twice, 2, &facts, &found, why) != (err ? err : -ENOTUNIQ))
		abort();
	if (binding_resolve(twice, 1, &nothing, &found, why) != -ENOENT)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct binding *b = NULL;
	struct diags d = {};
	int err = binding_load(text, size, "fuzz.yaml", &b, &d);

	if (err ? err != -EINVAL || !d.errors || b : d.errors || !binding_is(text, size))
		abort();
	if (!err) {
		whole(b);
		resolve(b);
	}
	(void)binding_is(text, size);
	findings_show(&d);
	binding_free(b);
	diags_done(&d);
	return 0;
}
