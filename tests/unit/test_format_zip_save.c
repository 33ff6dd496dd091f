/* Changed bytes in torch zips, what may be changed at all, and the order of storages. */
#include "zip_save_kit.h"

#include <glob.h>

static void good_files(void (*fn)(struct zs *f, const char *path))
{
	const char *root = getenv("PTHFS_SRC");
	char pattern[4096];
	glob_t files = {0};
	unsigned seen = 0;

	snprintf(pattern, sizeof pattern, "%s/tests/data/good-*", root ? root : ".");
	OK(glob(pattern, 0, NULL, &files) == 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct zs f;
		int bad = tap_bad;

		zs_file(&f, files.gl_pathv[i]);
		if (f.k.c && strcmp(f.k.c->format, "torch zip") == 0) {
			seen++;
			fn(&f, files.gl_pathv[i]);
		}
		if (tap_bad != bad)
			printf("# in %s\n", files.gl_pathv[i]);
		zs_release(&f);
	}
	globfree(&files);
	OK(seen > 20);
}

static void costs_nothing(struct zs *f, const char *path)
{
	struct zs g;

	f->damaged = true; /* some fixtures have no or wrong CRCs */
	zs_save(f, &g, (struct save){0});
	EQ_I64(g.rc, 0);
	EQ_I64(g.p.size, f->k.src->size);
	EQ_I64(zs_cost(f, &g), 0);
	zs_release(&g);
}

static void nothing_changed_costs_nothing(void)
{
	good_files(costs_nothing);
}

