/* gate.c - before a commit every tensor that was edited is judged against what it was.
 *
 *	storage written over    every tensor on it that looks at written bytes; before: dirty.base
 *	another type, shape     the tensor that has the names now; before: who had them at the
 *	  or a new one          last commit, if anybody
 *
 * What costs is reading: both contents once, and nothing of what was not touched. A tensor is judged
 * once, however many names it has; names that only changed are not looked at. Which numbers are
 * suspicious is judge_edit()'s to say. (design.md "Validation")
 *
 * A card that fails is told from bytes that cannot be read by the CPU, which tries the same bytes: -o
 * device=auto then goes on with it, a card that was asked for by name is an error. What is said of what
 * was found: gate_tell.c.
 */
#include "edit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MOST_KEPT 1000 /* suspects; the others are counted */
#define MOST_LOGGED 64 /* of them, in a log of 256 lines */
#define TOLD_EACH (16u << 20)
/* Bytes from which on -o device=auto looks for a card: fewer are judged by the CPU before a driver has
 * started. */
#define CARD_FROM (256u << 20)

struct edited {
	uint32_t tensor;
	uint32_t was; /* the same: its storage was written over. MODEL_NONE: it is new */
};

/* Numbers do not depend on the order of elements: a tensor and its transpose have the same. */
struct seen {
	uint32_t storage;
	uint8_t dtype;
	uint64_t first, end;
	struct stats now, was;
};
#define SEEN 8 /* the latest ones */

struct judging {
	struct volume *v;
	const struct commit_opts *o;
	VEC(struct edited) list;
	VEC(struct suspect) found;
	struct engine *engine;
	struct u32map first; /* node -> its place in tree.undo as of the last commit */
	uint64_t suspects, done, total, told;
	struct seen seen[SEEN];
	unsigned nseen;
	const struct blob_run *runs; /* of the storage that was asked for last */
	size_t nruns;
	uint32_t runs_of;
};

/* --- which were edited ------------------------------------------------------------------------------- */

static bool run_ends_behind(const struct blob_run *r, uint64_t first)
{
	return r->off + r->len > first;
}

/* Was anything of [first, end) of the storage written over? */
static int overlaps_runs(struct judging *g, const struct dirty *d, uint64_t first, uint64_t end)
{
	size_t low = 0, high;
	if (g->runs_of != d->storage) {
		g->runs = blob_runs(d->blob, &g->nruns);
		if (!g->runs && g->nruns)
			return ERR_NOMEM;
		g->runs_of = d->storage;
	}
	for (high = g->nruns; low < high;) {
		size_t mid = low + (high - low) / 2;
		if (run_ends_behind(&g->runs[mid], first))
			high = mid;
		else
			low = mid + 1;
	}
	return low < g->nruns && g->runs[low].off < end;
}

static int note_first(struct judging *g)
{
	const struct tree *t = &g->v->tree;
	for (size_t i = t->undo.n; i-- > 0;)
		if (u32map_set(&g->first, t->undo.at[i].id, (uint32_t)i) < 0)
			return ERR_NOMEM;
	return 0;
}

/* How a node was at the last commit; NULL: it was not there, or (edited false) is as it was. */
static const struct node *node_before(const struct judging *g, uint32_t node)
{
	const struct tree *t = &g->v->tree;
	uint32_t i;
	const struct node *old = &t->nodes.at[node];
	if (u32map_get(&g->first, node, &i))
		old = &t->undo.at[i].node;
	return old->flags & (NODE_GONE | NODE_NEW) ? NULL : old;
}

/* The tensor that the name of this one had at the last commit. */
static uint32_t former(const struct judging *g, uint32_t tensor)
{
	const struct tree *t = &g->v->tree;
	uint32_t node = tree_first(t, tensor);
	const struct node *now = &t->nodes.at[node], *old = node_before(g, node);
	if (!old) {
		node = scratch_typed(g->v, now->parent, node_name(t, node));
		old = node == TREE_NONE ? NULL : node_before(g, node);
		if (!old || old->parent != now->parent || old->name_len != now->name_len ||
				memcmp(old->name, now->name, now->name_len) != 0)
			return MODEL_NONE;
	}
	const struct value *val = &vol_model(g->v)->values.at[old->value];
	return val->kind == VALUE_TENSOR && val->tensor != tensor ? val->tensor : MODEL_NONE;
}

