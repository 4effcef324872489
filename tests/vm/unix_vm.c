/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unix sockets: by the path that the peer is bound to, wherever that has gone since; without a path only within the sandbox. vm: --cpus 1
 */
#include <stddef.h>
#include <sys/mount.h>
#include <sys/un.h>
#include "tests/vm/expect.h"
#include "tests/vm/raw.h"

static const char policy[] =
	"version: 1\npolicy: unix\n" OPEN_REST "network: {}\n"
	"files:\n  read: [/]\n  write: [/tmp/u]\n"
	"sockets:\n  unix: [/tmp/u/yes, /tmp/u/dir]\n";
static const char open_policy[] = "version: 1\npolicy: open\nopen: [sockets, devices, privileges, calls, limits, session, labels]\nfiles: {}\nnetwork: {}\n";

static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

struct call {
	const char *path;	/* "@name": abstract */
	int type;
	bool sendto;		/* a datagram without connect */
};

static socklen_t sun(const char *path, struct sockaddr_un *a)
{
	size_t len = strlen(path);

	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	memcpy(a->sun_path, path, len);
	if (path[0] == '@')
		a->sun_path[0] = 0;
	return offsetof(struct sockaddr_un, sun_path) + len;
}

static int server(const char *path, int type)
{
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
	struct sockaddr_un a;
	socklen_t len = sun(path, &a);

	if (path[0] != '@')
		unlink(path);
	CHECK_EQ(bind(fd, (void *)&a, len), 0);
	if (type != SOCK_DGRAM)
		CHECK_EQ(listen(fd, 8), 0);
	return fd;
}

static int call(void *arg)
{
	const struct call *c = arg;
	struct sockaddr_un a;
	socklen_t len = sun(c->path, &a);
	int fd = socket(AF_UNIX, c->type, 0);

	if (c->sendto)
		return rc(sendto(fd, "x", 1, 0, (void *)&a, len));
	return connect(fd, (void *)&a, len) ? -errno : rc(send(fd, "x", 1, 0));
}

static void prepare(void)
{
	mkdir("/tmp/u", 0777);
	mkdir("/tmp/u/dir", 0777);
}

static void check_call(const struct call *c, const char *refused)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	bool dgram = c->type == SOCK_DGRAM;

	CASE("%s type %d sendto %d", c->path, c->type, c->sendto);
	govern_forget();
	CHECK_EQ(free_run(call, (void *)c), 0);
	CHECK_EQ(ruled_run(r, call, (void *)c), refused ? -EACCES : 0);
	if (refused)
		check_record(r, &(struct expect){ .rule = "sockets.default", .path = refused, .op = dgram ? ACT_UNIX_SEND : ACT_UNIX_CONNECT,
						  .verb = VERB_UNIX, .err = EACCES });
	else
		check_silent(r);
	ruled_free(r);
}

/* bound: where the server binds; then what: the path that callers use; refused: the path in the record, NULL: allowed. */
static void check_calls(const char *bound, const char *called, const char *refused)
{
	prepare();
	for (size_t i = 0; i < 3; i++) {
		struct call c = { called, types[i], false };
		int fd = server(bound, c.type);

		if (strcmp(bound, called) && bound[0] != '@')
			CHECK_EQ(rename(bound, called), 0);
		check_call(&c, refused);
		c.sendto = true;
		if (c.type == SOCK_DGRAM)
			check_call(&c, refused);
		close(fd);
	}
}

TEST(a_path_on_the_list_is_open_and_no_other)
{
	check_calls("/tmp/u/yes", "/tmp/u/yes", NULL);
	check_calls("/tmp/u/dir/below", "/tmp/u/dir/below", NULL);
	check_calls("/tmp/u/no", "/tmp/u/no", "/tmp/u/no");
}

TEST(a_socket_that_was_moved_is_judged_where_it_is_now)
{
	check_calls("/tmp/u/yes", "/tmp/u/moved", "/tmp/u/moved");
	check_calls("/tmp/u/was", "/tmp/u/yes", NULL);
}

TEST(names_without_a_path_are_closed)
{
	check_calls("@bailiff-test", "@bailiff-test", "");
}

/* ---- other spellings of a refused socket ---- */

