/* Torch zips with another pickle, and with storages that come and go. */
#include "zip_save_kit.h"

/* --- the pickle ------------------------------------------------------------------------------- */

static void pickle_that_fits_stays_in_its_place(void)
{
	struct zs f, g;
	const struct member *m;

	zs_young(&f, LIT(THREE));
	zs_rename(&f, 0, "x");
	zs_save(&f, &g, (struct save){.pickle = true});
	EQ_STR(ckpt_keys(&g.k, ""), "x b c");
	EQ_I64(g.p.size, f.k.src->size);
	OK(!g.rep.pickle_moved && !g.rep.format_version);
	EQ_I64(g.rep.dead, 0);
	m = zs_member(&g, "a/data.pkl");
	EQ_I64(m->header_off, 0);
	EQ_I64(m->data_off, f.z.rec[0].data);
	/* the letter, two CRCs of the pickle, and the id with two CRCs of its own */
	OK(zs_cost(&f, &g) <= 1 + 8 + 20 + 8);
	OK(zs_serial_ok(&g));
	zs_release(&g);
	zs_release(&f);
}

static void shorter_pickle_has_more_padding(void)
{
	struct zs f, g;
	const struct member *m;

	zs_young(&f, LIT(THREE));
	zs_remove(&f, 2);
	zs_save(&f, &g, (struct save){.pickle = true});
	EQ_STR(ckpt_keys(&g.k, ""), "a b");
	m = zs_member(&g, "a/data.pkl");
	EQ_I64(m->header_off, 0);
	EQ_I64(m->data_off % 64, 0);
	OK(m->data_off >= f.z.rec[0].data);
	/* what is left behind it is too short for anything */
	OK(f.z.rec[1].header - (m->data_off + m->stored + 16) < 64);
	zs_release(&g);
	zs_release(&f);
}

static void longer_pickle_goes_over_the_old_directory(void)
{
	struct zs f, g;
	const struct member *m;

	zs_old(&f, LIT(THREE));
	zs_rename(&f, 0, "a name that is longer than the padding of the old record is");
	zs_save(&f, &g, (struct save){.pickle = true});
	m = zs_member(&g, "a/data.pkl");
	OK(g.rep.pickle_moved);
	EQ_I64(m->header_off, f.z.dir);
	EQ_I64(m->data_off % 64, 0);
	EQ_I64(g.rep.dead, f.z.rec[1].header);
	EQ_I64(zs_count(&g, "PK\5\6"), 1);
	EQ_I64(zs_count(&g, "PK\6\6"), 1);
	EQ_I64(zs_count(&g, "PK\1\2"), f.k.c->box->n);
	EQ_STR(g.k.c->box->at[0].name.p, "a/data.pkl");
	EQ_I64(g.places[0], f.z.rec[1].data);
	zs_release(&g);
	zs_release(&f);
}

/* Otherwise every commit of a new name would leave a dead pickle behind. */
static void pickle_at_the_end_grows_in_its_place(void)
{
	struct zs f, g, h;

	zs_old(&f, LIT(THREE));
	zs_rename(&f, 0, "a name that is longer than the padding of the old record is");
	zs_save(&f, &g, (struct save){.pickle = true});
	zs_rename(&g, 1, "and another one that is quite as long, so it does not fit in there");
	zs_save(&g, &h, (struct save){.pickle = true});
	OK(!h.rep.pickle_moved);
	EQ_I64(zs_member(&h, "a/data.pkl")->header_off, f.z.dir);
	EQ_I64(h.rep.dead, g.rep.dead);
	EQ_I64(zs_count(&h, "PK\5\6"), 1);
	zs_release(&h);
	zs_release(&g);
	zs_release(&f);
}

static void shrinking_and_growing_again_comes_back(void)
{
	struct zs f, g, h;

	zs_old(&f, LIT(THREE));
	zs_rename(&f, 0, "");
	zs_save(&f, &g, (struct save){.pickle = true});
	zs_rename(&g, 0, "a");
	zs_save(&g, &h, (struct save){.pickle = true});
	EQ_I64(h.p.size, f.k.src->size);
	EQ_I64(h.rep.dead, 0);
	EQ_I64(zs_member(&h, "a/data.pkl")->data_off, f.z.rec[0].data);
	zs_release(&h);
	zs_release(&g);
	zs_release(&f);
}

