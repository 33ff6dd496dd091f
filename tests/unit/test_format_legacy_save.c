/* Legacy streams, changed and written back. */
#include "save_kit.h"

static const char *const streams[] = {"good-legacy-state-dict.pth",
		"good-legacy-checkpoint.pth.tar", "good-legacy-dtypes.pt", "good-legacy-module.pt",
		"good-legacy-python2.pth", "good-legacy-quantized.pt", "good-legacy-trailing.pt",
		"good-legacy-untyped.pt", "good-legacy-values.pkl", "good-legacy-views.pt",
		"good-legacy-windows.pt", "good-113-legacy.pth"};
#define STREAMS (sizeof streams / sizeof *streams)

static void saving_without_changes_changes_no_byte(void)
{
	struct ckpt k;
	struct saved s;

	for (unsigned i = 0; i < STREAMS; i++) {
		ckpt_data(&k, streams[i]);
		save_as(&k, &s, (struct save){0});
		OK(s.now.src && same_bytes(s.now.src, k.src));
		EQ_I64(plan_cost(&s.p, k.src), 0);
		OK(places_are_right(&k, &s));
		saved_release(&s);
		ckpt_release(&k);
	}
}

static void objects_written_anew_are_the_same(void)
{
	struct ckpt k;
	struct saved s;

	for (unsigned i = 0; i < STREAMS; i++) {
		ckpt_data(&k, streams[i]);
		save_as(&k, &s, (struct save){.pickle = true});
		if (!same_model(&k, &s.now) || !places_are_right(&k, &s)) {
			tap_bad++;
			printf("# %s\n", streams[i]);
		}
		saved_release(&s);
		ckpt_release(&k);
	}
}

static void what_torch_wrote_comes_out_byte_for_byte(void)
{
	static const char *const own[] = {"good-legacy-state-dict.pth",
			"good-legacy-checkpoint.pth.tar", "good-legacy-dtypes.pt",
			"good-legacy-module.pt", "good-legacy-quantized.pt",
			"good-legacy-trailing.pt", "good-legacy-untyped.pt",
			"good-legacy-values.pkl", "good-legacy-views.pt", "good-113-legacy.pth"};
	struct ckpt k;
	struct saved s;

	for (unsigned i = 0; i < sizeof own / sizeof *own; i++) {
		ckpt_data(&k, own[i]);
		save_as(&k, &s, (struct save){.pickle = true});
		if (!s.now.src || !same_bytes(s.now.src, k.src)) {
			tap_bad++;
			printf("# %s differs\n", own[i]);
		}
		saved_release(&s);
		ckpt_release(&k);
	}
}

static void changed_bytes_are_patched_in_place(void)
{
	struct ckpt k;
	struct saved s;
	uint32_t id;
	char byte = 0;

	ckpt_data(&k, "good-legacy-state-dict.pth");
	id = storage_at(&k, "fc.bias");
	write_bytes(&k, id, 2, "\x12\x34\x56", 3);
	save_as(&k, &s, (struct save){0});
	EQ_I64(plan_cost(&s.p, k.src), 3);
	EQ_I64(s.places[id], k.c->model.storages.at[id].file_off);
	OK(source_read(s.now.src, &byte, 1, s.places[id] + 3, NULL) == 0 && byte == 0x34);
	OK(same_model(&k, &s.now));
	saved_release(&s);
	ckpt_release(&k);
}

static void renamed_key_moves_what_is_behind(void)
{
	struct ckpt k;
	struct saved s;

	ckpt_data(&k, "good-legacy-state-dict.pth");
	EQ_I64(change_root(&k, UINT32_MAX, 0, "a.much.longer.name", OREF_NIL, OREF_NIL), 0);
	write_bytes(&k, 1, 0, "\7", 1);
	save_as(&k, &s, (struct save){.pickle = true});
	OK(places_are_right(&k, &s));
	OK(!ckpt_tensor(&s.now, "a.much.longer.name")->broken);
	OK(s.now.c && s.now.c->model.findings.n == 0);
	EQ_I64(s.now.c->model.storages.n, k.c->model.storages.n);
	saved_release(&s);
	ckpt_release(&k);
}

/* The texts of the list of storage keys. */
static void listed_keys(const struct ckpt *k, struct buf *out)
{
	const struct member *m = box_find(k->c->box, STR("keys.pkl"));
	struct reader r;
	struct graph g;
	struct str text;
	oref list;
	uint32_t n;
	const oref *at;

	buf_init(out, 4096);
	if (graph_init(&g, NULL) < 0 ||
			reader_init(&r, k->c->file, m->data_off, m->stored, NULL) < 0 ||
			pickle_load(&r, &g, &list, NULL, NULL) < 0)
		abort();
	at = obj_items(&g, list, &n);
	for (uint32_t i = 0; i < n; i++) {
		obj_text(&g, at[i], &text);
		buf_str(out, text);
		buf_putc(out, i + 1 < n ? ' ' : 0);
	}
	reader_release(&r);
	graph_release(&g);
}

