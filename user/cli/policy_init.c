/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff policy init: a first policy for a project, from presets and what lies in its directory. It is printed, and never overwrites. */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include "base/file.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/policy.h"

static const struct cli_option options[] = {
	{ "output", 'o', "FILE", OPTION_TEXT, offsetof(struct policy_options, output), "write to FILE, which must not exist" },
};
static const struct cli_spec spec = {
	.usage = "bailiff policy init [-o FILE] [DIR]",
	.about = "Look at a project (DIR, or here) and print a first policy for an agent that works on it: presets with the reason for each, the\n"
		 "workspace, tests. Nothing in it reaches the network until you say where.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.more = "exit code: 0 printed, 1 DIR cannot be read or FILE exists, 2 usage",
};

/* What is found where, and what follows. A preset is listed once, with the first reason. */
static const struct sign {
	const char *file, *preset, *suggest;	/* suggest: presets that need an address, as a remark */
} signs[] = {
	{ ".git", "git", "git-https" },
	{ "package.json", "node", "npm" },
	{ "pyproject.toml", "python", "pip" }, { "requirements.txt", "python", "pip" }, { "setup.py", "python", "pip" },
	{ "Makefile", "build", NULL }, { "GNUmakefile", "build", NULL }, { "CMakeLists.txt", "build", NULL }, { "meson.build", "build", NULL },
	{ "binding.gyp", "build", NULL }, { "Cargo.toml", "build", NULL }, { "go.mod", "build", NULL },
};

struct project {
	int dir;
	char name[65];
	bool go, rust, docker, git;
	const struct sign *chosen[ARRAY_SIZE(signs)];
	size_t count;
};

static bool has(const struct project *p, const char *file)
{
	struct stat st;

	return !fstatat(p->dir, file, &st, AT_SYMLINK_NOFOLLOW);
}

/* The directory's name in the letters that a policy's name may have. */
static void name_take(const char *dir, char out[65])
{
	_free_ char *whole = realpath(dir, NULL);
	const char *base = whole ? strrchr(whole, '/') + 1 : "";
	size_t n = 0;

	for (; *base && n < 64; base++) {
		char c = tolower((unsigned char)*base);

		out[n++] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("-_.", c) ? c : '-';
	}
	out[n] = '\0';
	if (!n)
		snprintf(out, 65, "agent");
}

static void project_look(struct project *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
		bool known = false;

		for (size_t k = 0; k < p->count; k++)
			known |= !strcmp(p->chosen[k]->preset, signs[i].preset);
		if (!known && has(p, signs[i].file))
			p->chosen[p->count++] = &signs[i];
	}
	p->go = has(p, "go.mod");
	p->rust = has(p, "Cargo.toml");
	p->git = has(p, ".git");
	p->docker = has(p, "Dockerfile") || has(p, "compose.yaml") || has(p, "docker-compose.yml");
}

/* ---- the text ---- */

static void head_write(const struct project *p, struct buf *out)
{
	buf_addf(out,
		 "# A start by `bailiff policy init`, to be read before it is used. Whatever it does not allow is refused.\n"
		      "#   bailiff policy check FILE --param workspace=.          is it right, do its tests hold\n"
		      "#   bailiff run -p FILE --stage observe --param workspace=. -- AGENT     what would be refused\n"
		      "#   bailiff learn -p FILE --param workspace=. -o NEW                    what it lacks of that, put into it\n"
		      "#   bailiff run -p FILE --param workspace=. -- AGENT\n"
		      "version: 1\npolicy: \"%s\"\n", p->name);
	buf_add_str(out, "uses:\n  - base  # programs and libraries of the system, a temporary directory; credentials closed\n");
	for (size_t i = 0; i < p->count; i++) {
		buf_addf(out, "  - %s  # because of %s\n", p->chosen[i]->preset, p->chosen[i]->file);
		if (p->chosen[i]->suggest)
			buf_addf(out, "  # - %s  # to reach its host: `bailiff policy show preset:%s` names the parameter to declare below\n",
				 p->chosen[i]->suggest, p->chosen[i]->suggest);
	}
	buf_add_str(out, "  # - dns  # to look names up\n"
			 "  # - codex, claude or agents-sdk: the agent's own home and its model\n"
			 "params:\n  workspace: path\n");
}

