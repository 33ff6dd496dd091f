/* Compact: a torch zip as torch itself would lay it out. What it has to be is made by mkzip.h. */
#include "zip_save_kit.h"

#include <glob.h>

static const struct save compact = {.compact = true};

/* Saved f is byte for byte the archive z, which is freed. */
static void is_archive(const struct zs *f, struct mkzip *z)
{
	size_t n = 0;
	char *p = f->k.src ? zs_bytes(f, &n) : NULL;

	EQ_I64(n, z->n);
	OK(p && n == z->n && memcmp(p, z->p, n) == 0);
	free(p);
	mkzip_free(z);
}

static bool same_bytes(const struct zs *a, const struct zs *b)
{
	size_t n = 0, m = 0;
	char *p = zs_bytes(a, &n), *q = zs_bytes(b, &m);
	bool same = n == m && memcmp(p, q, n) == 0;

	free(p);
	free(q);
	return same;
}

/* The pickle of f as the first record of z: its own tests are elsewhere. */
static void pickle_of(const struct zs *f, struct mkzip *z)
{
	const struct member *m = zs_member(f, "a/data.pkl");
	char *p = malloc((size_t)m->size);

	OK(source_read(f->k.src, p, (size_t)m->size, m->data_off, NULL) == 0);
	mkzip_add(z, "a/data.pkl", p, (size_t)m->size);
	free(p);
}

static void fixtures(const char *which, void (*fn)(struct zs *f))
{
	const char *root = getenv("PTHFS_SRC");
	char pattern[4096];
	glob_t files = {0};
	unsigned seen = 0;

	snprintf(pattern, sizeof pattern, "%s/tests/data/%s", root ? root : ".", which);
	OK(glob(pattern, 0, NULL, &files) == 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct zs f;
		int bad = tap_bad;

		zs_file(&f, files.gl_pathv[i]);
		if (f.k.c && strcmp(f.k.c->format, "torch zip") == 0) {
			seen++;
			fn(&f);
		}
		if (tap_bad != bad)
			printf("# in %s\n", files.gl_pathv[i]);
		zs_release(&f);
	}
	globfree(&files);
	OK(seen > 2);
}

static void comes_out_as_it_was(struct zs *f)
{
	struct zs g;

	zs_save(f, &g, compact);
	EQ_I64(g.rc, 0);
	EQ_I64(zs_cost(f, &g), 0);
	OK(g.rc == 0 && same_bytes(f, &g));
	zs_release(&g);
}

static void file_of_torch_1_13_comes_out_as_it_was(void)
{
	fixtures("good-113-*", comes_out_as_it_was);
}

static void twice_is_once(struct zs *f)
{
	struct zs g, h;

	f->damaged = true; /* some have no or wrong CRCs */
	zs_save(f, &g, compact);
	EQ_I64(g.rc, 0);
	if (g.k.c) {
		EQ_I64(g.k.c->box->dead, 0);
		g.damaged = true;
		zs_save(&g, &h, compact);
		EQ_I64(h.rc, 0);
		OK(h.rc == 0 && same_bytes(&g, &h));
		zs_release(&h);
	}
	zs_release(&g);
}

static void every_good_file_is_compact_after_once(void)
{
	fixtures("good-*", twice_is_once);
}

static void young_file_comes_out_as_it_was(void)
{
	struct zs f, g;

	zs_young(&f, LIT(THREE));
	zs_save(&f, &g, compact);
	OK(same_bytes(&f, &g));
	EQ_I64(zs_cost(&f, &g), 0);
	EQ_I64(g.places[2], f.z.rec[6].data);
	zs_release(&g);
	zs_release(&f);
}

/* b is gone, c has its bytes, a has another name. */
static void edits_come_out_as_torch_would_save_them(void)
{
	struct zs f, g, h;
	struct mkzip z;

	zs_young(&f, LIT(THREE));
	zs_remove(&f, 1);
	zs_rename(&f, 0, "a name that is longer than the padding of the old record is");
	zs_save(&f, &g, (struct save){.pickle = true});
	OK(!zs_member(&g, "a/.format_version"));
	zs_save(&g, &h, compact);
	zs_young_head(&z, LIT("\x80\4}(" TEXT("\x3b", "a name that is longer than the padding of the "
						      "old record is") ALL("0", "\4") ENTRY("c",
				   "1", "\xc") "u."));
	zs_storage(&z, "a/data/0", 16, 0, 0);
	zs_storage(&z, "a/data/1", 48, 100, 0);
	zs_tail(&z);
	is_archive(&h, &z);
	EQ_I64(h.rep.dead, 0);
	zs_release(&h);
	zs_release(&g);
	zs_release(&f);
}

