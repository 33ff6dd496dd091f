/* The tar format of torch before 0.1.7: pickles with raw numbers between them. */
#include "ckpt.h"

/* One member: a ustar header, the data, padding. */
static void add_member(struct mkzip *z, const char *name, const void *data, size_t n)
{
	char h[512] = {0};
	unsigned sum = 0;

	snprintf(h, 100, "%s", name);
	snprintf(h + 100, 8, "0000644");
	snprintf(h + 124, 12, "%011zo", n);
	memset(h + 148, ' ', 8);
	h[156] = '0';
	memcpy(h + 257, "ustar\00000", 8);
	for (size_t i = 0; i < sizeof h; i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	mkzip_put(z, h, sizeof h);
	mkzip_put(z, data, n);
	memset(h, 0, sizeof h);
	mkzip_put(z, h, (512 - n % 512) % 512);
}

#define Q(n) n "\0\0\0\0\0\0\0"
#define OBJECT "\x80\4}(" TEXT("\1", "a") TEXT("\1", "1") "Q" TEXT("\1", "b") "K\2Qu."

/* Storage 7: three floats 1, 2, 3; view 8: from its second on. Tensor 1 is all of storage 7,
 * tensor 2 the last element of view 8. */
static void build(struct mkzip *z, const char *object, size_t n)
{
	static const char storages[] =
			"\x80\2K\1.\x80\4K\7" CPU
			"ctorch\nFloatStorage\n\x87." Q("\3") "\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40"
							      "\x80\2]((K\x08K\7K\1K\2te.";
	static const char tensors[] =
			"\x80\2K\2."
			"\x80\2K\1K\7ctorch\nFloatTensor\n\x87.\1\0\0\0\0\0\0\0" Q("\3") Q("\1")
					Q("\0") "\x80\2K\2K\x08"
						"ctorch\nFloatTensor\n\x87.\1\0\0\0\0\0\0\0" Q("\1")
								Q("\1") Q("\1");

	add_member(z, "sys_info", "\x80\2}.", 4);
	add_member(z, "pickle", object, n);
	add_member(z, "tensors", tensors, sizeof tensors - 1);
	add_member(z, "storages", storages, sizeof storages - 1);
	mkzip_put(z, (char[1024]){0}, 1024);
}

static void load(struct ckpt *k, struct mkzip *z)
{
	ckpt_source(k, source_mem_take(z->p, z->n), NULL);
	z->p = NULL;
	mkzip_free(z);
}

static void ids_name_tensors_over_storages_and_their_views(void)
{
	struct ckpt k;
	struct mkzip z = {0};

	build(&z, LIT(OBJECT));
	load(&k, &z);
	EQ_STR(k.c ? k.c->format : k.e.text, "torch tar");
	EQ_STR(ckpt_hex(&k, "a"), "0000803f0000004000004040");
	EQ_STR(ckpt_hex(&k, "b"), "00004040");
	EQ_I64(ckpt_tensor(&k, "b")->offset, 2);
	ckpt_release(&k);
}

static void id_that_names_nothing_breaks_its_tensor(void)
{
	struct ckpt k;
	struct mkzip z = {0};

	build(&z, LIT("\x80\4K\x09Q."));
	load(&k, &z);
	HAS(ckpt_broken(&k, ""), "names no tensor");
	ckpt_release(&k);
}

static void parameter_around_a_tensor_has_its_flags(void)
{
	struct ckpt k;
	struct mkzip z = {0};

	build(&z, LIT("\x80\4" PARAMETER("K\1Q") "."));
	load(&k, &z);
	OK(ckpt_tensor(&k, "")->flags & TENSOR_REQUIRES_GRAD);
	EQ_I64(ckpt_tensor(&k, "")->nbytes, 12);
	ckpt_release(&k);
}

static void other_tar_is_no_checkpoint(void)
{
	struct ckpt k;
	struct mkzip z = {0};

	add_member(&z, "model.pth", "x", 1);
	mkzip_put(&z, (char[1024]){0}, 1024);
	load(&k, &z);
	EQ_I64(k.rc, ERR_NOT_CKPT);
	HAS(k.e.text, "unpack it");
	ckpt_release(&k);
}

static void count_beyond_the_member_is_refused(void)
{
	struct ckpt k;
	struct mkzip z = {0};

	add_member(&z, "storages", LIT("\x80\2J\0\0\0\x40."));
	add_member(&z, "tensors", LIT("\x80\2K\0."));
	add_member(&z, "pickle", LIT("\x80\2N."));
	mkzip_put(&z, (char[1024]){0}, 1024);
	load(&k, &z);
	EQ_I64(k.rc, ERR_DAMAGED);
	HAS(k.e.text, "count is impossible");
	ckpt_release(&k);
}

int main(void)
{
	TEST(ids_name_tensors_over_storages_and_their_views);
	TEST(id_that_names_nothing_breaks_its_tensor);
	TEST(parameter_around_a_tensor_has_its_flags);
	TEST(other_tar_is_no_checkpoint);
	TEST(count_beyond_the_member_is_refused);
	return tap_done();
}
