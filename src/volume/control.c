/* control.c - .pthfs/commit and .pthfs/revert: what is written into them is an order, what is read
 * from them is how the last one went.
 */
#include "edit.h"

#include <string.h>

static int order_commit(struct volume *v, struct str words, struct err *e)
{
	struct commit_opts o = {0};
	struct commit_result r;
	o.dry_run = str_starts(words, STR("dry-run"));
	o.compact = str_starts(words, STR("compact"));
	o.force = str_starts(words, STR("force"));
	int rc = volume_commit(v, &o, &r, e);
	if (o.dry_run && v->edit) {
		pthread_rwlock_wrlock(&v->lock);
		v->edit->result.n = 0;
		if (rc < 0)
			buf_printf(&v->edit->result, "failed: %s\n", e->text);
		else
			buf_printf(&v->edit->result,
					"%llu edit%s to commit, %s to write%s%s (nothing was written)\n",
					(unsigned long long)r.edits, r.edits == 1 ? "" : "s", STR_SIZE(r.written),
					*r.way ? " by " : "", r.way);
		pthread_rwlock_unlock(&v->lock);
	}
	return rc;
}

int volume_revert(struct volume *v, struct err *e)
{
	uint64_t n;
	int rc = edit_begin(v, e);
	if (rc < 0)
		return rc;
	n = changes_count(v);
	rc = edit_revert(v, e);
	v->edit->result.n = 0;
	v->edit->gate.refused = false;
	gate_forget(v);
	if (rc == 0)
		buf_printf(&v->edit->result, "dropped %llu edit%s\n", (unsigned long long)n, n == 1 ? "" : "s");
	else
		buf_printf(&v->edit->result, "failed: %s\n", e->text);
	edit_end(v);
	return rc;
}

int volume_control(struct volume *v, bool commit, struct str words, struct err *e)
{
	struct err own = {0};
	int rc = commit ? order_commit(v, words, &own) : volume_revert(v, &own);
	if (rc < 0 && e)
		*e = own;
	return rc;
}

void vol_control_text(const struct volume *v, struct buf *out)
{
	buf_str(out, buf_view(&v->edit->result));
	gate_text(v, GATE_WORD, out);
}