static void changed_bytes_come_along(void)
{
	struct zs f, g;
	struct mkzip z;
	char data[32];

	zs_young(&f, LIT(THREE));
	zs_write(&f, 1, 3, "hello", 5);
	zs_save(&f, &g, compact);
	zs_young_head(&z, LIT(THREE));
	zs_storage(&z, "a/data/0", 16, 0, 0);
	zs_fill(data, 32, 50);
	memcpy(data + 3, "hello", 5);
	mkzip_add(&z, "a/data/1", data, 32);
	zs_storage(&z, "a/data/2", 48, 100, 0);
	zs_tail(&z);
	is_archive(&g, &z);
	zs_release(&g);
	zs_release(&f);
}

/* The graph is not changed by it: its ids have the keys that they had. */
static void storages_are_renumbered_in_the_order_of_first_use(void)
{
	struct zs f = {0}, g;
	struct mkzip z;

	zs_young_head(&f.z, LIT("\x80\4}(" ENTRY("a", "2", "\xc") ENTRY("b", "0", "\4") ENTRY(
				   "c", "1", "\x8") "u."));
	zs_storage(&f.z, "a/data/0", 16, 0, 0);
	zs_storage(&f.z, "a/data/1", 32, 50, 0);
	zs_storage(&f.z, "a/data/2", 48, 100, 0);
	zs_tail(&f.z);
	zs_open(&f);
	zs_save(&f, &g, compact);
	zs_young_head(&z, LIT("\x80\4}(" ENTRY("a", "0", "\xc") ENTRY("b", "1", "\4") ENTRY(
				   "c", "2", "\x8") "u."));
	zs_storage(&z, "a/data/0", 48, 100, 0);
	zs_storage(&z, "a/data/1", 16, 0, 0);
	zs_storage(&z, "a/data/2", 32, 50, 0);
	zs_tail(&z);
	is_archive(&g, &z);
	zs_release(&g);
	zs_save(&f, &g, (struct save){.pickle = true});
	EQ_I64(zs_cost(&f, &g), 0);
	zs_release(&g);
	zs_release(&f);
}

static void swapped_keys_are_put_right(void)
{
	struct zs f = {0}, g;
	struct mkzip z;

	zs_young_head(&f.z, LIT("\x80\4}(" ENTRY("a", "1", "\x8") ENTRY("b", "0", "\4") "u."));
	zs_storage(&f.z, "a/data/0", 16, 0, 0);
	zs_storage(&f.z, "a/data/1", 32, 50, 0);
	zs_tail(&f.z);
	zs_open(&f);
	zs_save(&f, &g, compact);
	zs_young_head(&z, LIT("\x80\4}(" ENTRY("a", "0", "\x8") ENTRY("b", "1", "\4") "u."));
	zs_storage(&z, "a/data/0", 32, 50, 0);
	zs_storage(&z, "a/data/1", 16, 0, 0);
	zs_tail(&z);
	is_archive(&g, &z);
	zs_release(&g);
	zs_release(&f);
}

#define MANY(key) "N" TEXT("\1", key) ALL(key, "\4")