/* 1: it was edited, and *was is set; 0: not. */
static int was_edited(struct judging *g, uint32_t id, uint32_t *was)
{
	const struct model *m = vol_model(g->v);
	const struct tensor *t = &m->tensors.at[id];
	uint64_t first, end;
	if (t->storage == MODEL_NONE || !tree_nlink(&g->v->tree, id))
		return 0;
	if (id >= g->v->edit->base_tensors) {
		*was = former(g, id);
		return 1;
	}
	const struct dirty *d = dirty_find(g->v, t->storage);
	if (!d)
		return 0;
	*was = id;
	tensor_span(m, t, &first, &end);
	return overlaps_runs(g, d, first, end);
}

static int find_edited(struct judging *g, struct err *e)
{
	const struct model *m = vol_model(g->v);
	bool any = g->v->edit->dirty.n || m->tensors.n > g->v->edit->base_tensors;
	if (any && note_first(g) < 0)
		return err_nomem(e);
	for (uint32_t i = 0; any && i < m->tensors.n; i++) {
		struct edited x = {i, MODEL_NONE};
		int rc = was_edited(g, i, &x.was);
		if (rc < 0 || (rc && vec_push(&g->list, x) < 0))
			return err_nomem(e);
		if (rc)
			g->total += m->tensors.at[i].nbytes;
	}
	return 0;
}

/* --- the engine ------------------------------------------------------------------------------------------ */

static const char *device(const struct volume *v)
{
	return v->opts.device ? v->opts.device : "auto";
}

static bool is_auto(const struct volume *v)
{
	return strcmp(device(v), "auto") == 0;
}

/* Opened by the first commit that needs it, and kept: a driver takes a second to start. */
static int open_engine(struct judging *g, struct err *e)
{
	struct volume *v = g->v;
	struct buf why;
	int rc = 0;
	g->engine = v->edit->gate.engine ? v->edit->gate.engine : engine_cpu();
	if (v->edit->gate.engine || (is_auto(v) && g->total < CARD_FROM))
		return 0;
	buf_init(&why, 4096);
	rc = engine_open(device(v), &v->edit->gate.engine, &why, e);
	g->engine = v->edit->gate.engine;
	if (rc < 0)
		err_prefix(e, "-o device=%s", device(v));
	else if (why.n && !why.failed)
		log_note(v->log, "note: edits are validated by the CPU: %.*s", STR_FMT(buf_view(&why)));
	buf_release(&why);
	return rc;
}

/* *dead: the engine that was asked for by name does not work any more. */
static int numbers(struct judging *g, const struct content *c, enum dtype dt, struct stats *ret,
		bool *dead, struct err *e)
{
	struct gate *gate = &g->v->edit->gate;
	struct stats own;
	int rc = engine_stats(g->engine, c, dt, ret, e);
	if (rc == 0 || g->engine == engine_cpu() || engine_stats(engine_cpu(), c, dt, &own, NULL) < 0)
		return rc;
	engine_close(gate->engine);
	gate->engine = g->engine = NULL; /* the next commit tries again */
	if (!is_auto(g->v)) {
		*dead = true;
		err_prefix(e, "-o device=%s", device(g->v));
		return rc;
	}
	log_add(g->v->log, "note: the CPU goes on validating edits: %s", e->text);
	gate->engine = g->engine = engine_cpu();
	*ret = own;
	return 0;
}

/* --- one tensor ------------------------------------------------------------------------------------------ */

/* As it was at the last commit. */
static int content_before(const struct volume *v, uint32_t id, struct content *ret, struct err *e)
{
	const struct model *m = vol_model(v);
	struct tensor t = m->tensors.at[id];
	const struct dirty *d = t.storage == MODEL_NONE ? NULL : dirty_find(v, t.storage);
	if (!d)
		return content_tensor(m, id, ret, e);
	struct storage s = m->storages.at[t.storage];
	struct model before = {.tensors = {.at = &t, .n = 1}, .storages = {.at = &s, .n = 1}};
	s.data = d->base;
	t.storage = 0;
	return content_tensor(&before, 0, ret, e);
}

