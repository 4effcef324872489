/* SPDX-License-Identifier: Apache-2.0 */
/* events-doc: print docs/events.md. Run by `make docs`; a test checks that the file in the tree is what this prints. */
#include "event/fields.h"
#include <stdio.h>

int main(void)
{
	_buf_ struct buf out = {};

	fields_document(&out);
	return out.err || fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) ? 1 : 0;
}