/* Eleven storages: 0, 1, 10, 2 ... up to 1.13, 0, 1, 2, ... 10 later. */
static void order_of_records_is_that_of_the_release(void)
{
	for (int young = 0; young < 2; young++) {
		struct zs f = {0}, g;
		struct buf p;
		char name[32];
		static const int text[] = {0, 1, 10, 2, 3, 4, 5, 6, 7, 8, 9};

		buf_init(&p, 1u << 16);
		buf_put(&p, LIT("\x80\4]("));
		for (int i = 0; i < 11; i++) {
			buf_put(&p, LIT("ctorch._utils\n_rebuild_tensor_v2\n((\x8c\7storage"
					"ctorch\nFloatStorage\n"));
			buf_printf(&p, "\x8c%c%d", i < 10 ? 1 : 2, i);
			buf_put(&p, LIT("\x8c\3cpuK\4tQK\0K\4\x85K\1\x85\x89" HOOKS "tR"));
		}
		buf_put(&p, LIT("e."));
		if (young)
			zs_young_head(&f.z, p.p, p.n);
		else
			zs_pickle(&f.z, p.p, p.n);
		for (int i = 0; i < 11; i++) {
			snprintf(name, sizeof name, "a/data/%d", young ? i : text[i]);
			zs_storage(&f.z, name, 16, (char)(young ? i : text[i]), 0);
		}
		if (young) {
			zs_tail(&f.z);
		} else {
			mkzip_add(&f.z, "a/version", "3\n", 2);
			mkzip_finish(&f.z);
		}
		zs_open(&f);
		zs_save(&f, &g, compact);
		OK(g.rc == 0 && same_bytes(&f, &g));
		zs_release(&g);
		zs_release(&f);
		buf_release(&p);
	}
}

static void addresses_stay_as_they_are(void)
{
	struct zs f = {0}, g;

	zs_pickle(&f.z, LIT("\x80\4}" TEXT("\1", "a") "ctorch._utils\n_rebuild_tensor_v2\n((" TEXT(
				   "\7", "storage") "ctorch\nFloatStorage\n" TEXT("\xe",
				   "94529884316480") CPU "K\4tQK\0K\4\x85K\1\x85\x89" HOOKS "tRs."));
	zs_storage(&f.z, "a/data/94529884316480", 16, 0, 0);
	mkzip_add(&f.z, "a/version", "3\n", 2);
	mkzip_finish(&f.z);
	zs_open(&f);
	zs_save(&f, &g, compact);
	OK(g.rc == 0 && same_bytes(&f, &g));
	zs_release(&g);
	zs_release(&f);
}

static void deflated_records_are_stored(void)
{
	struct zs f = {0}, g;
	struct mkzip z = {0};
	struct buf b;

	zs_canon(LIT("\x80\4}" ENTRY("a", "0", "\4") "s."), &b);
	mkzip_add_as(&f.z, "a/data.pkl", 10, b.p, b.n, MKZIP_DEFLATE);
	zs_storage(&f.z, "a/data/0", 16, 0, MKZIP_DEFLATE);
	mkzip_add_as(&f.z, "a/version", 9, "3\n", 2, MKZIP_DEFLATE);
	mkzip_finish(&f.z);
	zs_open(&f);
	zs_save(&f, &g, compact);
	mkzip_add(&z, "a/data.pkl", b.p, b.n);
	zs_storage(&z, "a/data/0", 16, 0, 0);
	mkzip_add(&z, "a/version", "3\n", 2);
	mkzip_finish(&z);
	is_archive(&g, &z);
	buf_release(&b);
	zs_release(&g);
	zs_release(&f);
}

/* A file that the first half of another program's save has left: .storage_alignment alone. */
static void format_version_comes_back(void)
{
	struct zs f = {0}, g;
	struct mkzip z;

	zs_pickle(&f.z, LIT("\x80\4}" ENTRY("a", "0", "\4") "s."));
	mkzip_add(&f.z, "a/.storage_alignment", "64", 2);
	zs_storage(&f.z, "a/data/0", 16, 0, 0);
	mkzip_add(&f.z, "a/byteorder", "little", 6);
	zs_tail(&f.z);
	zs_open(&f);
	zs_save(&f, &g, compact);
	zs_young_head(&z, LIT("\x80\4}" ENTRY("a", "0", "\4") "s."));
	zs_storage(&z, "a/data/0", 16, 0, 0);
	zs_tail(&z);
	is_archive(&g, &z);
	zs_release(&g);
	zs_release(&f);
}

static void alignment_of_the_file_is_kept(void)
{
	struct zs f = {0}, g;

	zs_pickle(&f.z, LIT("\x80\4}" ENTRY("a", "0", "\4") "s."));
	mkzip_add(&f.z, "a/.storage_alignment", "4096", 4);
	zs_storage(&f.z, "a/data/0", 16, 0, 0);
	mkzip_add(&f.z, "a/version", "3\n", 2);
	mkzip_finish(&f.z);
	zs_open(&f);
	zs_save(&f, &g, compact);
	EQ_I64(zs_member(&g, "a/data/0")->data_off % 4096, 0);
	EQ_I64(zs_member(&g, "a/version")->data_off % 4096, 0);
	zs_release(&g);
	zs_release(&f);
}