/* Can its bytes be read as they lie? */
static bool in_any_order(const struct tensor *t)
{
	return t->storage != MODEL_NONE && !t->broken && tensor_is_dense(t) && !tensor_scatter_fix(t) &&
	       !(t->flags & (TENSOR_PARTIAL | TENSOR_EXPANDED));
}

/* Its elements in the order of their places: a transposed tensor would be gathered. */
static struct content as_it_lies(const struct volume *v, uint32_t id, bool before)
{
	const struct model *m = vol_model(v);
	const struct tensor *t = &m->tensors.at[id];
	const struct dirty *d = before ? dirty_find(v, t->storage) : NULL;
	struct extent x = d ? d->base : m->storages.at[t->storage].data;
	uint64_t first, end;
	tensor_span(m, t, &first, &end);
	x.off += first;
	x.len = end - first;
	return (struct content){.at = {x}, .n = 1, .size = x.len};
}

static int look(struct judging *g, uint32_t id, bool before, struct stats *ret, bool *dead, struct err *e)
{
	struct content c = {0};
	int rc = 0;
	if (in_any_order(&vol_model(g->v)->tensors.at[id]))
		c = as_it_lies(g->v, id, before);
	else
		rc = before ? content_before(g->v, id, &c, e) : content_tensor(vol_model(g->v), id, &c, e);
	if (rc == 0)
		rc = numbers(g, &c, (enum dtype)vol_model(g->v)->tensors.at[id].dtype, ret, dead, e);
	content_release(&c);
	return rc;
}

static void not_judged(const struct judging *g, uint32_t tensor, const char *what, const struct err *e)
{
	struct buf path;
	buf_init(&path, 1 << 20);
	tree_path(&g->v->tree, tree_first(&g->v->tree, tensor), &path);
	log_add(g->v->log, "note: %.*s is not validated%s: %s", STR_FMT(buf_view(&path)), what, e->text);
	buf_release(&path);
}

/* Another tensor over the same bytes, written over as they are. */
static const struct seen *find_seen(const struct judging *g, const struct edited *x, struct seen *key)
{
	const struct model *m = vol_model(g->v);
	const struct tensor *t = &m->tensors.at[x->tensor];
	if (x->was != x->tensor || !in_any_order(t))
		return NULL;
	*key = (struct seen){.storage = t->storage, .dtype = t->dtype};
	tensor_span(m, t, &key->first, &key->end);
	for (unsigned i = 0; i < g->nseen && i < SEEN; i++) {
		const struct seen *s = &g->seen[i];
		if (s->storage == key->storage && s->dtype == key->dtype && s->first == key->first &&
				s->end == key->end)
			return s;
	}
	return NULL;
}

/* What cannot be read is not judged, and no reason to keep the rest from being committed. */
static int judge_one(struct judging *g, const struct edited *x, struct err *e)
{
	const struct model *m = vol_model(g->v);
	struct suspect s = {.tensor = x->tensor, .fresh = x->was == MODEL_NONE};
	struct err own = {0};
	bool dead = false;
	struct seen key = {.end = 0};
	const struct seen *same = find_seen(g, x, &key);
	int rc = same ? 0 : look(g, x->tensor, false, &s.now, &dead, &own);
	if (same)
		s.now = same->now, s.was = same->was;
	if (rc < 0 && !dead) {
		not_judged(g, x->tensor, "", &own);
		return 0;
	}
	if (rc == 0 && !s.fresh && !same && look(g, x->was, true, &s.was, &dead, &own) < 0) {
		if (!dead)
			not_judged(g, x->tensor, " against its former content", &own);
		s.fresh = true;
	}
	if (dead) {
		if (e)
			*e = own;
		return own.code;
	}
	if (key.end && !same && !s.fresh) {
		key.now = s.now, key.was = s.was;
		g->seen[g->nseen++ % SEEN] = key;
	}
	enum dtype was = s.fresh ? DTYPE_NONE : (enum dtype)m->tensors.at[x->was].dtype;
	s.what = judge_edit(s.fresh ? NULL : &s.was, was, &s.now, (enum dtype)m->tensors.at[x->tensor].dtype);
	g->suspects += s.what != 0;
	if (s.what && g->found.n < MOST_KEPT && vec_push(&g->found, s) < 0)
		return err_nomem(e);
	return 0;
}

