/* Journals of every version that was ever released, written by another program from the format's
 * description (tests/data/journal.py), are read.
 */
#include "journal_kit.h"

#define WAS 10000
#define IS 12000

/* A copy of our own: another user's would be refused. */
static void open_sample(const char *name)
{
	const char *root = getenv("PTHFS_SRC");
	char path[512], bytes[4096];
	FILE *f;
	size_t n;

	snprintf(path, sizeof path, "%s/tests/data/journal/%s", root ? root : ".", name);
	f = fopen(path, "rb");
	n = f ? fread(bytes, 1, sizeof bytes, f) : 0;
	OK(n > KIT_HEADER);
	if (f)
		fclose(f);
	spill("j", bytes, n);
	EQ_I64(open_journal(true), 0);
	EQ_I64(kit_cut, 0);
}

static void version_1_with_edits(void)
{
	struct stat st = {.st_ino = 5, .st_size = 6, .st_mtim = {7, 8}};
	const struct journal_bind *b;

	open_sample("v1-edits");
	b = journal_bind(kit_j);
	EQ_I64(b->ino, 77);
	EQ_I64(b->size, WAS);
	EQ_I64(b->mtime_sec, 1700000000);
	EQ_I64(b->mtime_nsec, 5);
	EQ_I64(b->content, 0x1122334455667788);
	OK(b->layout == 1ull << 63);
	EQ_I64(journal_state(kit_j), JOURNAL_RENAMING);
	OK(journal_coming_is(kit_j, &st));
	EQ_STR(frames(), "write 3 100+5 hello; op an operation; write 4 0+8 01234567; coming ; "
			 "note why it failed; ");
	close_journal();
}

static void version_1_with_a_list_of_patches(void)
{
	static char was[WAS], want[IS], got[IS];
	struct source *file, *s = NULL;

	for (size_t i = 0; i < WAS; i++)
		was[i] = (char)(i * 7);
	memcpy(want, was, WAS);
	memcpy(want + 100, "hello", 5);
	memcpy(want + 200, "copied bytes", 12);
	memset(want + 9000, 251, 3000);
	open_sample("v1-patching");
	EQ_I64(journal_state(kit_j), JOURNAL_PATCHING);
	file = source_mem_borrow(was, WAS);
	EQ_I64(inplace_source(kit_j, file, &s, &kit_err), 0);
	EQ_I64(s->size, IS);
	EQ_I64(source_read(s, got, IS, 0, &kit_err), 0);
	OK(memcmp(got, want, IS) == 0);
	source_unref(s);
	source_unref(file);
	close_journal();
}

int main(void)
{
	make_dir();
	TEST(version_1_with_edits);
	TEST(version_1_with_a_list_of_patches);
	remove_dir();
	return tap_done();
}
