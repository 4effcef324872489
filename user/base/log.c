/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line a message, one write(2) a line, so that lines of several processes do not mix. What a message quotes may come from
 * an attacker, so everything is escaped as for a terminal.
 */
#include "base/log.h"
#include "base/buf.h"
#include <stdio.h>
#include <sys/stat.h>

static const char *log_program = "bailiff";
static enum log_level log_threshold = LOG_LEVEL_INFO;
static bool log_to_journal;

/* JOURNAL_STREAM names the device and inode of the stream that systemd gave us (systemd.exec(5)); a redirected stderr is not it. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 && !fstat(STDERR_FILENO, &st) &&
	       st.st_dev == dev && st.st_ino == ino;
}

void log_open(const char *program)
{
	const char *slash = strrchr(program, '/');

	log_program = slash ? slash + 1 : program;
	log_to_journal = stderr_is_journal();
}

void log_set_level(enum log_level level)
{
	log_threshold = level;
}

static const char *level_word(enum log_level level)
{
	return level == LOG_LEVEL_WARN ? "warning: " : level == LOG_LEVEL_DEBUG ? "debug: " : "";
}

int log_msg(enum log_level level, int err, const char *fmt, ...)
{
	_buf_ struct buf line = {};
	int saved = errno;
	char text[2048];
	va_list ap;
	int n;

	if (level > log_threshold)
		return err;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (log_to_journal)
		buf_addf(&line, "<%d>", level);
	else
		buf_addf(&line, "%s: %s", log_program, level_word(level));
	buf_add_terminal(&line, text, n < 0 ? 0 : strlen(text));
	if (n >= (int)sizeof(text))
		buf_add_str(&line, " [cut]");
	if (err)
		buf_addf(&line, ": %s", strerror(err < 0 ? -err : err));
	buf_add_char(&line, '\n');
	if (line.data)
		(void)!write(STDERR_FILENO, line.data, line.len);	/* there is no one left to tell */
	errno = saved;
	return err;
}
