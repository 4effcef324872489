/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what a receiver answers: two bytes make the status, the third says whether it is to confirm, the rest is the body. Only HEC's own
 * JSON may be taken for success, and nothing else may end in passing an event over. The body also serves as an event to be cut.
 */
#include <jansson.h>
#include "base/http.h"
#include "sink/hec.h"

static void check_answer(struct http_reply *r)
{
	const struct hec_meaning *m;
	struct hec_said said;
	struct sink_answer a;

	hec_understand(r, &said);
	m = hec_meaning(&said);
	hec_answer(&said, m, &a);
	if (a.verdict == SINK_DONE && (said.status != 200 || said.code < 0))
		abort();
	if (a.verdict == SINK_SMALLER && said.code < 0)
		abort();
	for (const char *c = a.why; *c; c++) {
		if (*c < 0x20 || *c > 0x7e)
			abort();	/* it goes into logs */
	}
}

static void check_cut(const char *line, size_t n)
{
	_buf_ struct buf out = {};
	size_t limit = n / 2 + 64;
	json_t *j;

	if (event_cut(line, n, limit, &out))
		abort();
	j = json_loadb(out.data, out.len, 0, NULL);
	if (!json_is_true(json_object_get(json_object_get(j, "unmapped"), "truncated")) || (out.len > limit && out.len > 400))
		abort();
	json_decref(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sink_ticket tickets[3] = { { .id = 0 }, { .id = 1 }, { .id = UINT64_MAX } };
	struct http_reply r = { .retry_after_ms = -1 };
	bool confirmed[3];

	if (size < 3)
		return 0;
	r.status = data[0] | data[1] << 8;
	buf_add(&r.body, data + 3, size - 3);
	check_answer(&r);
	if (data[2])
		(void)hec_confirmed(&r, tickets, 3, confirmed);
	check_cut((const char *)data + 3, size - 3);
	http_reply_done(&r);
	return 0;
}
