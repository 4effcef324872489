/* SPDX-License-Identifier: Apache-2.0 */
/* Log once, at the edge: one line to stderr (with a <N> priority prefix when it is the system's journal). */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_LEVEL_ERR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

void log_open(const char *program);
void log_set_level(enum log_level level);
/* err is a negative errno whose text is appended, or 0. Returns err, so that `return log_err(err, "...")` reads well. */
int log_msg(enum log_level level, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
#define log_err(err, ...)	log_msg(LOG_LEVEL_ERR, err, __VA_ARGS__)
#define log_warn(err, ...)	log_msg(LOG_LEVEL_WARN, err, __VA_ARGS__)
#define log_info(...)		log_msg(LOG_LEVEL_INFO, 0, __VA_ARGS__)
#define log_debug(...)		log_msg(LOG_LEVEL_DEBUG, 0, __VA_ARGS__)

#endif