static void tell(struct judging *g, uint64_t nbytes)
{
	g->done += nbytes;
	if (g->done - g->told < TOLD_EACH)
		return;
	g->told = g->done;
	atomic_store(&g->v->edit->done, g->done);
	atomic_store(&g->v->edit->total, g->total);
	if (g->o->progress)
		g->o->progress(g->o->ctx, g->done, g->total);
}

/* --- all of it -------------------------------------------------------------------------------------------- */

/* What was found takes the place of what was found before. */
static void publish(struct judging *g)
{
	struct volume *v = g->v;
	struct gate *to = &v->edit->gate;
	pthread_rwlock_wrlock(&v->lock);
	gate_forget(v);
	for (size_t i = 0; i < g->found.n && vec_push(&to->suspects, g->found.at[i]) == 0; i++)
		;
	to->count = g->suspects;
	to->when = v->edit->last;
	pthread_rwlock_unlock(&v->lock);
}

static void log_found(const struct judging *g)
{
	struct buf line;
	buf_init(&line, 1 << 20);
	for (size_t i = 0; i < g->found.n && i < MOST_LOGGED; i++) {
		line.n = 0;
		gate_one_text(g->v, &g->found.at[i], &line);
		log_add(g->v->log, GATE_WORD "%.*s", STR_FMT(buf_view(&line)));
	}
	if (g->suspects > MOST_LOGGED)
		log_add(g->v->log, GATE_WORD "%" PRIu64 " further tensors", g->suspects - MOST_LOGGED);
	buf_release(&line);
}

static bool is_strict(const struct judging *g)
{
	const struct edit *ed = g->v->edit;
	return (g->v->opts.validate == VALIDATE_STRICT || ed->gate.refused) && !g->o->force;
}

static int refuse(const struct judging *g, struct err *e)
{
	uint64_t more = g->suspects - 1;
	char others[64] = "";
	struct buf first;
	buf_init(&first, 1 << 20);
	gate_one_text(g->v, &g->found.at[0], &first);
	if (more)
		snprintf(others, sizeof others, " and %" PRIu64 " more tensor%s", more, more == 1 ? "" : "s");
	err_set(e, ERR_REFUSED, GATE_REFUSED " finds edits suspicious, nothing was written: %s%s%s",
			STR_SHOW(buf_view(&first)), others,
			g->v->edit->journal ? "; put them right, or pthfs commit --force writes them all the same"
					    : "");
	buf_release(&first);
	return ERR_REFUSED;
}

static int judge(struct judging *g, struct err *e)
{
	int rc = find_edited(g, e);
	if (rc == 0 && g->list.n)
		rc = open_engine(g, e);
	for (size_t i = 0; i < g->list.n && rc == 0; i++) {
		rc = judge_one(g, &g->list.at[i], e);
		tell(g, vol_model(g->v)->tensors.at[g->list.at[i].tensor].nbytes);
	}
	atomic_store(&g->v->edit->done, 0);
	atomic_store(&g->v->edit->total, 0);
	if (rc < 0)
		return rc;
	publish(g);
	return g->suspects && is_strict(g) ? refuse(g, e) : 0;
}

int gate_judge(struct volume *v, const struct commit_opts *o, uint64_t *suspects, struct err *e)
{
	struct judging g = {.v = v, .o = o, .runs_of = UINT32_MAX};
	int rc = 0;
	*suspects = 0;
	if (v->opts.validate == VALIDATE_OFF) {
		publish(&g);
		return 0;
	}
	rc = judge(&g, e);
	if ((rc == 0 || rc == ERR_REFUSED) && v->opts.mode != VOLUME_PEEK)
		log_found(&g);
	*suspects = g.suspects;
	vec_release(&g.list);
	vec_release(&g.found);
	u32map_release(&g.first);
	return rc;
}