/* Every size of the pickle around the room that it has. */
static void pickle_of_any_size_is_placed(void)
{
	char name[200];

	for (size_t n = 0; n < 150; n++) {
		struct zs f, g;

		memset(name, 'n', n);
		name[n] = 0;
		zs_young(&f, LIT(THREE));
		zs_rename(&f, 1, name);
		zs_save(&f, &g, (struct save){.pickle = true});
		EQ_I64(g.rc, 0);
		OK(ckpt_at(&g.k, name) != NULL);
		OK(zs_serial_ok(&g));
		EQ_I64(zs_count(&g, "PK\5\6"), 1);
		zs_release(&g);
		zs_release(&f);
	}
}

static void deflated_pickle_is_stored(void)
{
	struct zs f = {0}, g;
	struct buf b;

	zs_canon(LIT("\x80\4}" ENTRY("a", "0", "\4") "s."), &b);
	mkzip_add_as(&f.z, "a/data.pkl", 10, b.p, b.n, MKZIP_DEFLATE);
	buf_release(&b);
	zs_storage(&f.z, "a/data/0", 16, 0, 0);
	mkzip_add(&f.z, "a/version", "3\n", 2);
	mkzip_finish(&f.z);
	zs_open(&f);
	zs_rename(&f, 0, "b");
	zs_save(&f, &g, (struct save){.pickle = true});
	EQ_STR(ckpt_keys(&g.k, ""), "b");
	EQ_I64(zs_member(&g, "a/data.pkl")->method, 0);
	zs_release(&g);
	zs_release(&f);
}

static void comment_is_kept_when_the_directory_moves(void)
{
	struct zs f = {0}, g;

	zs_pickle(&f.z, LIT("\x80\4}" ENTRY("a", "0", "\4") "s."));
	zs_storage(&f.z, "a/data/0", 16, 0, 0);
	mkzip_add(&f.z, "a/version", "3\n", 2);
	f.z.no_end64 = true;
	mkzip_finish(&f.z);
	mkzip_comment(&f.z, "said", 4);
	zs_open(&f);
	zs_rename(&f, 0, "a name that is longer than the padding of the old record is");
	zs_save(&f, &g, (struct save){.pickle = true});
	EQ_MEM(g.k.c->box->comment.p, g.k.c->box->comment.n, "said", 4);
	EQ_I64(zs_count(&g, "PK\6\6"), 1);
	zs_release(&g);
	zs_release(&f);
}

/* --- storages that come and go ---------------------------------------------------------------- */

static void unused_storage_leaves_the_directory(void)
{
	struct zs f, g;

	zs_old(&f, LIT(THREE));
	zs_remove(&f, 1);
	zs_save(&f, &g, (struct save){.pickle = true});
	OK(!zs_member(&g, "a/data/1"));
	EQ_I64(g.places[1], -1);
	EQ_I64(g.places[2], f.z.rec[3].data);
	OK(g.rep.dead >= f.z.rec[3].header - f.z.rec[2].header);
	OK(g.p.size < f.k.src->size);
	zs_release(&g);
	zs_release(&f);
}

static void format_version_goes_when_storages_have_a_gap(void)
{
	struct zs f, g;

	zs_young(&f, LIT(THREE));
	zs_remove(&f, 1);
	zs_save(&f, &g, (struct save){.pickle = true});
	OK(g.rep.format_version);
	OK(!zs_member(&g, "a/.format_version"));
	OK(zs_member(&g, "a/.storage_alignment"));
	OK(zs_serial_ok(&g));
	zs_release(&g);
	zs_release(&f);
}

static void format_version_goes_when_the_first_storage_is_gone(void)
{
	struct zs f, g;

	zs_young(&f, LIT(THREE));
	zs_remove(&f, 0);
	zs_save(&f, &g, (struct save){.pickle = true});
	OK(g.rep.format_version);
	zs_release(&g);
	zs_release(&f);
}

static void format_version_stays_when_the_last_storage_goes(void)
{
	struct zs f, g;

	zs_young(&f, LIT(THREE));
	zs_remove(&f, 2);
	zs_save(&f, &g, (struct save){.pickle = true});
	OK(!g.rep.format_version);
	OK(zs_member(&g, "a/.format_version"));
	zs_release(&g);
	zs_release(&f);
}

