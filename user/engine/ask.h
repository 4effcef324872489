/* SPDX-License-Identifier: Apache-2.0 */
/* What create and reload are asked, read from a message; and what both answer and record. */
#ifndef ENGINE_ASK_H
#define ENGINE_ASK_H

#include "engine/engine.h"

#define ASK_PARAMS_MAX 256

struct create_ask {
	struct generation_ask policy;
	char *params[ASK_PARAMS_MAX];	/* into the message */
	const char *name;
	enum stage stage;
	bool allow_degraded, held, while_fd;
	uint64_t deadline_ms;		/* from the moment it is made; 0: none */
};

int ask_policy(struct engine *e, const struct kv *m, struct create_ask *a, char why[ENGINE_WHY]);	/* what reload has too */
int ask_read(struct engine *e, const struct kv *m, struct create_ask *a, char why[ENGINE_WHY]);
void ask_refuse(struct engine *e, const struct server_request *q, int err, const char *text, const struct diags *diags);
void ask_tell_policy(struct engine *e, struct session *s, enum event_notice_kind kind, const char *actor);

#endif
