/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes that several tables of keys share. */
#include "policy/model.h"

const struct shape shape_text = { .kind = SHAPE_TEXT, .pattern = "[\\s\\S]", .number = true };
const struct shape shape_path = { .kind = SHAPE_TEXT, .name = "path", .pattern = "^(/|\\*\\*(/|$)|\\$[a-z0-9_]+(/|$))" };
const struct shape shape_paths = { .kind = SHAPE_SOME, .name = "paths", .of = &shape_path };
const struct shape shape_name = { .kind = SHAPE_TEXT, .pattern = "^[a-z0-9._-]{1,64}$", .number = true };
const struct shape shape_amount = { .kind = SHAPE_TEXT, .pattern = "^[0-9]+(\\.[0-9]{1,3})?[A-Za-z]?(/s)?$", .number = true };
static const char *const version_words[] = { "1", NULL };
const struct shape shape_version = { .kind = SHAPE_WORD, .words = version_words, .number = true };
