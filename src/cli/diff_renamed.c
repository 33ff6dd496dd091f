/* diff_renamed.c - renamed keys, those that follow one rule on one line.
 *
 *	was   module.layer1.0.weight        what is the same at the end, in whole keys, is the rest;
 *	name         layer1.0.weight        the rule is what stands before it: "module." -> ""
 *
 * Keys are sorted by rule, so that a rule's keys stand together; rules and single keys come in the
 * order in which they were met.
 */
#include "diff_out.h"

#include <stdlib.h>
#include <string.h>

#define FEW 3 /* keys that are listed one by one, even if they follow one rule */
/* Bytes of both names together from which on a key is listed by itself and at once: dicts that are
 * deep have long names, and all of them would have to be kept. */
#define LONG 1024

static size_t same_end(struct str a, struct str b)
{
	size_t n = 0, best = 0;
	while (n < a.n && n < b.n && a.p[a.n - 1 - n] == b.p[b.n - 1 - n]) {
		n++;
		bool begins_a = n == a.n || strchr("./", a.p[a.n - 1 - n]);
		bool begins_b = n == b.n || strchr("./", b.p[b.n - 1 - n]);
		if (begins_a && begins_b)
			best = n;
	}
	return best;
}

static struct str head(struct str s, const struct renamed *r)
{
	return str_cut(s, s.n - r->rest);
}

static int compare(struct str a, struct str b)
{
	int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
	return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* A key that shares nothing at the end has no rule. */
static int rule(const struct renamed *a, const struct renamed *b)
{
	int c = compare(head(a->was, a), head(b->was, b));
	return c ? c : compare(head(a->name, a), head(b->name, b));
}

static int by_rule(const void *pa, const void *pb, void *ctx)
{
	const struct renamed *at = ctx;
	uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
	int c = rule(&at[a], &at[b]);
	return c ? c : a < b ? -1 : a > b;
}

static void print_one(const struct diff_out *o, const struct renamed *r)
{
	diff_line(o, '>', r->name);
	printf("was %s\n", STR_SHOW(r->was));
}

bool diff_renamed_keep(struct diff_out *o, struct str was, struct str name)
{
	if (was.n + name.n > LONG) {
		print_one(o, &(struct renamed){was, name, 0});
		return true;
	}
	struct renamed r = {arena_str(&o->names, was), arena_str(&o->names, name), 0};
	if (!r.was.p || !r.name.p)
		return false;
	r.rest = same_end(r.was, r.name);
	return vec_push(&o->renamed, r) == 0;
}

static void print_rule(const struct diff_out *o, const struct renamed *r, size_t n)
{
	char keys[32];
	snprintf(keys, sizeof keys, "%zu keys", n);
	diff_line(o, '>', str_of(keys));
	printf("renamed: %s*", STR_SHOW(head(r->was, r)));
	printf(" -> %s*\n", STR_SHOW(head(r->name, r)));
}

/* How many keys from order[i] on follow the rule of that one. */
static size_t run(const struct renamed *at, const uint32_t *order, size_t i, size_t n)
{
	size_t k = 1;
	while (i + k < n && rule(&at[order[i]], &at[order[i + k]]) == 0)
		k++;
	return at[order[i]].rest ? k : 1;
}

void diff_renamed_print(struct diff_out *o)
{
	size_t n = o->renamed.n;
	const struct renamed *at = o->renamed.at;
	uint32_t *order = n ? malloc(2 * n * sizeof *order) : NULL;
	uint32_t *of = order ? order + n : NULL; /* [n] keys of the rule that begins with this one */
	for (size_t i = 0; i < n; i++) {
		if (order)
			order[i] = (uint32_t)i;
		else
			print_one(o, &at[i]);
	}
	if (!order)
		return;
	qsort_r(order, n, sizeof *order, by_rule, (void *)at);
	memset(of, 0, n * sizeof *of);
	for (size_t i = 0, k; i < n; i += k) {
		k = run(at, order, i, n);
		for (size_t s = 0; s < k; s++)
			of[order[i + s]] = k <= FEW ? 1 : s == 0 ? (uint32_t)k : 0;
	}
	for (size_t i = 0; i < n; i++) {
		if (of[i] == 1)
			print_one(o, &at[i]);
		else if (of[i])
			print_rule(o, &at[i], of[i]);
	}
	free(order);
}
