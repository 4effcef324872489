/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying. Descriptors may be sockets that others share, so they are never made non-blocking: sockets are asked not to block call by
 * call, and the rest is of our own opening.
 */
#include <sys/socket.h>
#include "cli/relay.h"

#define SMALL_BYTES 256

int relay_add(struct relay *r, int in, int out, unsigned flags, struct relay_channel **added)
{
	struct relay_channel *c = r->count < RELAY_CHANNELS ? calloc(1, sizeof(*c)) : NULL;

	if (!c)
		return -ENOMEM;
	*c = (struct relay_channel){ .in = in, .out = out, .flags = flags };
	r->channels[r->count++] = c;
	if (added)
		*added = c;
	return 0;
}

static void end_in(struct relay_channel *c)
{
	if (c->in >= 0 && c->flags & RELAY_OWN_IN)
		close(c->in);
	c->in = -1;
}

static void end_out(struct relay_channel *c)
{
	if (c->out >= 0 && c->flags & RELAY_OWN_OUT)
		close(c->out);
	c->out = -1;
}

void relay_done(struct relay *r)
{
	for (size_t i = 0; i < r->count; i++) {
		end_in(r->channels[i]);
		end_out(r->channels[i]);
		free(r->channels[i]);
	}
	r->count = 0;
}

void relay_poll(const struct relay *r, struct pollfd *p)
{
	for (size_t i = 0; i < RELAY_CHANNELS; i++) {
		const struct relay_channel *c = i < r->count ? r->channels[i] : NULL;

		p[2 * i] = (struct pollfd){ .fd = c && !c->len && !c->paused ? c->in : -1, .events = POLLIN };
		p[2 * i + 1] = (struct pollfd){ .fd = c && c->len ? c->out : -1, .events = POLLOUT };
	}
}

static ssize_t read_some(int fd, void *p, size_t n)
{
	ssize_t got = recv(fd, p, n, MSG_DONTWAIT);

	return got < 0 && errno == ENOTSOCK ? read(fd, p, n) : got;
}

static ssize_t write_some(int fd, const void *p, size_t n)
{
	ssize_t put = send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

	return put < 0 && errno == ENOTSOCK ? write(fd, p, n) : put;
}

static bool only_later(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static void settle(struct relay_channel *c)
{
	if (c->len && c->out < 0 && c->flags & RELAY_DISCARD)
		c->len = 0;
	if (c->in < 0 && !c->len)
		end_out(c);
}

static void fill(struct relay_channel *c)
{
	ssize_t n = read_some(c->in, c->data, sizeof(c->data));

	if (n < 0 && only_later())
		return;
	if (n <= 0) {
		end_in(c);
		return;
	}
	c->start = 0;
	c->len = n;
}

static void flush(struct relay_channel *c)
{
	size_t most = c->flags & RELAY_SMALL && c->len > SMALL_BYTES ? SMALL_BYTES : c->len;
	ssize_t n = write_some(c->out, c->data + c->start, most);

	if (n < 0 && only_later())
		return;
	if (n < 0) {
		end_out(c);
		if (!(c->flags & RELAY_DISCARD))
			end_in(c);
		c->len = 0;
		return;
	}
	c->start += n;
	c->len -= n;
}

void relay_serve(struct relay *r, const struct pollfd *p)
{
	for (size_t i = 0; i < r->count; i++) {
		struct relay_channel *c = r->channels[i];

		if (p[2 * i].fd >= 0 && p[2 * i].revents)
			fill(c);
		else if (p[2 * i + 1].fd >= 0 && p[2 * i + 1].revents)
			flush(c);
		settle(c);
	}
}

bool relay_has_output(const struct relay *r)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct relay_channel *c = r->channels[i];

		if (!(c->flags & RELAY_INPUT) && (c->in >= 0 || c->len))
			return true;
	}
	return false;
}