static void files_write(const struct project *p, struct buf *out)
{
	buf_add_str(out, "files:\n  read:\n    - {path: $workspace, why: the project}\n");
	if (p->go)
		buf_add_str(out, "    - {path: [\"/home/*/go/pkg/mod\", /root/go/pkg/mod], why: modules that Go fetched}\n");
	if (p->rust)
		buf_add_str(out, "    - {path: [\"/home/*/.cargo/registry\", /root/.cargo/registry, \"/home/*/.rustup\", /root/.rustup], "
				 "why: crates and toolchains}\n");
	buf_add_str(out, "  write:\n    - {path: $workspace, why: the project}\n");
	if (p->go)
		buf_add_str(out, "    - {path: [\"/home/*/.cache/go-build\", /root/.cache/go-build], why: what Go built before}\n");
	buf_add_str(out, "  execute:\n    - {path: $workspace, why: what the project builds}\n");
	if (p->rust)
		buf_add_str(out, "    - {path: [\"/home/*/.cargo/bin\", /root/.cargo/bin, \"/home/*/.rustup/toolchains\", /root/.rustup/toolchains], "
				 "why: cargo and rustc}\n");
	buf_add_str(out, "  deny:\n    - {path: [\"**/.env\", \"$workspace/**/*.key\"], why: credentials}\n    - path: [");
	if (p->git)
		buf_add_str(out, "$workspace/.git/config, ");
	buf_add_str(out, "$workspace/.vscode, $workspace/.idea]\n      verbs: [write]\n      why: can name programs that run outside the sandbox later\n");
	if (p->docker)
		buf_add_str(out, "# Images cannot be built in here: whoever may talk to Docker's socket is root on this host.\n");
}

static void tests_write(const struct project *p, struct buf *out)
{
	buf_add_str(out, "tests:\n  - {\"read $workspace/README.md\": allowed}\n  - {\"write $workspace/src/main.c\": allowed}\n"
			 "  - {\"execute $workspace/build/program\": allowed}\n  - {\"read $workspace/.env\": refused}\n");
	if (p->git)
		buf_add_str(out, "  - {\"write $workspace/.git/index\": allowed}\n  - {\"write $workspace/.git/config\": refused}\n"
				 "  - {\"write $workspace/.git/hooks/pre-commit\": refused}\n");
	buf_add_str(out, "  - {\"read /etc/shadow\": refused}\n  - {\"read /root/.ssh/id_ed25519\": refused}\n  - {\"write /usr/bin/x\": refused}\n"
			 "  - {\"connect 169.254.169.254:80\": refused}\n  - {\"connect 192.0.2.1:443\": refused}\n"
			 "  - {\"unix /run/docker.sock\": refused}\n");
}

static int text_give(const struct buf *text, const char *file)
{
	_close_ int fd = -1;
	int err;

	if (!file)
		return fputs(text->data, stdout) < 0 ? CLI_FAILED : CLI_OK;
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return log_err(-errno, "%s%s", file, errno == EEXIST ? ": not overwritten" : ""), CLI_FAILED;
	err = write_full(fd, text->data, text->len);
	return err ? (log_err(err, "%s", file), CLI_FAILED) : CLI_OK;
}

static int init_project(const char *dir, const struct policy_options *o)
{
	_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct project p = { .dir = fd };
	_buf_ struct buf out = {};

	if (fd < 0)
		return log_err(-errno, "%s", dir), CLI_FAILED;
	name_take(dir, p.name);
	project_look(&p);
	head_write(&p, &out);
	files_write(&p, &out);
	tests_write(&p, &out);
	return out.err ? (log_err(out.err, "%s", dir), CLI_FAILED) : text_give(&out, o->output);
}

static int init_run(char **rest, size_t count, const struct policy_options *o)
{
	return init_project(count ? rest[0] : ".", o);
}

const struct policy_command policy_init_command = { .spec = &spec, .run = init_run, .operands_max = 1 };