static void format_version_goes_when_storages_are_met_in_another_order(void)
{
	struct zs f, g;
	oref pairs[6], swap;
	uint32_t n;

	zs_young(&f, LIT(THREE));
	memcpy(pairs, obj_pairs(zs_graph(&f), zs_root(&f), &n), sizeof pairs);
	swap = pairs[3], pairs[3] = pairs[5], pairs[5] = swap;
	OK(obj_replace_pairs(zs_graph(&f), zs_root(&f), pairs, 3) == 0);
	zs_save(&f, &g, (struct save){.pickle = true});
	OK(g.rep.format_version);
	zs_release(&g);
	zs_release(&f);
}

static void new_storage_is_a_record_behind_the_others(void)
{
	struct zs f, g;
	uint32_t at;

	zs_young(&f, LIT(THREE));
	at = zs_new_storage(&f, "d", "3", "new bytes", 8);
	zs_save(&f, &g, (struct save){.pickle = true});
	EQ_STR(ckpt_keys(&g.k, ""), "a b c d");
	EQ_STR(ckpt_hex(&g.k, "d"), "6e65772062797465");
	OK(g.places[at] > f.z.dir);
	EQ_I64(g.places[at] % 64, 0);
	OK(g.rep.pickle_moved && g.rep.format_version);
	EQ_I64(zs_count(&g, "PK\5\6"), 1);
	OK(zs_serial_ok(&g));
	zs_release(&g);
	zs_release(&f);
}

static void new_storage_takes_the_name_of_a_record_that_nobody_uses(void)
{
	struct zs f = {0}, g;

	zs_pickle(&f.z, LIT("\x80\4}" ENTRY("a", "0", "\4") "s."));
	zs_storage(&f.z, "a/data/0", 16, 0, 0);
	zs_storage(&f.z, "a/data/1", 16, 50, 0);
	mkzip_add(&f.z, "a/version", "3\n", 2);
	mkzip_finish(&f.z);
	zs_open(&f);
	zs_new_storage(&f, "d", "1", "new bytes", 8);
	zs_save(&f, &g, (struct save){.pickle = true});
	EQ_STR(ckpt_hex(&g.k, "d"), "6e65772062797465");
	EQ_I64(g.k.c->box->n, 4);
	zs_release(&g);
	zs_release(&f);
}

static void new_storage_of_a_big_endian_file_is_swapped(void)
{
	struct zs f = {0}, g;

	zs_pickle(&f.z, LIT("\x80\4}" ENTRY("a", "0", "\4") "s."));
	mkzip_add(&f.z, "a/byteorder", "big", 3);
	zs_storage(&f.z, "a/data/0", 16, 0, 0);
	mkzip_add(&f.z, "a/version", "3\n", 2);
	mkzip_finish(&f.z);
	zs_open(&f);
	zs_new_storage(&f, "d", "1", "new bytes", 8);
	zs_save(&f, &g, (struct save){.pickle = true});
	EQ_STR(ckpt_hex(&g.k, "d"), "6e65772062797465");
	zs_release(&g);
	zs_release(&f);
}

static void empty_storage_has_a_record(void)
{
	struct zs f, g;

	zs_old(&f, LIT(THREE));
	zs_new_storage(&f, "d", "3", "", 0);
	zs_save(&f, &g, (struct save){.pickle = true});
	OK(zs_member(&g, "a/data/3") && zs_member(&g, "a/data/3")->size == 0);
	EQ_STR(ckpt_broken(&g.k, "d"), "");
	zs_release(&g);
	zs_release(&f);
}

static void bytes_and_pickle_change_at_once(void)
{
	struct zs f, g;

	zs_young(&f, LIT(THREE));
	zs_write(&f, 0, 0, "ABCD", 4);
	zs_rename(&f, 1, "a name that is longer than the padding of the old record is");
	zs_save(&f, &g, (struct save){.pickle = true});
	OK(strncmp(ckpt_hex(&g.k, "a"), "4142434404", 10) == 0);
	OK(zs_serial_ok(&g));
	OK(!g.rep.format_version); /* the storages are where they were */
	zs_release(&g);
	zs_release(&f);
}

/* --- bytes inside of the pickle --------------------------------------------------------------- */

#define BIG 70000 /* bytes: more than is kept in memory */
#define TAKEN "\x70\x11\1\0" /* BIG */