static void unknown_records_stay_and_unused_storages_go(void)
{
	struct zs f = {0}, g;

	zs_pickle(&f.z, LIT("\x80\4}" ENTRY("a", "0", "\4") "s."));
	mkzip_add(&f.z, "a/notes.txt", "said", 4);
	zs_storage(&f.z, "a/data/0", 16, 0, 0);
	zs_storage(&f.z, "a/data/7", 16, 0, 0);
	mkzip_add(&f.z, "a/version", "3\n", 2);
	mkzip_finish(&f.z);
	zs_open(&f);
	zs_save(&f, &g, compact);
	EQ_I64(g.k.c->box->n, 4);
	EQ_STR(g.k.c->box->at[3].name.p, "a/notes.txt");
	zs_release(&g);
	zs_release(&f);
}

static void new_storage_gets_its_number(void)
{
	struct zs f, g;
	struct mkzip z;

	zs_young(&f, LIT(THREE));
	zs_new_storage(&f, "d", "new", "new bytes here..", 16);
	zs_save(&f, &g, (struct save){.pickle = true, .compact = true});
	OK(zs_member(&g, "a/data/3"));
	z = (struct mkzip){0};
	pickle_of(&g, &z);
	mkzip_add(&z, "a/.format_version", "1", 1);
	mkzip_add(&z, "a/.storage_alignment", "64", 2);
	mkzip_add(&z, "a/byteorder", "little", 6);
	zs_storage(&z, "a/data/0", 16, 0, 0);
	zs_storage(&z, "a/data/1", 32, 50, 0);
	zs_storage(&z, "a/data/2", 48, 100, 0);
	mkzip_add(&z, "a/data/3", "new bytes here..", 16);
	zs_tail(&z);
	is_archive(&g, &z);
	zs_release(&g);
	zs_release(&f);
}

static void torchscript_is_not_made_compact(void)
{
	struct zs f = {0}, g;

	zs_pickle(&f.z, LIT("\x80\4}" ENTRY("a", "0", "\4") "s."));
	mkzip_add(&f.z, "a/constants.pkl", "\x80\2).", 4);
	zs_storage(&f.z, "a/data/0", 16, 0, 0);
	mkzip_add(&f.z, "a/version", "3\n", 2);
	mkzip_finish(&f.z);
	zs_open(&f);
	zs_save(&f, &g, compact);
	EQ_I64(g.rc, ERR_UNSUPPORTED);
	zs_release(&g);
	zs_release(&f);
}

/* --- 4 GiB ------------------------------------------------------------------------------------ */

/* Storage 0 of `size` zeros that are nowhere, storage 1 behind it. */
static void zs_large(struct mkzip *z, uint64_t size, const struct zs *third)
{
	*z = (struct mkzip){0};
	if (third)
		pickle_of(third, z);
	else
		zs_pickle(z, LIT("\x80\4}(" ENTRY("a", "0", "\4") ENTRY("b", "1", "\x8") "u."));
	mkzip_hole(z, "a/data/0", size);
	zs_storage(z, "a/data/1", 32, 50, 0);
	if (third)
		mkzip_add(z, "a/data/2", "new bytes here..", 16);
	mkzip_add(z, "a/version", "3\n", 2);
	mkzip_finish(z);
}

/* The pieces of f that are in memory are those of z, the hole apart. */
static void is_large_archive(const struct zs *f, const struct mkzip *z)
{
	char *p = malloc(z->n);
	size_t first = (size_t)z->hole_at;
	struct source *s = f->k.src;

	EQ_I64(s->size, mkzip_pos(z));
	if (s->size == mkzip_pos(z)) {
		OK(source_read(s, p, first, 0, NULL) == 0);
		OK(source_read(s, p + first, z->n - first, first + z->hole, NULL) == 0);
		OK(memcmp(p, z->p, z->n) == 0);
	}
	free(p);
}