TEST(other_names_of_a_socket_lead_to_its_own)
{
	struct call c = { "/tmp/u/link", SOCK_STREAM, false };
	int fd;

	prepare();
	fd = server("/tmp/u/no", SOCK_STREAM);
	unlink("/tmp/u/link");
	CHECK_EQ(symlink("no", "/tmp/u/link"), 0);
	check_call(&c, "/tmp/u/no");
	c.path = "/tmp/u/dir/../no";
	check_call(&c, "/tmp/u/no");
	c.path = "/proc/self/root/tmp/u/no";
	check_call(&c, "/tmp/u/no");
	close(fd);
}

/* A hard link made outside: the bound name is what is judged, so a link into an allowed directory opens nothing. */
TEST(a_hard_link_to_a_refused_socket_is_refused_and_one_to_an_allowed_is_not)
{
	struct call c = { "/tmp/u/dir/hard", SOCK_STREAM, false };
	int fd;

	prepare();
	fd = server("/tmp/u/no", SOCK_STREAM);
	unlink(c.path);
	CHECK_EQ(link("/tmp/u/no", c.path), 0);
	check_call(&c, "/tmp/u/no");
	close(fd);
	unlink(c.path);
}

static int rename_in(void *arg)
{
	(void)arg;
	return rename("/tmp/u/no", "/tmp/u/dir/renamed") ? -errno : rc(rename("/tmp/u/dir/renamed", "/tmp/u/no"));
}

static int link_in(void *arg)
{
	(void)arg;
	return link("/tmp/u/no", "/tmp/u/dir/linked") ? -errno : rc(unlink("/tmp/u/dir/linked"));
}

TEST(no_new_name_opens_a_refused_socket)
{
	govern_fn acts[] = { rename_in, link_in };
	int fd;

	prepare();
	fd = server("/tmp/u/no", SOCK_STREAM);
	for (size_t i = 0; i < 2; i++) {
		struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

		govern_forget();
		CHECK_REFUSED(r, acts[i], NULL, EXDEV);
		check_record(r, &(struct expect){ .rule = "files.name", .path = "/tmp/u/no", .op = i ? ACT_LINK : ACT_RENAME, .verb = VERB_CREATE,
						  .path2 = i ? "/tmp/u/dir/linked" : "/tmp/u/dir/renamed", .err = EXDEV });
		ruled_free(r);
	}
	close(fd);
}

/* ---- within the sandbox ---- */

static int to_oneself(void *arg)
{
	const char *path = arg;
	struct sockaddr_un a;
	socklen_t len = sun(path, &a);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0), peer;
	int receiver = socket(AF_UNIX, SOCK_DGRAM, 0), sender = socket(AF_UNIX, SOCK_DGRAM, 0), pair[2];

	if (bind(listener, (void *)&a, len) || listen(listener, 1) || connect(client, (void *)&a, len))
		return -errno;
	peer = accept(listener, NULL, NULL);
	if (write(peer, "x", 1) != 1 || write(client, "x", 1) != 1)
		return -errno;
	a.sun_path[len - 1 - offsetof(struct sockaddr_un, sun_path)]++;
	if (bind(receiver, (void *)&a, len) || sendto(sender, "x", 1, 0, (void *)&a, len) != 1)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) || write(pair[0], "x", 1) != 1 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return -errno;
	/* both ends of an own connection may be passed on */
	if (fd_send(pair[0], peer) || fd_receive(pair[1]) < 0 || fd_send(pair[0], client) || fd_receive(pair[1]) < 0)
		return -EPROTO;
	return 0;
}

TEST(members_reach_each_other_by_any_name)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

	prepare();
	unlink("/tmp/u/own1");
	unlink("/tmp/u/own2");
	govern_forget();
	CHECK_EQ(ruled_run(r, to_oneself, "@own1"), 0);
	CHECK_EQ(ruled_run(r, to_oneself, "/tmp/u/own1"), 0);
	check_silent(r);
	ruled_free(r);
}

static int serve_and_wait(void *arg)
{
	int *pipes = arg;
	struct sockaddr_un a;
	socklen_t len = sun("@neighbour", &a);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char c;

	if (bind(fd, (void *)&a, len) || listen(fd, 4) || write(pipes[1], "r", 1) != 1)
		return -errno;
	return rc(read(pipes[2], &c, 1));
}

