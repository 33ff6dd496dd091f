/* diff_json.c - everything that is known of every entry, the same ones too, as one document. */
#include "diff_out.h"

#include <math.h>
#include <stdio.h>

static const char *const status_name[] = {
		[DIFF_SAME] = "same",       [DIFF_ADDED] = "added",
		[DIFF_REMOVED] = "removed", [DIFF_RENAMED] = "renamed",
		[DIFF_CHANGED] = "changed", [DIFF_TROUBLE] = "trouble",
};

static void flush(struct diff_out *o)
{
	fwrite(o->out.p, 1, o->out.n, stdout);
	o->out.n = 0;
}

static void volume_member(struct json *j, const char *name, const struct volume *v)
{
	json_key(j, name);
	json_open(j, '{');
	json_key(j, "file");
	json_cstr(j, volume_path(v));
	json_key(j, "format");
	json_cstr(j, volume_format(v));
	json_close(j, '}');
}

void diff_json_begin(struct diff_out *o)
{
	buf_init(&o->out, 64 << 20);
	json_init(&o->j, &o->out);
	json_open(&o->j, '{');
	volume_member(&o->j, "a", o->a);
	volume_member(&o->j, "b", o->b);
	json_key(&o->j, "entries");
	json_open(&o->j, '[');
}

static void side(struct json *j, const char *name, const struct vitem *x, struct str text)
{
	json_key(j, name);
	if (!x) {
		json_null(j);
		return;
	}
	json_open(j, '{');
	json_key(j, "type");
	json_str(j, x->type);
	if (x->dtype.n) {
		json_key(j, "dtype");
		json_str(j, x->dtype);
		json_key(j, "shape");
		json_raw(j, x->shape);
	}
	if (x->is_tensor) {
		json_key(j, "nbytes");
		json_u64(j, x->attr.size);
	} else if (!x->is_dir) {
		json_key(j, "value");
		json_str(j, text);
	}
	json_close(j, '}');
}

static void what(struct json *j, unsigned set)
{
	static const char *const names[] = {"type", "dtype", "shape", "values", "attrs"};
	json_key(j, "what");
	json_open(j, '[');
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (set & 1u << i)
			json_cstr(j, names[i]);
	json_close(j, ']');
}

static void attrs(struct json *j, const struct diff_item *it)
{
	json_key(j, "attrs");
	json_open(j, '{');
	for (size_t i = 0; i < it->n_attrs; i++) {
		const struct diff_attr *x = &it->attrs[i];
		json_key_str(j, x->name);
		json_open(j, '[');
		json_raw(j, x->a.n ? x->a : STR("null"));
		json_raw(j, x->b.n ? x->b : STR("null"));
		json_close(j, ']');
	}
	json_close(j, '}');
}

static void number(struct json *j, const char *name, double x, bool there)
{
	json_key(j, name);
	if (there && !isnan(x))
		json_f64(j, x);
	else
		json_null(j);
}

static void numbers(struct json *j, const struct diff_item *it)
{
	const struct compared *c = it->compared;
	json_key(j, "count");
	json_u64(j, c->count);
	json_key(j, "differ");
	json_u64(j, c->differ);
	number(j, "max_abs_diff", c->max_abs, c->has_numbers);
	number(j, "max_rel_diff", c->max_rel, c->has_numbers);
	number(j, "cosine", c->cosine, c->has_numbers);
	json_key(j, "first");
	if (!it->first) {
		json_null(j);
		return;
	}
	json_open(j, '[');
	for (unsigned i = 0; i < it->first_n; i++)
		json_i64(j, it->first[i]);
	json_close(j, ']');
}

int diff_json_item(void *ctx, const struct diff_item *it)
{
	struct diff_out *o = ctx;
	struct json *j = &o->j;
	json_newline(j);
	json_open(j, '{');
	json_key(j, "name");
	json_str(j, it->name);
	json_key(j, "status");
	json_cstr(j, status_name[it->status]);
	if (it->status == DIFF_RENAMED) {
		json_key(j, "was");
		json_str(j, it->was);
	}
	if (it->what)
		what(j, it->what);
	if (it->status != DIFF_TROUBLE) {
		side(j, "a", it->a, it->text_a);
		side(j, "b", it->b, it->text_b);
	}
	if (it->n_attrs)
		attrs(j, it);
	if (it->compared || it->same_bytes) {
		json_key(j, "same_bytes");
		json_bool(j, it->same_bytes);
	}
	if (it->compared)
		numbers(j, it);
	if (it->trouble) {
		json_key(j, "message");
		json_cstr(j, it->trouble);
	}
	json_close(j, '}');
	bool failed = o->out.failed;
	flush(o);
	return failed ? ERR_NOMEM : 0;
}

int diff_json_end(struct diff_out *o, const struct diff_result *r)
{
	const struct {
		const char *name;
		uint64_t n;
	} total[] = {
			{"same", r->same},       {"added", r->added},     {"removed", r->removed},
			{"renamed", r->renamed}, {"changed", r->changed}, {"trouble", r->trouble},
	};
	struct json *j = &o->j;
	json_close(j, ']');
	json_key(j, "total");
	json_open(j, '{');
	for (size_t i = 0; i < sizeof total / sizeof *total; i++) {
		json_key(j, total[i].name);
		json_u64(j, total[i].n);
	}
	json_close(j, '}');
	json_close(j, '}');
	buf_putc(&o->out, '\n');
	bool failed = o->out.failed;
	flush(o);
	return failed ? ERR_NOMEM : 0;
}
