/* gate_tell.c - what the validation of edits found, for status, .pthfs/commit and commands.
 *
 * Told is what the last commit, or the last try, found; but no tensor that was edited again since, or
 * that is gone: the next commit judges it.
 */
#include "edit.h"

#include <inttypes.h>
#include <pthfs/cleanup.h>

/* Was it edited again since, or is it gone? Then the next commit judges it. */
static bool is_past(const struct volume *v, const struct suspect *s)
{
	const struct timespec *when = &v->edit->gate.when;
	const struct dirty *d = dirty_find(v, vol_model(v)->tensors.at[s->tensor].storage);
	if (!tree_nlink(&v->tree, s->tensor))
		return true;
	return d && (d->changed.tv_sec > when->tv_sec ||
			(d->changed.tv_sec == when->tv_sec && d->changed.tv_nsec > when->tv_nsec));
}

void gate_one_text(const struct volume *v, const struct suspect *s, struct buf *out)
{
	tree_path(&v->tree, tree_first(&v->tree, s->tensor), out);
	buf_puts(out, ": ");
	judge_text(s->what, s->fresh ? NULL : &s->was, &s->now, out);
}

void gate_text(const struct volume *v, const char *front, struct buf *out)
{
	const struct gate *g = &v->edit->gate;
	for (size_t i = 0; i < g->suspects.n; i++) {
		if (is_past(v, &g->suspects.at[i]))
			continue;
		buf_puts(out, front);
		gate_one_text(v, &g->suspects.at[i], out);
		buf_putc(out, '\n');
	}
	if (g->count > g->suspects.n)
		buf_printf(out, "%s%" PRIu64 " further tensors\n", front, g->count - g->suspects.n);
}

static void what_json(unsigned what, struct json *j)
{
	static const char *const words[] = {"nan", "inf", "zeros", "range", "count"};
	json_open(j, '[');
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		if (what & 1u << i)
			json_cstr(j, words[i]);
	json_close(j, ']');
}

static void numbers_json(const char *name, const struct stats *s, struct json *j)
{
	json_key(j, name);
	if (!s) {
		json_null(j);
		return;
	}
	json_open(j, '{');
	stats_members(s, j);
	json_close(j, '}');
}

static void path_of(const struct volume *v, uint32_t tensor, struct buf *out)
{
	out->n = 0;
	tree_path(&v->tree, tree_first(&v->tree, tensor), out);
}

static void one_json(const struct volume *v, const struct suspect *s, struct buf *text, struct json *j)
{
	json_open(j, '{');
	json_key(j, "name");
	path_of(v, s->tensor, text);
	json_str(j, buf_view(text));
	json_key(j, "key");
	text->n = 0;
	vol_tensor_key(v, s->tensor, text);
	json_str(j, buf_view(text));
	json_key(j, "what");
	what_json(s->what, j);
	json_key(j, "message");
	text->n = 0;
	judge_text(s->what, s->fresh ? NULL : &s->was, &s->now, text);
	json_str(j, buf_view(text));
	numbers_json("was", s->fresh ? NULL : &s->was, j);
	numbers_json("now", &s->now, j);
	json_close(j, '}');
}

void gate_json(const struct volume *v, struct json *j)
{
	struct buf text;
	buf_init(&text, 1 << 20);
	json_open(j, '[');
	for (size_t i = 0; v->edit && i < v->edit->gate.suspects.n; i++)
		if (!is_past(v, &v->edit->gate.suspects.at[i]))
			one_json(v, &v->edit->gate.suspects.at[i], &text, j);
	json_close(j, ']');
	buf_release(&text);
}

void volume_suspects(struct volume *v, struct buf *out)
{
	vol_read_begin(v);
	if (v->edit)
		gate_text(v, "", out);
	vol_read_end(v);
}

void gate_forget(struct volume *v)
{
	vec_release(&v->edit->gate.suspects);
	v->edit->gate.count = 0;
}

void gate_release(struct volume *v)
{
	gate_forget(v);
	engine_close(v->edit->gate.engine);
	v->edit->gate.engine = NULL;
}