TEST(another_sandbox_is_outside)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE), *other = ruled_new(policy, STAGE_ENFORCE);
	struct call c = { "@neighbour", SOCK_STREAM, false };
	int pipes[4], result;
	pid_t pid;
	char byte;

	CHECK_EQ(pipe(pipes) | pipe(pipes + 2), 0);
	pid = ruled_spawn(other, serve_and_wait, pipes, &result);
	CHECK_EQ(read(pipes[0], &byte, 1), 1);
	check_call(&c, "");
	CHECK_EQ(ruled_run(other, call, &c), 0);
	CHECK_EQ(write(pipes[3], "x", 1), 1);
	CHECK_EQ(spawn_result(pid, result), 0);
	ruled_free(other);
	ruled_free(r);
}

/* ---- passed in ---- */

static int take(void *via)
{
	int fd = fd_receive(*(int *)via);

	return fd < 0 ? fd : 0;
}

static int client_of(const char *path, int type)
{
	struct sockaddr_un a;
	socklen_t len = sun(path, &a);
	int fd = socket(AF_UNIX, type, 0);

	CHECK_EQ(connect(fd, (void *)&a, len), 0);
	return fd;
}

static void check_passed(const char *name, int fd, const char *refused)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	int pair[2];

	CASE("%s", name);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	govern_forget();
	CHECK_EQ(fd_send(pair[0], fd), 0);
	CHECK_EQ(free_run(take, &pair[1]), 0);
	CHECK_EQ(fd_send(pair[0], fd), 0);
	CHECK_EQ(ruled_run(r, take, &pair[1]), refused ? -EACCES : 0);
	if (refused)
		check_record(r, &(struct expect){ .rule = "sockets.default", .path = refused, .op = ACT_RECEIVE, .verb = VERB_UNIX, .err = EACCES });
	else
		check_silent(r);
	close(pair[0]);
	close(pair[1]);
	close(fd);
	ruled_free(r);
}

TEST(a_passed_socket_is_judged_by_its_peer)
{
	int yes, no, abstract, pair[2];

	prepare();
	yes = server("/tmp/u/yes", SOCK_STREAM);
	no = server("/tmp/u/no", SOCK_STREAM);
	abstract = server("@abstract", SOCK_SEQPACKET);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	check_passed("to an allowed path", client_of("/tmp/u/yes", SOCK_STREAM), NULL);
	check_passed("to another", client_of("/tmp/u/no", SOCK_STREAM), "/tmp/u/no");
	check_passed("to an abstract one", client_of("@abstract", SOCK_SEQPACKET), "");
	check_passed("one of a pair", pair[0], "");
	check_passed("not connected", socket(AF_UNIX, SOCK_STREAM, 0), "");
	check_passed("listening", dup(no), "");
	close(yes);
	close(no);
	close(abstract);
}

static int send_again(void *fd)
{
	return rc(send(*(int *)fd, "x", 1, 0));
}

TEST(an_inherited_datagram_socket_is_judged_at_each_send)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	int fd, receiver;

	prepare();
	receiver = server("/tmp/u/no", SOCK_DGRAM);
	fd = client_of("/tmp/u/no", SOCK_DGRAM);
	govern_forget();
	CHECK_REFUSED(r, send_again, &fd, EACCES);
	check_record(r, &(struct expect){ .rule = "sockets.default", .path = "/tmp/u/no", .op = ACT_UNIX_SEND, .verb = VERB_UNIX, .err = EACCES });
	close(fd);
	close(receiver);
	ruled_free(r);
}

TEST(where_sockets_are_open_every_peer_is)
{
	struct ruled *r = ruled_new(open_policy, STAGE_ENFORCE);
	struct call c = { "@abstract", SOCK_STREAM, false };
	int abstract, no;

	prepare();
	abstract = server("@abstract", SOCK_STREAM);
	no = server("/tmp/u/no", SOCK_STREAM);
	govern_forget();
	CHECK_EQ(ruled_run(r, call, &c), 0);
	c.path = "/tmp/u/no";
	CHECK_EQ(ruled_run(r, call, &c), 0);
	check_silent(r);
	close(abstract);
	close(no);
	ruled_free(r);
}

TEST_MAIN()
