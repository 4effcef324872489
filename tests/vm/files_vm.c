/* SPDX-License-Identifier: Apache-2.0 */
/* Every call that reads, changes, creates, removes or executes needs exactly the verbs that the language says. vm: --cpus 1 */
#include "tests/vm/acts.h"

static void prepare(const char *dir)
{
	mkdir("/tmp/verbs", 0755);
	fill(dir);
}

static const struct place plain = { "/tmp/verbs", prepare };

#define A(id, verbs, op, leaf, call) \
	TEST(id##_needs_exactly_its_verbs) \
	{ \
		static const struct act act = { #id, act_##id, verbs, ACT_##op, leaf }; \
		check_act(&plain, &act); \
	}
ACTS(A)
PLAIN_ACTS(A)
#undef A

TEST_MAIN()
