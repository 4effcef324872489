/* SPDX-License-Identifier: Apache-2.0 */
/* The table of system calls that a policy may name: whole as far as libseccomp knows, in order, and with every call that the language guards. */
#include <seccomp.h>
#include "policy/model.h"
#include "test.h"

static bool known(const char *name)
{
	const char *const *words = call_names;

	while (*words && strcmp(*words, name))
		words++;
	return *words;
}

TEST(every_call_that_libseccomp_knows_may_be_named)
{
	static const uint32_t architectures[] = { SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_AARCH64 };

	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++) {
		for (int nr = 0; nr < 1024; nr++) {
			_free_ char *name = seccomp_syscall_resolve_num_arch(architectures[i], nr);

			CASE("%s", name);
			CHECK(!name || known(name));
		}
	}
	CHECK(known("mseal"));
}

TEST(the_table_is_sorted_and_names_nothing_twice)
{
	size_t resolved = 0;

	for (size_t i = 0; call_names[i]; i++) {
		CASE("%s", call_names[i]);
		CHECK(!i || strcmp(call_names[i - 1], call_names[i]) < 0);
		resolved += seccomp_syscall_resolve_name(call_names[i]) != __NR_SCMP_ERROR;
	}
	CHECK(resolved > 400);
}

TEST(what_the_language_guards_are_calls_that_there_are)
{
	for (size_t i = 0; guarded_call(i); i++) {
		CASE("%s", guarded_call(i));
		CHECK(known(guarded_call(i)));
	}
	CHECK(!known("frobnicate"));
}

TEST_MAIN()
