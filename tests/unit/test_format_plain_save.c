/* Plain pickles, and what lies inside of pickles: numpy arrays, embedded streams. */
#include "save_kit.h"

static const char *const pickles[] = {"good-plain-p0.pkl", "good-plain-p1.pkl", "good-plain-p2.pkl",
		"good-plain-p3.pkl", "good-plain-p4.pkl", "good-plain-p5.pkl",
		"good-plain-numpy-p0.pkl", "good-plain-numpy-p2.pkl", "good-plain-numpy-p5.pkl",
		"good-plain-tensors-p0.pkl", "good-plain-tensors-p1.pkl",
		"good-plain-tensors-p2.pkl", "good-plain-tensors-p3.pkl",
		"good-plain-tensors-p4.pkl", "good-plain-tensors-p5.pkl"};
#define PICKLES (sizeof pickles / sizeof *pickles)

static void saving_without_changes_changes_no_byte(void)
{
	struct ckpt k;
	struct saved s;

	for (unsigned i = 0; i < PICKLES; i++) {
		ckpt_data(&k, pickles[i]);
		save_as(&k, &s, (struct save){0});
		OK(s.now.src && same_bytes(s.now.src, k.src));
		OK(places_are_right(&k, &s));
		saved_release(&s);
		ckpt_release(&k);
	}
}

static void objects_written_anew_are_the_same(void)
{
	struct ckpt k;
	struct saved s;

	for (unsigned i = 0; i < PICKLES; i++) {
		ckpt_data(&k, pickles[i]);
		save_as(&k, &s, (struct save){.pickle = true});
		if (!same_model(&k, &s.now)) {
			tap_bad++;
			printf("# %s\n", pickles[i]);
		}
		saved_release(&s);
		ckpt_release(&k);
	}
}

/* Every storage that may be written gets other first and last bytes. */
static void write_everywhere(struct ckpt *k)
{
	for (uint32_t i = 0; i < k->c->model.storages.n; i++) {
		const struct storage *st = &k->c->model.storages.at[i];
		size_t n = st->data.len < 8 ? (size_t)st->data.len : 8;

		if (n == 0 || n_writes == WRITES_MAX)
			continue;
		EQ_I64(checkpoint_may_write(k->c, i, &k->e), 0);
		write_bytes(k, i, st->data.len - n, "\xf0\x01\xff\x7f\x80\x00\x0a\xc3", n);
	}
}

static void changed_bytes_of_everything_inside_come_back(void)
{
	struct ckpt k;
	struct saved s;

	for (unsigned i = 0; i < PICKLES; i++) {
		ckpt_data(&k, pickles[i]);
		write_everywhere(&k);
		save_as(&k, &s, (struct save){0});
		if (!same_model(&k, &s.now) || !places_are_right(&k, &s)) {
			tap_bad++;
			printf("# %s\n", pickles[i]);
		}
		saved_release(&s);
		ckpt_release(&k);
	}
}

static void changed_bytes_and_objects_come_back_together(void)
{
	struct ckpt k;
	struct saved s;

	for (unsigned i = 0; i < PICKLES; i++) {
		ckpt_data(&k, pickles[i]);
		write_everywhere(&k);
		save_as(&k, &s, (struct save){.pickle = true});
		if (!same_model(&k, &s.now)) {
			tap_bad++;
			printf("# %s\n", pickles[i]);
		}
		saved_release(&s);
		ckpt_release(&k);
	}
}

static void raw_bytes_of_newer_protocols_are_patched_in_place(void)
{
	struct ckpt k;
	struct saved s;

	ckpt_data(&k, "good-plain-tensors-p4.pkl");
	write_bytes(&k, 0, 0, "\1\2", 2);
	save_as(&k, &s, (struct save){0});
	EQ_I64(plan_cost(&s.p, k.src), 2);
	OK(same_model(&k, &s.now));
	saved_release(&s);
	ckpt_release(&k);
}

#define NDARRAY                                                                                    \
	"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85" TEXT("\1", "b") "\x87R"
#define FLOAT_TYPE                                                                                 \
	"cnumpy\ndtype\n" TEXT("\2", "f4") "\x89\x88\x87R(K\3" TEXT(                               \
			"\1", "<") "NNNJ\xff"                                                      \
				   "\xff\xff\xffJ\xff\xff\xff\xffK\0tb"

