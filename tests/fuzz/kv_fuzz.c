/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a control message: what parses, is written again to the same bytes. */
#include "base/kv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_buf_ struct buf b = {};
	struct kv m = {};
	bool nul_key = false;
	uint64_t v;

	if (kv_parse(data, size, &m))
		return 0;
	kv_begin(&b);
	for (size_t i = 0; i < m.count; i++) {
		_free_ char *key = strndup(m.pairs[i].key, m.pairs[i].key_len);

		if (!key || m.pairs[i].value[m.pairs[i].value_len])
			abort();
		nul_key |= strlen(key) != m.pairs[i].key_len;
		kv_add(&b, key, m.pairs[i].value, m.pairs[i].value_len);
		(void)kv_get(&m, key);
		(void)kv_get_u64(&m, key, &v);
	}
	if (kv_end(&b) || (!nul_key && (b.len != size || memcmp(b.data, data, size))))
		abort();
	kv_done(&m);
	return 0;
}