/* torch fails on a listed key that nothing names. */
static void removed_tensor_takes_its_storage_along(void)
{
	struct ckpt k;
	struct saved s;
	struct buf keys;

	ckpt_data(&k, "good-legacy-state-dict.pth");
	EQ_I64(change_root(&k, 0, UINT32_MAX, NULL, OREF_NIL, OREF_NIL), 0);
	save_as(&k, &s, (struct save){.pickle = true});
	EQ_I64(s.now.c->model.storages.n, k.c->model.storages.n - 1);
	listed_keys(&s.now, &keys);
	OK(!strstr(keys.p, k.c->model.storages.at[0].key.p));
	buf_release(&keys);
	EQ_I64(s.places[0], UINT64_MAX);
	EQ_I64(s.rep.dead, 0);
	saved_release(&s);
	ckpt_release(&k);
}

static void new_tensor_is_listed_where_torch_would(void)
{
	static const int64_t shape[] = {3};
	struct source *src = source_mem_borrow("abcdefghijkl", 12);
	struct new_tensor t = {.dtype = DTYPE_INT32,
			.ndim = 1,
			.shape = shape,
			.data = {src, 0, 12},
			.storage = MODEL_NONE,
			.like = MODEL_NONE};
	struct ckpt k;
	struct saved s;
	struct buf keys;
	uint32_t v = 0;

	ckpt_data(&k, "good-legacy-state-dict.pth");
	EQ_I64(change_new_tensor(k.c, &t, &v, &k.e), 0);
	EQ_I64(change_root(&k, UINT32_MAX, UINT32_MAX, NULL, text_object(&k, "new"),
			       k.c->model.values.at[v].obj),
			0);
	save_as(&k, &s, (struct save){.pickle = true});
	EQ_STR(ckpt_hex(&s.now, "new"), "6162636465666768696a6b6c");
	listed_keys(&s.now, &keys);
	HAS(keys.p, k.c->model.storages.at[k.c->model.storages.n - 1].key.p);
	for (char *p = keys.p, *next; (next = strchr(p, ' ')) != NULL; p = next + 1) {
		size_t n = (size_t)(next - p), m = strcspn(next + 1, " ");
		int d = memcmp(p, next + 1, n < m ? n : m);

		OK(d < 0 || (d == 0 && n < m));
	}
	buf_release(&keys);
	OK(places_are_right(&k, &s));
	saved_release(&s);
	ckpt_release(&k);
	source_unref(src);
}

static void bytes_behind_the_last_storage_stay_unless_compact(void)
{
	struct ckpt k;
	struct saved s;
	uint64_t dead;

	ckpt_data(&k, "good-legacy-trailing.pt");
	save_as(&k, &s, (struct save){.pickle = true});
	dead = s.rep.dead;
	OK(dead > 0);
	EQ_I64(s.p.size, k.src->size);
	saved_release(&s);
	save_as(&k, &s, (struct save){.compact = true});
	EQ_I64(s.p.size, k.src->size - dead);
	EQ_I64(s.rep.dead, 0);
	OK(same_model(&k, &s.now));
	saved_release(&s);
	ckpt_release(&k);
}

static void compacting_twice_is_compacting_once(void)
{
	struct ckpt k;
	struct saved s, t;

	for (unsigned i = 0; i < STREAMS; i++) {
		ckpt_data(&k, streams[i]);
		save_as(&k, &s, (struct save){.compact = true});
		save_as(&s.now, &t, (struct save){.compact = true});
		OK(t.now.src && s.now.src && same_bytes(t.now.src, s.now.src));
		OK(same_model(&k, &t.now));
		saved_release(&t);
		saved_release(&s);
		ckpt_release(&k);
	}
}

int main(void)
{
	TEST(saving_without_changes_changes_no_byte);
	TEST(objects_written_anew_are_the_same);
	TEST(what_torch_wrote_comes_out_byte_for_byte);
	TEST(changed_bytes_are_patched_in_place);
	TEST(renamed_key_moves_what_is_behind);
	TEST(removed_tensor_takes_its_storage_along);
	TEST(new_tensor_is_listed_where_torch_would);
	TEST(bytes_behind_the_last_storage_stay_unless_compact);
	TEST(compacting_twice_is_compacting_once);
	return tap_done();
}
