/* Whether a pickle comes out as it was, and whether what comes out is the same graph. */
#include "resaved.h"
#include "same_graph.h"

static bool is_same(const char *text, size_t n, uint64_t *diff, struct err *e)
{
	struct unpickled u;
	bool same = false;

	unpickle(&u, text, n);
	EQ_I64(u.rc, 0);
	EQ_I64(pickle_same(&u.g, u.top, NULL, u.src, 0, n, &same, diff, e), 0);
	unpickled_release(&u);
	return same;
}

static void what_python_wrote_is_the_same(void)
{
	static const char text[] = "\x80\x02]q\x00(K\x01K\x02"
				   "e.";
	static char large[LONG_TEXT];
	struct err e;
	uint64_t diff;

	OK(is_same(text, sizeof text - 1, &diff, &e));
	resaved_long(large);
	OK(is_same(large, sizeof large, &diff, &e));
}

static void the_first_difference_is_told(void)
{
	static const char text[] = "\x80\x02]q\x00(K\x01M\x02\x00"
				   "e.",
			  longer[] = "\x80\x02K\x01..",
			  no_puts[] = "\x80\x02](K\x01K\x02"
				      "e.";
	struct err e;
	uint64_t diff = 0;

	OK(!is_same(text, sizeof text - 1, &diff, &e));
	EQ_I64(diff, 8);
	HAS(e.text, "byte 8");
	OK(!is_same(no_puts, sizeof no_puts - 1, &diff, &e));
	EQ_I64(diff, 3);
	OK(!is_same(longer, sizeof longer - 1, &diff, &e)); /* something behind STOP */
	EQ_I64(diff, 5);
}

static void what_cannot_be_written_is_not_the_same(void)
{
	static const char text[] = "\x80\x05\x97.";
	struct err e;
	uint64_t diff = 0;

	OK(!is_same(text, sizeof text - 1, &diff, &e));
	HAS(e.text, "out-of-band");
}

/* --- random graphs -------------------------------------------------------------------------------
 */

static uint32_t seed;

static uint32_t pick(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

struct made {
	struct graph g;
	oref at[40];
	uint32_t n;
};

static oref any(struct made *m)
{
	return m->at[pick(m->n)];
}

static oref new_tuple(struct made *m)
{
	oref items[5];
	uint32_t n = pick(6);

	for (uint32_t i = 0; i < n; i++)
		items[i] = any(m);
	return obj_new_seq(&m->g, OBJ_KIND_TUPLE, items, n, 0);
}

/* set([..]), whose list may be somebody else's, too. */
static oref new_set(struct made *m)
{
	oref list = pick(4) ? obj_new(&m->g, OBJ_KIND_LIST, 0) : any(m), set;

	set = obj_new_global(&m->g, obj_new_text(&m->g, OBJ_KIND_STR, STR("__builtin__"), 0),
			obj_new_text(&m->g, OBJ_KIND_STR, STR("set"), 0), 0);
	if (m->n < 30)
		m->at[m->n++] = list;
	return obj_new_call(&m->g, OBJ_KIND_CALL, set,
			obj_new_seq(&m->g, OBJ_KIND_TUPLE, &list, 1, 0), 0);
}

static oref new_call(struct made *m)
{
	struct str part[] = {STR("m"), STR("f")};
	oref args = any(m),
	     symbol = obj_new_global(&m->g, obj_new_text(&m->g, OBJ_KIND_STR, part[0], 0),
			     obj_new_text(&m->g, OBJ_KIND_STR, part[1], 0), 0);

	if (obj_kind(&m->g, args) != OBJ_KIND_TUPLE)
		args = new_tuple(m);
	return obj_new_call(&m->g, pick(2) ? OBJ_KIND_CALL : OBJ_KIND_NEW, symbol, args, 0);
}

static oref new_object(struct made *m)
{
	switch (pick(9)) {
	case 0:
		return obj_new_text(&m->g, OBJ_KIND_STR, STR("text"), 0);
	case 1:
		return obj_new_persid(&m->g, any(m), 0);
	case 2:
		return new_set(m);
	case 3:
	case 4:
		return new_call(m);
	case 5:
		return obj_new(&m->g, OBJ_KIND_DICT, 0);
	case 6:
		return obj_new(&m->g, OBJ_KIND_LIST, 0);
	default:
		return new_tuple(m);
	}
}

/* Anything goes into anything that can take it: cycles through all of them. */
static void tie(struct made *m)
{
	oref r = any(m), pair[2] = {any(m), any(m)};
	enum obj_kind kind = obj_kind(&m->g, r);
	bool call = kind == OBJ_KIND_CALL || kind == OBJ_KIND_NEW;

	if (kind == OBJ_KIND_LIST || (call && pick(3) == 0))
		obj_append(&m->g, r, pair, 1 + pick(2));
	else if (kind == OBJ_KIND_DICT || (call && pick(2)))
		obj_set_pairs(&m->g, r, pair, 1);
	else if (call)
		obj_set_state(&m->g, r, pair[0]);
}

static void comes_back(struct made *m, oref root)
{
	struct unpickled u;
	struct buf out;
	struct err e;
	uint64_t diff;
	bool same = false;
	int rc;

	buf_init(&out, SIZE_MAX);
	rc = pickle_save_buf(&m->g, root, NULL, &out, &e);
	OK(rc == 0 || rc == ERR_LIMIT);
	unpickle(&u, out.p, out.n);
	if (rc == 0) {
		EQ_I64(u.rc, 0);
		OK(same_graph(&m->g, root, &u.g, u.top, 0));
		EQ_I64(pickle_same(&u.g, u.top, NULL, u.src, 0, out.n, &same, &diff, &e), 0);
		OK(same);
	}
	unpickled_release(&u);
	buf_release(&out);
}

static void random_graphs_come_back_the_same(void)
{
	struct made m;
	struct err e;

	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t n;

		seed = i;
		n = 2 + pick(14);
		EQ_I64(graph_init(&m.g, &e), 0);
		m.at[0] = OBJ_NONE;
		for (m.n = 1; m.n < n;) {
			oref r = new_object(&m);

			m.at[m.n++] = r;
		}
		for (n = pick(20); n > 0; n--)
			tie(&m);
		comes_back(&m, any(&m));
		graph_release(&m.g);
	}
}

int main(void)
{
	TEST(what_python_wrote_is_the_same);
	TEST(the_first_difference_is_told);
	TEST(what_cannot_be_written_is_not_the_same);
	TEST(random_graphs_come_back_the_same);
	return tap_done();
}
