/* SPDX-License-Identifier: Apache-2.0 */
/* Presets that would cover much of what a policy lacks: a reviewed rule is better than a learned one. */
#include "policy/learn_parts.h"

#define THINGS_LEAST 5	/* that a preset has to cover to be named */

/* NULL: it cannot be asked without parameters of its own. */
static struct policy *preset_load(const char *name)
{
	_buf_ struct buf text = {};
	struct policy_source source = { .file = "preset", .only_check = true };
	struct policy *p = NULL;
	struct diags d = {};

	buf_addf(&text, "version: 1\npolicy: preset\nuses: [%s]\n", name);
	source.text = text.data;
	source.len = text.len;
	if (!text.err)
		(void)policy_load(&source, &p, &d);
	diags_done(&d);
	return p;
}

static bool place_covered(const struct place *p, const struct policy *preset)
{
	for (unsigned verb = 0; verb < VERB_PATH_COUNT; verb++) {
		struct policy_action a = { .verb = verb, .path = p->path, .path_len = p->len };
		struct policy_verdict v;

		if (p->wanted & 1u << verb && (policy_eval(preset, &a, &v) || !v.allowed))
			return false;
	}
	return p->wanted;
}

static bool peer_covered(const struct peer *p, const struct policy *preset)
{
	struct policy_action a = { .verb = p->listens ? VERB_LISTEN : VERB_CONNECT, .port = p->port, .proto = p->proto };
	struct policy_verdict v;

	memcpy(a.addr, p->addr, sizeof(a.addr));
	return p->wanted && !policy_eval(preset, &a, &v) && v.allowed;
}

static void preset_try(const struct learn *l, const char *name, const char *prefix, struct buf *out)
{
	struct policy *preset = preset_load(name);
	size_t covered = 0, wanted = 0;

	if (!preset)
		return;
	for (size_t i = 0; i < l->place_count; i++) {
		wanted += l->places[i].wanted != 0;
		covered += place_covered(&l->places[i], preset);
	}
	for (size_t i = 0; i < l->peer_count; i++) {
		wanted += l->peers[i].wanted;
		covered += peer_covered(&l->peers[i], preset);
	}
	if (covered >= THINGS_LEAST)
		buf_addf(out, "%sthe preset %s allows %zu of the %zu things learned: with it in \"uses:\" they need no rule\n", prefix, name, covered, wanted);
	policy_free(preset);
}

void learn_presets(const struct learn *l, const char *prefix, struct buf *out)
{
	_free_ char *names = strdup(policy_preset(NULL));
	char *at = NULL;

	for (char *name = names ? strtok_r(names, "\n", &at) : NULL; name; name = strtok_r(NULL, "\n", &at))
		preset_try(l, name, prefix, out);
}
