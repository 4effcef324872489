/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bailiffd's settings: one table of keys, types, defaults and limits makes the parser of bailiff.yaml, --set, the help and the manual.
 */
#ifndef ENGINE_SETTINGS_H
#define ENGINE_SETTINGS_H

#include "base/buf.h"
#include "base/yaml.h"

#define SETTINGS_FILE "/etc/bailiff/bailiff.yaml"
#define SETTINGS_FILE_BYTES (1u << 20)
#define SETTINGS_SINKS_MAX 32

struct settings_sink {
	char *name, *type, *url, *token_file, *ca_file, *index, *source, *sourcetype, *min_severity, *tier;
	uint64_t ack, required;		/* booleans */
};

struct settings {
	char *run_dir, *journal_dir, *key_dir, *pin_dir, *cgroup_mount, *cgroup_parent, *host;
	uint64_t linger_seconds;
	uint64_t control_connections, control_per_process;
	uint64_t decision_ring_bytes, telemetry_ring_bytes;
	uint64_t journal_queue_bytes, journal_segment_bytes, checkpoint_ms;
	uint64_t journal_epoch_seconds, journal_retain_bytes, journal_retain_days;
	struct settings_sink *sinks;
	size_t sink_count;
};

struct settings_error {
	unsigned line, column;		/* 0: not from a file */
	char text[300];
};

int settings_init(struct settings *s);		/* all defaults */
void settings_done(struct settings *s);
/* A whole file on top of what is there. 0, -EINVAL with *why, -ENOMEM; on failure s is to be thrown away. */
int settings_parse(struct settings *s, const char *text, size_t len, struct settings_error *why);
int settings_set(struct settings *s, const char *assignment, struct settings_error *why);	/* "key=value" */
int settings_check(const struct settings *s, struct settings_error *why);	/* what concerns several keys */
unsigned settings_severity(const char *word);	/* OCSF severity_id of a word of min_severity; 0: it is none */
void settings_help(struct buf *out);		/* the table for --help */
void settings_manual(struct buf *out);		/* the same as Markdown */

#endif