/* 100,000 bytes: longer than what is kept in memory. */
static void long_text_is_encoded_in_pieces(void)
{
	enum { N = 100000 };
	static const char head[] =
			"\x80\2}" TEXT("\1", "a") NDARRAY "(K\1J\xa8\x61\0\0\x85" FLOAT_TYPE "\x89"
							  "c_codecs\nencode\nX\xa0\x86\1\0";
	static const char tail[] = TEXT("\6", "latin1") "\x86Rtbs.";
	char *file = malloc(sizeof head + N + sizeof tail), *mine = malloc(N);
	struct ckpt k;
	struct saved s;

	memcpy(file, head, sizeof head - 1);
	memset(file + sizeof head - 1, 'x', N);
	memcpy(file + sizeof head - 1 + N, tail, sizeof tail - 1);
	ckpt_file(&k, file, sizeof head - 1 + N + sizeof tail - 1);
	EQ_STR(ckpt_broken(&k, "a"), "");
	for (int i = 0; i < N; i++)
		mine[i] = (char)(i * 7 + i / 251);
	write_bytes(&k, storage_at(&k, "a"), 0, mine, N);
	save_as(&k, &s, (struct save){0});
	OK(same_model(&k, &s.now));
	saved_release(&s);
	ckpt_release(&k);
	free(file);
	free(mine);
}

static void bytearray_stays_one(void)
{
	struct ckpt k;
	struct saved s;
	oref fn, args;

	ckpt_file(&k, LIT("\x80\5"
			  "cnumpy.core.numeric\n_frombuffer\n(\x96\4\0\0\0\0\0\0\0abcd" FLOAT_TYPE
			  "K\1\x85" TEXT("\1", "C") "tR."));
	EQ_STR(ckpt_hex(&k, ""), "61626364");
	write_bytes(&k, 0, 1, "\xff", 1);
	save_as(&k, &s, (struct save){0});
	EQ_STR(ckpt_hex(&s.now, ""), "61ff6364");
	if (s.now.c) {
		const struct graph *g = &s.now.c->model.graph;
		uint32_t n;

		OK(obj_call(g, object_at(&s.now, ""), &fn, &args));
		fn = obj_items(g, args, &n)[0];
		OK(obj_call(g, fn, &fn, &args) && obj_is_global(g, fn, "__builtin__", "bytearray"));
	}
	saved_release(&s);
	ckpt_release(&k);
}

static void big_endian_arrays_stay_big_endian(void)
{
	struct ckpt k;
	struct saved s;
	struct buf out;

	ckpt_file(&k, LIT("\x80\3}" TEXT("\1", "a") NDARRAY
				      "(K\1K\2\x85"
				      "cnumpy\ndtype\n" TEXT("\2", "i2") "\x89\x88\x87R(K\3" TEXT(
						      "\1", ">") "NNNJ\xff\xff\xff\xffJ\xff"
								 "\xff\xff\xffK\0tb\x89"
								 "C\4\0\1\0\2tbs."));
	EQ_STR(ckpt_hex(&k, "a"), "01000200");
	write_bytes(&k, 0, 0, "\x34\x12", 2);
	save_as(&k, &s, (struct save){0});
	EQ_STR(ckpt_hex(&s.now, "a"), "34120200");
	buf_init(&out, 4096);
	if (s.now.c)
		obj_repr(&s.now.c->model.graph, object_at(&s.now, "a"), &out, NULL);
	buf_putc(&out, 0);
	HAS(out.p, "b'\\x124\\x00\\x02'");
	buf_release(&out);
	saved_release(&s);
	ckpt_release(&k);
}

static void changed_objects_are_taken_back(void)
{
	struct ckpt k;
	struct saved s;

	ckpt_data(&k, "good-plain-numpy-p2.pkl");
	graph_record_undo(&k.c->model.graph);
	write_everywhere(&k);
	save_as(&k, &s, (struct save){0});
	saved_release(&s);
	graph_undo(&k.c->model.graph);
	save_as(&k, &s, (struct save){.pickle = true});
	ckpt_release(&k);
	ckpt_data(&k, "good-plain-numpy-p2.pkl");
	OK(same_model(&k, &s.now));
	saved_release(&s);
	ckpt_release(&k);
}

static void bytes_behind_the_pickle_stay_unless_compact(void)
{
	struct ckpt k;
	struct saved s;

	ckpt_file(&k, LIT("\x80\2}" TEXT("\1", "a") "K\1s.behind"));
	save_as(&k, &s, (struct save){.pickle = true});
	EQ_I64(s.rep.dead, 6);
	saved_release(&s);
	save_as(&k, &s, (struct save){.compact = true});
	EQ_I64(s.p.size, k.src->size - 6);
	saved_release(&s);
	ckpt_release(&k);
}

int main(void)
{
	TEST(saving_without_changes_changes_no_byte);
	TEST(objects_written_anew_are_the_same);
	TEST(changed_bytes_of_everything_inside_come_back);
	TEST(changed_bytes_and_objects_come_back_together);
	TEST(raw_bytes_of_newer_protocols_are_patched_in_place);
	TEST(long_text_is_encoded_in_pieces);
	TEST(bytearray_stays_one);
	TEST(big_endian_arrays_stay_big_endian);
	TEST(changed_objects_are_taken_back);
	TEST(bytes_behind_the_pickle_stay_unless_compact);
	return tap_done();
}
