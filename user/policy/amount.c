/* SPDX-License-Identifier: Apache-2.0 */
/* Amounts of limits ("2G", "0.5", "50M/s", "1h") and times of `until`, from text and back: one spelling for one amount. */
#include <ctype.h>
#include <stdio.h>
#include <time.h>
#include "policy/model.h"

#define AMOUNT_MAX (1ull << 60)

const char *const limit_words[] = { "memory", "cpus", "processes", "io", "egress", "duration", NULL };

enum unit_kind { UNIT_BYTES, UNIT_BYTES_A_SECOND, UNIT_THOUSANDTHS, UNIT_COUNT, UNIT_SECONDS };
static const enum unit_kind limit_units[] = { UNIT_BYTES, UNIT_THOUSANDTHS, UNIT_COUNT, UNIT_BYTES_A_SECOND, UNIT_BYTES, UNIT_SECONDS };

static const struct {
	enum unit_kind kind;
	const char *suffix;
	uint64_t factor;
} units[] = {	/* of a kind the largest first */
	{ UNIT_BYTES, "T", 1ull << 40 }, { UNIT_BYTES, "G", 1ull << 30 }, { UNIT_BYTES, "M", 1ull << 20 }, { UNIT_BYTES, "K", 1ull << 10 },
	{ UNIT_BYTES, "", 1 },
	{ UNIT_BYTES_A_SECOND, "G/s", 1ull << 30 }, { UNIT_BYTES_A_SECOND, "M/s", 1ull << 20 }, { UNIT_BYTES_A_SECOND, "K/s", 1ull << 10 },
	{ UNIT_BYTES_A_SECOND, "/s", 1 },
	{ UNIT_SECONDS, "d", 86400 }, { UNIT_SECONDS, "h", 3600 }, { UNIT_SECONDS, "m", 60 }, { UNIT_SECONDS, "s", 1 },
	{ UNIT_THOUSANDTHS, "", 1000 },
	{ UNIT_COUNT, "", 1 },
};
static const char *const unit_examples[] = {
	[UNIT_BYTES] = "an amount like 512M or 2G", [UNIT_BYTES_A_SECOND] = "an amount a second like 50M/s",
	[UNIT_THOUSANDTHS] = "a number like 2 or 0.5", [UNIT_COUNT] = "a number like 256", [UNIT_SECONDS] = "a time like 90s, 30m, 1h or 2d",
};

static enum unit_kind kind_of(const char *limit)
{
	size_t i = 0;

	while (strcmp(limit_words[i], limit))
		i++;
	return limit_units[i];
}

/* Thousandths behind a point: up to three digits, no more. */
static bool thousandths_parse(const char **text, uint64_t *out)
{
	uint64_t value = 0, weight = 100;

	if (**text != '.')
		return true;
	for ((*text)++; isdigit((unsigned char)**text) && weight; (*text)++, weight /= 10)
		value += weight * (**text - '0');
	*out += value;
	return (*text)[-1] != '.';
}

bool amount_parse(const char *limit, const char *text, uint64_t *out, char why[200])
{
	enum unit_kind kind = kind_of(limit);
	size_t digits = strspn(text, "0123456789");
	const char *rest = text + digits;
	uint64_t number = digits && digits <= 15 ? strtoull(text, NULL, 10) : 0, part = 0;
	bool good = digits && digits <= 15 && (kind != UNIT_THOUSANDTHS || thousandths_parse(&rest, &part));

	for (size_t i = 0; i < ARRAY_SIZE(units) && good; i++) {
		if (units[i].kind != kind || strcmp(units[i].suffix, rest))
			continue;
		if (number > AMOUNT_MAX / units[i].factor || !(number * units[i].factor + part))
			break;
		*out = number * units[i].factor + part;
		return true;
	}
	snprintf(why, 200, "\"%.40s\" is no amount of %s" HELP "write %s", text, limit, unit_examples[kind]);
	return false;
}

void amount_print(struct buf *out, const char *limit, uint64_t amount)
{
	enum unit_kind kind = kind_of(limit);
	size_t i = 0;

	if (kind == UNIT_THOUSANDTHS) {
		buf_addf(out, "%llu", (unsigned long long)(amount / 1000));
		if (amount % 1000)
			buf_addf(out, amount % 100 ? amount % 10 ? ".%03u" : ".%02u" : ".%u",
				 (unsigned)(amount % 1000 / (amount % 100 ? amount % 10 ? 1 : 10 : 100)));
		return;
	}
	while (units[i].kind != kind || amount % units[i].factor)
		i++;
	buf_addf(out, "%llu%s", (unsigned long long)(amount / units[i].factor), units[i].suffix);
}

/* ---- times ---- */

/* `count` digits at *s as a number; -1. */
static int digits_take(const char **s, int count)
{
	int value = 0;

	for (; count; count--, (*s)++) {
		if (!isdigit((unsigned char)**s))
			return -1;
		value = value * 10 + (**s - '0');
	}
	return value;
}

static bool numbers_take(const char **s, const char *separators, const int *counts, int *out)
{
	for (size_t i = 0; i < 3; i++) {
		out[i] = digits_take(s, counts[i]);
		if (out[i] < 0 || (separators[i] && *(*s)++ != separators[i]))
			return false;
	}
	return true;
}

/* "Z", "+02:00": seconds to take away; what else there is leaves *s not at its end. */
static int offset_take(const char **s)
{
	int sign = **s == '+' ? 1 : -1, hours, minutes;

	if (**s == 'Z') {
		(*s)++;
		return 0;
	}
	if (**s != '+' && **s != '-')
		return 0;
	(*s)++;
	hours = digits_take(s, 2);
	if (hours < 0 || hours > 23 || *(*s)++ != ':')
		return *s = "?", 0;
	minutes = digits_take(s, 2);
	if (minutes < 0 || minutes > 59)
		return *s = "?", 0;
	return sign * (hours * 3600 + minutes * 60);
}

bool until_parse(const char *text, int64_t *out)
{
	static const int day_digits[] = { 4, 2, 2 }, time_digits[] = { 2, 2, 2 };
	int day[3], time[3] = { 24, 0, 0 }, offset = 0;
	struct tm tm = {}, again;
	time_t at;

	if (!numbers_take(&text, "--", day_digits, day) || day[0] < 1970 || day[0] > 9000)
		return false;
	tm = (struct tm){ .tm_year = day[0] - 1900, .tm_mon = day[1] - 1, .tm_mday = day[2] };
	again = tm;
	at = timegm(&again);
	if (again.tm_year != tm.tm_year || again.tm_mon != tm.tm_mon || again.tm_mday != tm.tm_mday)
		return false;	/* no such day */
	if (*text) {
		if (*text++ != 'T' || !numbers_take(&text, "::", time_digits, time) || time[0] > 23 || time[1] > 59 || time[2] > 59)
			return false;
		if (!*text)
			return false;	/* a time without its zone could be anybody's */
		offset = offset_take(&text);
	}
	if (*text)
		return false;
	*out = at + time[0] * 3600 + time[1] * 60 + time[2] - offset;
	return *out > 0;
}

void until_print(struct buf *out, int64_t until_s)
{
	time_t at = until_s;
	char text[40] = "";
	struct tm tm;

	if (gmtime_r(&at, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		buf_add_str(out, text);
}