/* {"n": array of uint8, "a": storage 0}, protocol 4: the bytes of the array lie there as they are. */
static void zs_with_array(struct zs *f)
{
	static const char head[] = "\x80\4}(" TEXT("\1", "n")
			"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85"
			"C\1b\x87R(K\1J" TAKEN "\x85"
			"cnumpy\ndtype\n" TEXT("\2", "u1") "\x89\x88\x87R(K\3" TEXT("\1", "|")
			"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89"
			"B" TAKEN;
	static const char tail[] = "tb" ENTRY("a", "0", "\4") "u.";
	size_t n = sizeof head - 1 + BIG + sizeof tail - 1;
	char *p = calloc(n, 1);

	memcpy(p, head, sizeof head - 1);
	memcpy(p + sizeof head - 1 + BIG, tail, sizeof tail - 1);
	*f = (struct zs){0};
	mkzip_add(&f->z, "a/data.pkl", p, n);
	free(p);
	zs_storage(&f->z, "a/data/0", 16, 0, 0);
	mkzip_add(&f->z, "a/version", "3\n", 2);
	mkzip_finish(&f->z);
	zs_open(f);
	EQ_STR(ckpt_broken(&f->k, "n"), "");
}

static void bytes_inside_of_the_pickle_are_patched_there(void)
{
	for (int squeeze = 0; squeeze < 2; squeeze++) {
		struct zs f, g;
		uint32_t at;
		char got[4];

		zs_with_array(&f);
		at = ckpt_tensor(&f.k, "n")->storage;
		EQ_I64(checkpoint_may_write(f.k.c, at, NULL), 0);
		zs_write(&f, at, 100, "ABC", 3);
		zs_write(&f, at, BIG - 1, "D", 1);
		zs_save(&f, &g, (struct save){.compact = squeeze});
		EQ_I64(zs_cost(&f, &g), 4 + 8);
		EQ_I64(g.places[at], f.k.c->model.storages.at[at].file_off);
		OK(source_read(g.k.src, got, 3, g.places[at] + 100, NULL) == 0);
		EQ_MEM(got, 3, "ABC", 3);
		zs_release(&g);
		zs_release(&f);
	}
}

static void bytes_inside_of_a_pickle_that_changes_are_in_it(void)
{
	struct zs f, g;
	const struct tensor *t;
	struct extent x;
	uint32_t at;
	char *now = calloc(BIG, 1), got[4];

	zs_with_array(&f);
	memcpy(now + 100, "ABC", 3);
	at = ckpt_tensor(&f.k, "n")->storage;
	zs_write(&f, at, 100, "ABC", 3);
	zs_data(&f, at, now, BIG);
	free(now);
	zs_rename(&f, 0, "m");
	zs_save(&f, &g, (struct save){.pickle = true});
	EQ_STR(ckpt_keys(&g.k, ""), "m a");
	EQ_I64(g.places[at], -1);
	t = ckpt_tensor(&g.k, "m");
	EQ_STR(ckpt_broken(&g.k, "m"), "");
	if (g.k.c && !t->broken) {
		x = g.k.c->model.storages.at[t->storage].data;
		OK(source_read(x.src, got, 3, x.off + 100, NULL) == 0);
		EQ_MEM(got, 3, "ABC", 3);
	}
	zs_release(&g);
	zs_release(&f);
}

int main(void)
{
	TEST(pickle_that_fits_stays_in_its_place);
	TEST(shorter_pickle_has_more_padding);
	TEST(longer_pickle_goes_over_the_old_directory);
	TEST(pickle_at_the_end_grows_in_its_place);
	TEST(shrinking_and_growing_again_comes_back);
	TEST(pickle_of_any_size_is_placed);
	TEST(deflated_pickle_is_stored);
	TEST(comment_is_kept_when_the_directory_moves);
	TEST(unused_storage_leaves_the_directory);
	TEST(format_version_goes_when_storages_have_a_gap);
	TEST(format_version_goes_when_the_first_storage_is_gone);
	TEST(format_version_stays_when_the_last_storage_goes);
	TEST(format_version_goes_when_storages_are_met_in_another_order);
	TEST(new_storage_is_a_record_behind_the_others);
	TEST(new_storage_takes_the_name_of_a_record_that_nobody_uses);
	TEST(new_storage_of_a_big_endian_file_is_swapped);
	TEST(empty_storage_has_a_record);
	TEST(bytes_and_pickle_change_at_once);
	TEST(bytes_inside_of_the_pickle_are_patched_there);
	TEST(bytes_inside_of_a_pickle_that_changes_are_in_it);
	return tap_done();
}
