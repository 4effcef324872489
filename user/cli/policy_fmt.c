/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff policy fmt: a policy's text in one layout. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include "base/file.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/policy.h"

#define POLICY_BYTES (1u << 20)

static const struct cli_option options[] = {
	{ "check", 0, NULL, OPTION_FLAG, offsetof(struct policy_options, check), "print nothing; exit with 1 if the layout is another" },
	{ "write", 'w', NULL, OPTION_FLAG, offsetof(struct policy_options, write), "into the file itself" },
};
static const struct cli_spec spec = {
	.usage = "bailiff policy fmt FILE [--check|-w]",
	.about = "Print a policy in one layout: indented by two, one blank where there is one, two before a remark. Remarks, the order of lines and\n"
		 "where they break stay. Only blanks change, and what it means never does: its digest stays.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.operands = 1,
	.more = "exit code: 0 done, or it has that layout already; 1 it has not (--check), or the file cannot be laid out; 2 usage",
};

static int file_overwrite(const char *file, const struct buf *out)
{
	_free_ char *real = realpath(file, NULL);	/* a link stays one */
	char *slash = real ? strrchr(real, '/') : NULL;
	_close_ int dir = -1;
	struct stat st;

	if (!slash || stat(real, &st))
		return -errno;
	*slash = '\0';
	dir = open(real[0] ? real : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -errno : file_replace_at(dir, slash + 1, out->data, out->len, st.st_mode & 07777);
}

static int result_give(const char *file, const char *text, size_t len, const struct buf *out, const struct policy_options *o)
{
	bool same = out->len == len && !memcmp(out->data, text, len);
	int err;

	if (o->check && !same)
		printf("%s\n", file);
	if (o->check)
		return same ? CLI_OK : CLI_FAILED;
	if (!o->write) {
		fputs(out->data, stdout);
		return CLI_OK;
	}
	err = same ? 0 : file_overwrite(file, out);
	if (err)
		log_err(err, "%s", file);
	return err ? CLI_FAILED : CLI_OK;
}

static int fmt_run(char **rest, size_t count, const struct policy_options *o)
{
	_free_ char *text = NULL;
	_buf_ struct buf out = {};
	unsigned line = 0;
	char why[200];
	size_t len;
	int err = file_slurp(rest[0], POLICY_BYTES, &text, &len);

	(void)count;
	if (o->check && o->write) {
		log_err(0, "usage: %s", spec.usage);
		return CLI_USAGE;
	}
	if (err)
		return log_err(err, "%s", rest[0]), CLI_FAILED;
	err = policy_format(text, len, &out, &line, why);
	if (err == -EBADMSG)
		log_err(0, "%s:%u: %s", rest[0], line, why);
	else if (err == -EOPNOTSUPP)
		log_err(0, "%s: left alone: it is written in a way that cannot be laid out without a change of meaning", rest[0]);
	else if (err)
		log_err(err, "%s", rest[0]);
	return err ? CLI_FAILED : result_give(rest[0], text, len, &out, o);
}

const struct policy_command policy_fmt_command = { .spec = &spec, .run = fmt_run, .operands_max = 1 };