static void pickle_of_torch_costs_nothing_when_it_comes_out_the_same(void)
{
	struct zs f, g;

	zs_young(&f, LIT(THREE));
	zs_save(&f, &g, (struct save){.pickle = true});
	EQ_I64(zs_cost(&f, &g), 0);
	EQ_I64(g.rep.dead, 0);
	OK(!g.rep.pickle_moved && !g.rep.format_version);
	zs_release(&g);
	zs_release(&f);
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void changed_bytes_cost_themselves_and_two_crcs(void)
{
	struct zs f, g;

	zs_old(&f, LIT(THREE));
	zs_write(&f, 1, 3, "hello", 5);
	zs_save(&f, &g, (struct save){0});
	EQ_I64(zs_cost(&f, &g), 5 + 4 + 4);
	EQ_I64(g.p.size, f.k.src->size);
	EQ_I64(g.places[1], f.z.rec[2].data);
	OK(strncmp(ckpt_hex(&g.k, "b"), "32333468656c6c6f3a", 18) == 0);
	zs_release(&g);
	zs_release(&f);
}

static void several_runs_make_one_crc(void)
{
	struct zs f, g;

	zs_old(&f, LIT(THREE));
	zs_write(&f, 2, 0, "A", 1);
	zs_write(&f, 2, 10, "BC", 2);
	zs_write(&f, 2, 47, "D", 1);
	zs_save(&f, &g, (struct save){0});
	EQ_I64(zs_cost(&f, &g), 4 + 8);
	zs_release(&g);
	zs_release(&f);
}

static void crc_in_the_local_header_follows(void)
{
	struct zs f = {0}, g;

	zs_pickle(&f.z, LIT("\x80\4}" ENTRY("a", "0", "\4") "s."));
	zs_storage(&f.z, "a/data/0", 16, 0, MKZIP_SIZES_FIRST);
	mkzip_add(&f.z, "a/version", "3\n", 2);
	mkzip_finish(&f.z);
	zs_open(&f);
	zs_write(&f, 0, 1, "x", 1);
	zs_save(&f, &g, (struct save){0});
	EQ_I64(zs_cost(&f, &g), 1 + 4 + 4);
	OK(zs_member(&g, "a/data/0")->flags & MEMBER_LOCAL_CRC);
	zs_release(&g);
	zs_release(&f);
}

/* Where a CRC was wrong by some bits, it is wrong by the same bits afterwards. */
static void damaged_record_stays_visibly_damaged(void)
{
	struct zs f = {0}, g;
	const struct member *m;
	uint32_t real;

	zs_pickle(&f.z, LIT(THREE));
	zs_storage(&f.z, "a/data/0", 16, 0, 0);
	zs_storage(&f.z, "a/data/1", 32, 50, 0);
	zs_storage(&f.z, "a/data/2", 48, 100, 0);
	mkzip_add(&f.z, "a/version", "3\n", 2);
	f.z.rec[2].crc ^= 0x10;
	mkzip_set32(&f.z, f.z.rec[2].desc + 4, f.z.rec[2].crc);
	mkzip_finish(&f.z);
	zs_open(&f);
	f.damaged = true;
	zs_write(&f, 1, 3, "hello", 5);
	zs_save(&f, &g, (struct save){0});
	m = zs_member(&g, "a/data/1");
	real = zs_real_crc(&g, m);
	EQ_I64(m->crc ^ real, 0x10);
	EQ_I64(zs_le32(&g, m->data_off + m->stored + 4) ^ real, 0x10);
	zs_release(&g);
	zs_release(&f);
}

/* Written in two runs, which together are all of it. */
static void damaged_record_that_is_replaced_whole_is_sound(void)
{
	struct zs f = {0}, g;
	const struct member *m;

	zs_pickle(&f.z, LIT(THREE));
	zs_storage(&f.z, "a/data/0", 16, 0, 0);
	zs_storage(&f.z, "a/data/1", 32, 50, 0);
	zs_storage(&f.z, "a/data/2", 48, 100, 0);
	mkzip_add(&f.z, "a/version", "3\n", 2);
	f.z.rec[2].crc ^= 0x10;
	mkzip_set32(&f.z, f.z.rec[2].desc + 4, f.z.rec[2].crc);
	mkzip_finish(&f.z);
	zs_open(&f);
	zs_write(&f, 1, 0, "0123456789", 10);
	zs_write(&f, 1, 10, "0123456789abcdef012345", 22);
	zs_save(&f, &g, (struct save){0});
	m = zs_member(&g, "a/data/1");
	EQ_I64(m->crc, zs_real_crc(&g, m));
	EQ_I64(zs_le32(&g, m->data_off + m->stored + 4), m->crc);
	zs_release(&g);
	zs_release(&f);
}

static void crc_that_was_not_written_stays_away(void)
{
	struct zs f = {0}, g;

	zs_pickle(&f.z, LIT("\x80\4}" ENTRY("a", "0", "\4") "s."));
	zs_storage(&f.z, "a/data/0", 16, 0, 0);
	mkzip_add(&f.z, "a/version", "3\n", 2);
	f.z.rec[1].crc = 0;
	mkzip_set32(&f.z, f.z.rec[1].desc + 4, 0);
	mkzip_finish(&f.z);
	zs_open(&f);
	f.damaged = true;
	zs_write(&f, 0, 3, "x", 1);
	zs_save(&f, &g, (struct save){0});
	EQ_I64(zs_cost(&f, &g), 1);
	EQ_I64(zs_member(&g, "a/data/0")->crc, 0);
	zs_release(&g);
	zs_release(&f);
}

static void serialization_id_follows_the_crcs(void)
{
	struct zs f, g;

	zs_young(&f, LIT(THREE));
	OK(zs_serial_ok(&f));
	zs_write(&f, 0, 3, "x", 1);
	zs_save(&f, &g, (struct save){0});
	OK(zs_serial_ok(&g));
	zs_release(&g);
	zs_release(&f);
}

/* Other writers may number otherwise: not ours to change. */
static void foreign_serialization_id_stays(void)
{
	struct zs f = {0}, g;
	char id[41] = {0};

	zs_young_head(&f.z, LIT("\x80\4}" ENTRY("a", "0", "\4") "s."));
	zs_storage(&f.z, "a/data/0", 16, 0, 0);
	mkzip_add(&f.z, "a/version", "3\n", 2);
	mkzip_add(&f.z, "a/.data/serialization_id",
			"0000000000000000000100000000000000000002", 40);
	mkzip_finish(&f.z);
	zs_open(&f);
	zs_write(&f, 0, 3, "x", 1);
	zs_save(&f, &g, (struct save){0});
	OK(source_read(g.k.src, id, 40, zs_member(&g, "a/.data/serialization_id")->data_off,
			   NULL) == 0);
	EQ_STR(id, "0000000000000000000100000000000000000002");
	zs_release(&g);
	zs_release(&f);
}

static void deflated_storage_is_stored_at_the_end(void)
{
	struct zs f = {0}, g;
	char now[16] = "sixteen letters";

	zs_pickle(&f.z, LIT("\x80\4}" ENTRY("a", "0", "\4") "s."));
	zs_storage(&f.z, "a/data/0", 16, 0, MKZIP_DEFLATE);
	mkzip_add(&f.z, "a/version", "3\n", 2);
	mkzip_finish(&f.z);
	zs_open(&f);
	zs_write(&f, 0, 0, now, 16);
	zs_data(&f, 0, now, 16);
	zs_save(&f, &g, (struct save){0});
	EQ_STR(ckpt_hex(&g.k, "a"), "7369787465656e206c65747465727300");
	OK(zs_member(&g, "a/data/0")->method == 0);
	EQ_I64(g.places[0] % 64, 0);
	OK(g.places[0] > f.z.dir);
	EQ_I64(g.rep.dead, f.z.rec[2].header - f.z.rec[1].header);
	EQ_I64(zs_count(&g, "PK\5\6"), 1);
	zs_release(&g);
	zs_release(&f);
}

static void swapped_storage_is_swapped_back(void)
{
	struct zs f = {0}, g;
	char now[16] = "sixteen letters", raw[4];

	zs_pickle(&f.z, LIT("\x80\4}" ENTRY("a", "0", "\4") "s."));
	mkzip_add(&f.z, "a/byteorder", "big", 3);
	zs_storage(&f.z, "a/data/0", 16, 0, 0);
	mkzip_add(&f.z, "a/version", "3\n", 2);
	mkzip_finish(&f.z);
	zs_open(&f);
	zs_write(&f, 0, 0, now, 16);
	zs_data(&f, 0, now, 16);
	zs_save(&f, &g, (struct save){0});
	EQ_STR(ckpt_hex(&g.k, "a"), "7369787465656e206c65747465727300");
	OK(source_read(g.k.src, raw, 4, zs_member(&g, "a/data/0")->data_off, NULL) == 0);
	EQ_MEM(raw, 4, "txis", 4);
	EQ_I64(g.places[0], -1);
	zs_release(&g);
	zs_release(&f);
}

/* --- what is not done ------------------------------------------------------------------------- */

static void torchscript_takes_bytes_only(void)
{
	struct zs f = {0}, g;
	struct err e;

	zs_pickle(&f.z, LIT("\x80\4}" ENTRY("a", "0", "\4") "s."));
	mkzip_add(&f.z, "a/constants.pkl", "\x80\2).", 4);
	zs_storage(&f.z, "a/data/0", 16, 0, 0);
	mkzip_add(&f.z, "a/version", "3\n", 2);
	mkzip_finish(&f.z);
	zs_open(&f);
	EQ_STR(f.k.c->format, "torchscript");
	EQ_I64(checkpoint_may_change(f.k.c, &e), ERR_UNSUPPORTED);
	HAS(e.text, "code in a TorchScript archive");
	EQ_I64(checkpoint_may_write(f.k.c, 0, &e), 0);
	zs_write(&f, 0, 0, "ABCD", 4);
	zs_save(&f, &g, (struct save){.pickle = true});
	EQ_I64(g.rc, ERR_UNSUPPORTED);
	zs_release(&g);
	zs_save(&f, &g, (struct save){0});
	EQ_I64(zs_cost(&f, &g), 12);
	zs_release(&g);
	zs_release(&f);
}

static void salvaged_file_is_not_written(void)
{
	static const struct format_opts o = {.salvage = true};
	struct zs f, g;
	struct ckpt k;
	struct err e;

	zs_old(&f, LIT(THREE));
	ckpt_source(&k, source_mem_borrow(f.z.p, f.z.rec[3].data + 20), &o);
	EQ_I64(k.rc, 0);
	EQ_I64(checkpoint_may_change(k.c, &e), ERR_UNSUPPORTED);
	EQ_I64(checkpoint_may_write(k.c, 0, &e), ERR_UNSUPPORTED);
	HAS(e.text, "lose the rest");
	EQ_I64(checkpoint_save(&(struct save){.ck = k.c}, &g.p, &g.places, &g.rep, &e),
			ERR_UNSUPPORTED);
	ckpt_release(&k);
	zs_release(&f);
}

static void storages_with_a_record_can_be_written(void)
{
	struct zs f = {0};

	zs_pickle(&f.z, LIT("\x80\4}(" ENTRY("a", "0", "\4") ENTRY("b", "1", "\4") ENTRY("c",
				   "2", "\4") "u."));
	zs_storage(&f.z, "a/data/0", 16, 0, 0);
	zs_storage(&f.z, "a/data/1", 16, 0, MKZIP_DEFLATE);
	mkzip_add(&f.z, "a/version", "3\n", 2);
	mkzip_finish(&f.z);
	zs_open(&f);
	EQ_I64(checkpoint_may_write(f.k.c, 0, NULL), 0);
	EQ_I64(checkpoint_may_write(f.k.c, 1, NULL), 0);
	EQ_I64(checkpoint_may_write(f.k.c, 2, NULL), ERR_UNSUPPORTED);
	EQ_I64(checkpoint_may_write(f.k.c, 3, NULL), ERR_ABSENT);
	zs_release(&f);
}

static void storages_are_counted_in_the_order_of_first_use(void)
{
	struct zs f;
	uint32_t *ids, n;

	zs_old(&f, LIT("\x80\4](" ALL("2", "\xc") ALL("0", "\4") ALL("2", "\xc") "}" ENTRY("x", "1",
			       "\x8") "se."));
	EQ_I64(save_used(f.k.c, zs_root(&f), &ids, &n, NULL), 0);
	EQ_I64(n, 3);
	OK(str_is(f.k.c->model.storages.at[ids[0]].key, "2"));
	OK(str_is(f.k.c->model.storages.at[ids[1]].key, "0"));
	OK(str_is(f.k.c->model.storages.at[ids[2]].key, "1"));
	free(ids);
	zs_release(&f);
}

int main(void)
{
	TEST(nothing_changed_costs_nothing);
	TEST(pickle_of_torch_costs_nothing_when_it_comes_out_the_same);
	TEST(changed_bytes_cost_themselves_and_two_crcs);
	TEST(several_runs_make_one_crc);
	TEST(crc_in_the_local_header_follows);
	TEST(damaged_record_stays_visibly_damaged);
	TEST(damaged_record_that_is_replaced_whole_is_sound);
	TEST(crc_that_was_not_written_stays_away);
	TEST(serialization_id_follows_the_crcs);
	TEST(foreign_serialization_id_stays);
	TEST(deflated_storage_is_stored_at_the_end);
	TEST(swapped_storage_is_swapped_back);
	TEST(torchscript_takes_bytes_only);
	TEST(salvaged_file_is_not_written);
	TEST(storages_with_a_record_can_be_written);
	TEST(storages_are_counted_in_the_order_of_first_use);
	return tap_done();
}
