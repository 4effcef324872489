/* SPDX-License-Identifier: Apache-2.0 */
/* `bailiff policy check` of a binding: the same command, since it is the same question. */
#include "base/file.h"
#include "cli/cli.h"
#include "cli/policy.h"
#include "policy/binding.h"

bool policy_binding_check(const char *file, struct diags *diags, int *code)
{
	struct binding *b = NULL;
	_free_ char *text = NULL;
	size_t len;

	if (file_slurp(file, POLICY_BYTES, &text, &len) || !binding_is(text, len))
		return false;
	*code = binding_load(text, len, file, &b, diags) ? CLI_FAILED : CLI_OK;
	binding_free(b);
	return true;
}