/* The sizes at which the storage itself, or only what stands behind it, is large. */
static const uint64_t sizes[] = {0xfffffffe - 4096, 0xfffffffe, 0xffffffff, 0x100000000};

static void large_file_comes_out_as_it_was(void)
{
	for (size_t i = 0; i < 4; i++) {
		struct zs f = {0}, g;

		zs_large(&f.z, sizes[i], NULL);
		zs_open(&f);
		/* The pickle says 16 bytes: a storage that is as long as its record. */
		f.k.c->model.storages.at[0].nbytes = sizes[i];
		zs_save(&f, &g, compact);
		EQ_I64(zs_cost(&f, &g), 0);
		is_large_archive(&g, &f.z);
		zs_release(&g);
		zs_release(&f);
	}
}

/* Each offset at which the header of a new record crosses the border. */
static void new_record_behind_4_gib_has_zip64_fields(void)
{
	for (size_t i = 0; i < 4; i++) {
		struct zs f = {0}, g, h;
		struct mkzip z;

		zs_large(&f.z, sizes[i], NULL);
		zs_open(&f);
		f.k.c->model.storages.at[0].nbytes = sizes[i];
		zs_new_storage(&f, "d", "2", "new bytes here..", 16);
		zs_save(&f, &g, (struct save){.pickle = true});
		EQ_I64(g.rc, 0);
		EQ_STR(ckpt_hex(&g.k, "d"), "6e657720627974657320686572652e2e");
		OK(g.rep.pickle_moved);
		OK(!!(zs_member(&g, "a/data/2")->flags & MEMBER_ZIP64) ==
				(zs_member(&g, "a/data/2")->header_off >= 0xffffffff));
		zs_release(&g);
		zs_save(&f, &h, (struct save){.pickle = true, .compact = true});
		zs_large(&z, sizes[i], &h);
		is_large_archive(&h, &z);
		mkzip_free(&z);
		zs_release(&h);
		zs_release(&f);
	}
}

static void changed_bytes_of_a_large_storage_read_no_more_than_they_are(void)
{
	struct zs f = {0}, g;
	const struct member *m;

	zs_large(&f.z, sizes[2], NULL);
	f.z.rec[1].crc = 0x12345678; /* of the zeros, let us say */
	mkzip_set32(&f.z, f.z.rec[1].desc + 4, f.z.rec[1].crc);
	mkzip_set32(&f.z, f.z.rec[1].central + 16, f.z.rec[1].crc);
	zs_open(&f);
	f.k.c->model.storages.at[0].data.len = sizes[2];
	zs_write(&f, 0, 4000000000u, "\1", 1);
	zs_save(&f, &g, (struct save){0});
	m = zs_member(&g, "a/data/0");
	EQ_I64(zs_cost(&f, &g), 1 + 4 + 4);
	EQ_I64(m->crc ^ 0x12345678,
			crc32_combine(crc32(0, (const void *)"\1", 1) ^ crc32(0, (const void *)"", 1),
					0, (z_off_t)(sizes[2] - 4000000001u)));
	EQ_I64(zs_le32(&g, m->data_off + m->stored + 4), m->crc);
	zs_release(&g);
	zs_release(&f);
}

int main(void)
{
	TEST(file_of_torch_1_13_comes_out_as_it_was);
	TEST(every_good_file_is_compact_after_once);
	TEST(young_file_comes_out_as_it_was);
	TEST(edits_come_out_as_torch_would_save_them);
	TEST(changed_bytes_come_along);
	TEST(storages_are_renumbered_in_the_order_of_first_use);
	TEST(swapped_keys_are_put_right);
	TEST(order_of_records_is_that_of_the_release);
	TEST(addresses_stay_as_they_are);
	TEST(deflated_records_are_stored);
	TEST(format_version_comes_back);
	TEST(alignment_of_the_file_is_kept);
	TEST(unknown_records_stay_and_unused_storages_go);
	TEST(new_storage_gets_its_number);
	TEST(torchscript_is_not_made_compact);
	TEST(large_file_comes_out_as_it_was);
	TEST(new_record_behind_4_gib_has_zip64_fields);
	TEST(changed_bytes_of_a_large_storage_read_no_more_than_they_are);
	return tap_done();
}
