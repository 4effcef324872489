/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes that several tables of keys share. */
#include "policy/model.h"

const struct shape shape_text = { .kind = SHAPE_TEXT, .pattern = "[\\s\\S]", .number = true };
const struct shape shape_path = { .kind = SHAPE_TEXT, .name = "path", .pattern = "^(/|\\*\\*(/|$)|\\$[a-z0-9_]+(/|$))" };
const struct shape shape_paths = { .kind = SHAPE_SOME, .name = "paths", .of = &shape_path };
