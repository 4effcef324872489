/* SPDX-License-Identifier: Apache-2.0 */
/* Two policies compared, part by part: what the images decide, what is ruled by name, and then what only the texts tell apart. */
#include "policy/diff.h"

struct policy_difference *difference_add(struct differ *d, bool allows, uint32_t verbs, uint32_t was, uint32_t is)
{
	struct diags ignored = {};
	struct policy_difference *item = vec_push(&ignored, &d->out->items, &d->out->count, sizeof(*item));

	if (item)
		*item = (struct policy_difference){ .allows = allows, .verbs = verbs, .was = was, .is = is };
	return item;
}

void difference_done(struct policy_difference *f)
{
	for (size_t i = 0; i < f->region_count; i++)
		free(f->regions[i].but);
	free(f->regions);
	free(f->path);
	free(f->spans);
	free(f->names);
}

void policy_diff_done(struct policy_diff *d)
{
	for (size_t i = 0; i < d->count; i++)
		difference_done(&d->items[i]);
	for (size_t i = 0; i < d->setting_count; i++) {
		free(d->settings[i].what);
		free(d->settings[i].was);
		free(d->settings[i].is);
	}
	for (size_t i = 0; i < d->text_count; i++)
		free(d->texts[i]);
	free(d->items);
	free(d->settings);
	free(d->rules);
	free(d->texts);
	*d = (struct policy_diff){};
}

bool policy_diff_same(const struct policy_diff *d)
{
	bool same = !d->count && d->open_was == d->open_is && d->record_was == d->record_is;

	for (size_t i = 0; i < d->rule_count; i++)
		same &= d->rules[i].decided;
	for (size_t i = 0; i < d->setting_count; i++)
		same &= !d->settings[i].matters;
	return same;
}

bool policy_diff_identical(const struct policy_diff *d)
{
	return policy_diff_same(d) && !d->rule_count && !d->setting_count;
}

static int images_decide(struct differ *d)
{
	int err = diff_paths(d);

	return err ? err : diff_network(d);
}

static int texts_decide(struct differ *d)
{
	int err = diff_nodes(d);

	if (!err)
		err = diff_names(d);
	if (!err)
		err = diff_settings(d);
	return err ? err : diff_rules(d);
}

static int compare(const struct policy *a, const struct policy_image *a_image, const struct policy *b, const struct policy_image *b_image,
		   bool all, struct policy_diff *out)
{
	struct policy_diff diff = { .open_was = a->open, .open_is = b->open, .record_was = a->record, .record_is = b->record };
	struct differ d = { a, b, a_image, b_image, &diff };
	int err = images_decide(&d);

	if (!err && all)
		err = texts_decide(&d);
	if (err) {
		policy_diff_done(&diff);
		return err;
	}
	*out = diff;
	return 0;
}

int policy_diff(const struct policy *a, const struct policy_image *a_image, const struct policy *b, const struct policy_image *b_image,
		struct policy_diff *out)
{
	return compare(a, a_image, b, b_image, true, out);
}

int policy_diff_images(const struct policy *a, const struct policy_image *a_image, const struct policy *b, const struct policy_image *b_image,
		       struct policy_diff *out)
{
	return compare(a, a_image, b, b_image, false, out);
}
