/* Contents of a mounted checkpoint: metas word for word, values, elements, .npy, xattrs. */
#include "volume_kit.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- .meta ---------------------------------------------------------------------------------------- */

static void a_meta_says_what_a_tensor_is_in_one_line(void)
{
	open_data("demo.pth");
	EQ_STR(TEXT("model/module.conv1.weight.meta"),
			"{\"dtype\": \"float32\", \"shape\": [16, 3, 3, 3], \"nbytes\": 1728}\n");
	EQ_STR(TEXT("model/module.bn1.num_batches_tracked.meta"),
			"{\"dtype\": \"int64\", \"shape\": [], \"nbytes\": 8}\n");
	close_data();
}

static void a_strided_tensor_tells_its_stride_and_whose_bytes_it_shares(void)
{
	open_data("demo.pth");
	EQ_STR(TEXT("projection.meta"), "{\"dtype\": \"float32\", \"shape\": [64, 32], "
			"\"nbytes\": 8192, \"shared_with\": [\"projection_t\"]}\n");
	EQ_STR(TEXT("projection_t.meta"), "{\"dtype\": \"float32\", \"shape\": [32, 64], "
			"\"nbytes\": 8192, \"stride\": [1, 32], \"shared_with\": [\"projection\"]}\n");
	close_data();
}

/* They are one file, so it tells both. */
static void tied_tensors_have_one_meta_with_all_their_names(void)
{
	open_data("good-views.pt");
	EQ_STR(TEXT("lm_head.weight.meta"), "{\"dtype\": \"float32\", \"shape\": [2, 3], "
			"\"nbytes\": 24, \"shared_with\": [\"embed.weight\", \"lm_head.weight\"]}\n");
	EQ_STR(TEXT("embed.weight.meta"), TEXT("lm_head.weight.meta"));
	close_data();
}

static void overlaps_are_told_in_the_order_of_the_tree(void)
{
	open_data("good-views.pt");
	HAS(TEXT("base.meta"), "\"shared_with\": [\"base\", \"same\", \"alias\", \"row1\", \"rows12\", "
			"\"transposed\", \"every2nd\", \"column\", \"flat\", \"scalar_in\", "
			"\"overlapping\"]");
	HAS(TEXT("row1.meta"), "\"shared_with\": [\"base\", \"rows12\", \"transposed\", "
			"\"every2nd\", \"column\", \"flat\", \"overlapping\"]");
	HAS(TEXT("scalar_in.meta"), "\"shared_with\": [\"base\", \"rows12\", \"transposed\", "
			"\"every2nd\", \"column\", \"flat\"]");
	OK(!strstr(TEXT("scalar.meta"), "shared_with"));
	OK(!strstr(TEXT("empty.meta"), "shared_with"));
	close_data();
}

static void what_is_not_the_default_follows_in_a_fixed_order(void)
{
	open_data("good-parameters.pt");
	EQ_STR(TEXT("param.meta"), "{\"dtype\": \"float32\", \"shape\": [2, 2], \"nbytes\": 16, "
			"\"requires_grad\": true, \"kind\": \"parameter\"}\n");
	HAS(TEXT("transposed_param.meta"), "\"requires_grad\": true, \"stride\": [1, 3], "
			"\"kind\": \"parameter\"}");
	HAS(TEXT("subclass.meta"), "\"class\": \"pthfs_ghost.Marked\"}");
	close_data();
	open_data("good-meta.pt");
	EQ_STR(TEXT("parameter.meta"), "{\"dtype\": \"float32\", \"shape\": [2], \"nbytes\": 0, "
			"\"requires_grad\": true, \"device\": \"meta\", \"kind\": \"parameter\"}\n");
	EQ_I64(attr_at("parameter").size, 0);
	close_data();
}

static void a_name_that_is_not_the_key_has_the_key_in_its_meta(void)
{
	open_data("good-weird-keys.pt");
	HAS(TEXT("a%2Fb.meta"), "\"key\": \"a/b\"}");
	HAS(TEXT("nul%00key.meta"), "\"key\": \"nul\\u0000key\"}");
	HAS(TEXT("%.meta"), "\"key\": \"\"}");
	OK(!strstr(TEXT("100%.meta"), "key"));
	close_data();
}

static void parts_have_a_meta_of_the_whole(void)
{
	open_data("good-quantized.pt");
	HAS(TEXT("quint8.meta"), "{\"dtype\": \"quint8\", \"shape\": [2, 3], \"nbytes\": 6, "
			"\"kind\": \"quantized\"");
	HAS(TEXT("quint8/int_repr.meta"), "{\"dtype\": \"uint8\", \"shape\": [2, 3], \"nbytes\": 6");
	EQ_I64(resolve("quint8/scale.meta"), ERR_ABSENT);
	close_data();
}

/* --- values --------------------------------------------------------------------------------------- */

static void values_are_their_python_text_and_a_newline(void)
{
	open_data("demo.pth");
	EQ_STR(TEXT("epoch"), "12\n");
	EQ_STR(TEXT("arch"), "demonet\n");
	EQ_STR(TEXT("best_acc"), "71.25\n");
	EQ_STR(TEXT("optimizer/param_groups/0/betas"), "[0.9, 0.999]\n");
	EQ_STR(TEXT("optimizer/param_groups/0/eps"), "1e-08\n");
	EQ_STR(TEXT("optimizer/param_groups/0/foreach"), "None\n");
	EQ_STR(TEXT("args/amp"), "False\n");
	close_data();
}

static void json_is_everything_below_without_tensor_data(void)
{
	open_data("demo.pth");
	EQ_STR(TEXT("epoch.json"), "12\n");
	EQ_STR(TEXT("args.json"), "{\"arch\": \"demonet\", \"data\": \"/data/cifar10\", "
			"\"epochs\": 90, \"batch_size\": 128, \"lr\": 0.001, \"betas\": [0.9, 0.999], "
			"\"seed\": 7, \"amp\": false, \"resume\": null}\n");
	HAS(TEXT("optimizer/state/0.json"), "{\"step\": {\"dtype\": \"float32\", \"shape\": [], "
			"\"nbytes\": 4}, \"exp_avg\": {");
	HAS(TEXT("optimizer.json"), "\"param_groups\": [{\"lr\": 0.001, ");
	close_data();
}

static void a_dict_that_holds_itself_has_a_json_that_ends(void)
{
	struct list *l;

	open_data("bad-pickle-cycle-dict.pt");
	l = list_dir(VOLUME_ROOT);
	for (size_t i = 0; i < l->n; i++) {
		char path[300];

		snprintf(path, sizeof path, "%.200s.json", l->name[i]);
		if (resolve(path) == 0)
			OK(strlen(TEXT(path)) < 1000);
	}
	OK(l->n > 0);
	free(l);
	close_data();
}

/* --- elements ------------------------------------------------------------------------------------- */

static struct vfile *open_at(const char *path)
{
	struct vfile *f = NULL;
	struct err e = {0};

	EQ_I64(volume_file_open(vol, ino_at(path), &f, &e), 0);
	return f;
}

static void a_transposed_tensor_is_read_in_c_order(void)
{
	float a[64][32], t[32][64];
	struct vfile *f;
	size_t got;
	int wrong = 0;

	open_data("demo.pth");
	f = open_at("projection");
	EQ_I64(volume_file_read(f, a, sizeof a, 0, &got, NULL), 0);
	EQ_I64(got, sizeof a);
	volume_file_close(f);
	f = open_at("projection_t");
	EQ_I64(volume_file_size(f), sizeof t);
	EQ_I64(volume_file_read(f, t, sizeof t, 0, &got, NULL), 0);
	for (int i = 0; i < 64; i++)
		for (int j = 0; j < 32; j++)
			wrong += memcmp(&a[i][j], &t[j][i], sizeof(float)) != 0;
	EQ_I64(wrong, 0);
	volume_file_close(f);
	close_data();
}

static void reads_end_at_the_end(void)
{
	char buf[64];
	struct vfile *f;
	size_t got = 99;

	open_data("demo.pth");
	f = open_at("model/module.bn1.weight");
	EQ_I64(volume_file_size(f), 64);
	EQ_I64(volume_file_read(f, buf, sizeof buf, 60, &got, NULL), 0);
	EQ_I64(got, 4);
	EQ_I64(volume_file_read(f, buf, sizeof buf, 64, &got, NULL), 0);
	EQ_I64(got, 0);
	EQ_I64(volume_file_read(f, buf, sizeof buf, UINT64_MAX, &got, NULL), 0);
	EQ_I64(got, 0);
	volume_file_close(f);
	close_data();
}

/* What lies in the checkpoint as it is, is told as descriptor and offset. */
static void a_stored_contiguous_tensor_is_a_place_in_the_file(void)
{
	char by_fd[1728], by_read[1728];
	struct vfile *f;
	uint64_t off = 0;
	size_t got;
	int fd;

	open_data("demo.pth");
	f = open_at("model/module.conv1.weight");
	fd = volume_file_raw(f, 4, 1000, &off);
	OK(fd >= 0);
	EQ_I64(pread(fd, by_fd, 1000, (off_t)off), 1000);
	EQ_I64(volume_file_read(f, by_read, 1000, 4, &got, NULL), 0);
	EQ_MEM(by_fd, 1000, by_read, 1000);
	EQ_I64(volume_file_raw(f, 0, 1729, &off), -1);
	EQ_I64(volume_file_raw(f, UINT64_MAX, 2, &off), -1);
	volume_file_close(f);
	f = open_at("projection_t");
	EQ_I64(volume_file_raw(f, 0, 8, &off), -1);
	volume_file_close(f);
	close_data();
}

static void npy_is_a_header_of_whole_64_bytes_and_the_same_elements(void)
{
	char npy[4096], raw[4096];
	int64_t n, m;

	open_data("demo.pth");
	n = read_ino(ino_at("model/module.bn1.weight.npy"), npy, sizeof npy);
	m = read_ino(ino_at("model/module.bn1.weight"), raw, sizeof raw);
	EQ_I64(n, attr_at("model/module.bn1.weight.npy").size);
	EQ_I64((n - m) % 64, 0);
	EQ_MEM(npy, 8, "\x93NUMPY\x01\x00", 8);
	HAS(npy + 10, "'descr': '<f4', 'fortran_order': False, 'shape': (16,)");
	EQ_MEM(npy + n - m, (size_t)m, raw, (size_t)m);
	close_data();
}

static int collect(void *ctx, struct str piece)
{
	struct buf *b = ctx;

	buf_str(b, piece);
	return b->n > 200 ? 5 : 0;
}

static void elements_as_text_are_one_a_line_and_stop_when_told(void)
{
	struct buf b;
	struct vfile *f;

	buf_init(&b, 1 << 20);
	open_data("good-views.pt");
	f = open_at("row1");
	EQ_I64(volume_file_text(f, collect, &b, NULL), 0);
	EQ_I64(volume_file_size(f), 24);
	EQ_MEM(b.p, b.n, "6.0\n7.0\n8.0\n9.0\n10.0\n11.0\n", strlen("6.0\n7.0\n8.0\n9.0\n10.0\n11.0\n"));
	volume_file_close(f);
	close_data();
	open_data("demo.pth");
	f = open_at("projection");
	EQ_I64(volume_file_text(f, collect, &b, NULL), 5);
	volume_file_close(f);
	b.n = 0;
	f = open_at("epoch"); /* other files as they are */
	EQ_I64(volume_file_text(f, collect, &b, NULL), 0);
	EQ_MEM(b.p, b.n, "12\n", 3);
	volume_file_close(f);
	close_data();
	buf_release(&b);
}

static void a_broken_tensor_is_an_error_that_names_it_and_the_others_are_fine(void)
{
	struct vfile *f;
	struct err e = {0};

	open_data("bad-tensor-missing-record.pt");
	EQ_I64(attr_at("x").mode, S_IFREG | 0444);
	EQ_I64(volume_file_open(vol, ino_at("x"), &f, &e), ERR_DAMAGED);
	HAS(e.text, "x: ");
	EQ_I64(err_errno(e.code, &e), EIO);
	HAS(TEXT("x.meta"), "\"broken\": \"");
	HAS(TEXT(".pthfs/info"), "unreadable");
	close_data();
}

static void a_directory_is_no_file(void)
{
	struct vfile *f;

	open_data("demo.pth");
	OK(volume_file_open(vol, ino_at("model"), &f, NULL) < 0);
	OK(volume_file_open(vol, ino_at(".pthfs"), &f, NULL) < 0);
	OK(volume_file_open(vol, ino_at("model/module"), &f, NULL) < 0);
	EQ_I64(volume_file_open(vol, ino_at(".pthfs/archive"), &f, NULL), ERR_SYS);
	OK(volume_file_open(vol, UINT64_MAX, &f, NULL) < 0);
	close_data();
}

/* Every file of every good fixture: its size is what is read, and reading does not fail. */
static void read_all(uint64_t dir, int depth)
{
	struct list *l = list_dir(dir);
	char buf[65536];

	for (size_t i = 0; i < l->n; i++) {
		struct vattr a = {0};

		EQ_I64(volume_lookup(vol, dir, str_of(l->name[i]), &a, NULL), 0);
		if (S_ISDIR(a.mode) && depth < 8)
			read_all(a.ino, depth + 1);
		else if (S_ISREG(a.mode) && a.size < sizeof buf && !a.dynamic)
			EQ_I64(read_ino(a.ino, buf, sizeof buf), a.size);
	}
	free(l);
}

static void what_stat_says_is_what_is_read(void)
{
	static const char *const files[] = {"good-checkpoint.ckpt", "good-dtypes.pt",
		"good-values.pt", "good-views.pt", "good-sparse.pt", "good-module-ghost.pt",
		"good-conj-neg.pt", "good-zip-big-endian.pt", "good-zip-deflated.pt"};

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		open_with(files[i], &(struct volume_opts){.show_hidden = true});
		read_all(VOLUME_ROOT, 0);
		read_all(ino_at(".pthfs"), 0);
		close_data();
	}
}

/* --- .pthfs/ -------------------------------------------------------------------------------------- */

static void info_globals_status_and_log_speak(void)
{
	open_data("bad-pickle-os-system.pt");
	HAS(TEXT(".pthfs/info"), "format          torch zip");
	HAS(TEXT(".pthfs/info"), "DANGEROUS");
	HAS(TEXT(".pthfs/globals"), "system");
	HAS(TEXT(".pthfs/globals"), "not allowed with weights_only=True");
	close_data();
	open_data("demo.pth");
	HAS(TEXT(".pthfs/info"), "model/ (");
	HAS(TEXT(".pthfs/info"), "prefix module.");
	HAS(TEXT("model/.pthfs/metadata.json"), "\"version\": ");
	close_data();
}

/* --- xattrs ----------------------------------------------------------------------------------------- */

static const char *xattr(const char *path, const char *name)
{
	static char out[8][256];
	static int next;
	char *text = out[next++ % 8];
	struct buf b;

	buf_init(&b, 4096);
	if (volume_getxattr(vol, ino_at(path), str_of(name), &b, NULL) < 0)
		snprintf(text, 256, "(none)");
	else
		snprintf(text, 256, "%.*s", (int)b.n, b.p ? b.p : "");
	buf_release(&b);
	return text;
}

static void xattrs_tell_everything_about_a_tensor(void)
{
	open_data("demo.pth");
	EQ_STR(xattr("projection_t", "user.key"), "projection_t");
	EQ_STR(xattr("projection_t", "user.dtype"), "float32");
	EQ_STR(xattr("projection_t", "user.shape"), "[32, 64]");
	EQ_STR(xattr("projection_t", "user.stride"), "[1, 32]");
	EQ_STR(xattr("projection_t", "user.offset"), "0");
	EQ_STR(xattr("projection_t", "user.nbytes"), "8192");
	EQ_STR(xattr("projection_t", "user.device"), "cpu");
	EQ_STR(xattr("projection_t", "user.requires_grad"), "false");
	EQ_STR(xattr("projection_t", "user.byteorder"), "little");
	EQ_STR(xattr("projection_t", "user.type"), "tensor");
	EQ_STR(xattr("projection_t", "user.storage"), xattr("projection", "user.storage"));
	EQ_STR(xattr("projection_t.npy", "user.dtype"), "float32");
	EQ_STR(xattr("model/module.fc.weight", "user.key"), "module.embed.weight"); /* the first */
	EQ_STR(xattr("epoch", "user.type"), "int");
	EQ_STR(xattr("epoch", "user.key"), "epoch");
	EQ_STR(xattr("epoch", "user.dtype"), "(none)");
	EQ_STR(xattr("model", "user.type"), "OrderedDict");
	EQ_STR(xattr("model/module", "user.key"), "model");
	EQ_STR(xattr("", "user.key"), "(none)");
	EQ_STR(xattr("epoch", "security.selinux"), "(none)");
	EQ_STR(xattr(".pthfs/info", "user.key"), "(none)");
	close_data();
}

static void xattrs_are_listed_as_far_as_they_are_there(void)
{
	static const char leaf[] = "user.key\0user.type";
	struct buf b;

	buf_init(&b, 4096);
	open_data("demo.pth");
	EQ_I64(volume_listxattr(vol, ino_at("epoch"), &b, NULL), 0);
	EQ_MEM(b.p, b.n, leaf, sizeof leaf);
	b.n = 0;
	EQ_I64(volume_listxattr(vol, ino_at("projection"), &b, NULL), 0);
	EQ_I64(b.n, strlen("user.key user.dtype user.shape user.stride user.offset user.nbytes "
			"user.device user.requires_grad user.storage user.byteorder user.type") + 1);
	b.n = 0;
	EQ_I64(volume_listxattr(vol, UINT64_MAX, &b, NULL), 0);
	EQ_I64(b.n, 0);
	close_data();
	open_data("good-meta.pt"); /* no storage */
	EQ_I64(volume_listxattr(vol, ino_at("meta"), &b, NULL), 0);
	buf_putc(&b, 0);
	EQ_STR(xattr("meta", "user.storage"), "(none)");
	EQ_STR(xattr("meta", "user.device"), "meta");
	close_data();
	buf_release(&b);
}

/* --- counts ------------------------------------------------------------------------------------------ */

static void totals_count_each_tensor_once(void)
{
	struct volume_totals t;

	open_data("good-views.pt");
	volume_totals(vol, &t);
	EQ_I64(t.tensors, 18);
	EQ_I64(t.tied, 3); /* same, alias, lm_head.weight */
	EQ_I64(t.broken, 0);
	EQ_I64(t.views, 9); /* all of base's storage but same and alias */
	EQ_I64(t.values, 0);
	EQ_I64(t.bytes, volume_bytes(vol));
	close_data();
	open_data("good-top-tensor.pt");
	volume_totals(vol, &t);
	EQ_I64(t.tensors, 1);
	EQ_I64(t.tied, 0);
	EQ_I64(t.values, 0);
	EQ_I64(t.bytes, 24);
	close_data();
	open_data("good-top-int.bin");
	volume_totals(vol, &t);
	EQ_I64(t.values, 1);
	close_data();
}

static void a_file_that_is_no_checkpoint_is_named_in_the_error(void)
{
	struct volume *v = NULL;
	struct err e = {0};
	char path[4096];

	snprintf(path, sizeof path, "%s/tests/data/bad-file-png.pt",
			getenv("PTHFS_SRC") ? getenv("PTHFS_SRC") : ".");
	OK(volume_open(path, NULL, &v, &e) < 0);
	HAS(e.text, "bad-file-png.pt: ");
	HAS(e.text, "PNG");
	OK(v == NULL);
	EQ_I64(volume_open("/nonexistent/x.pth", NULL, &v, &e), ERR_SYS);
	HAS(e.text, "/nonexistent/x.pth: ");
	EQ_I64(err_errno(e.code, &e), ENOENT);
}

static void too_many_names_are_refused_in_words(void)
{
	struct volume *v = NULL;
	struct err e = {0};
	char path[4096];

	snprintf(path, sizeof path, "%s/tests/data/demo.pth",
			getenv("PTHFS_SRC") ? getenv("PTHFS_SRC") : ".");
	EQ_I64(volume_open(path, &(struct volume_opts){.max_names = 10}, &v, &e), ERR_LIMIT);
	HAS(e.text, "max_names");
}

int main(void)
{
	TEST(a_meta_says_what_a_tensor_is_in_one_line);
	TEST(a_strided_tensor_tells_its_stride_and_whose_bytes_it_shares);
	TEST(tied_tensors_have_one_meta_with_all_their_names);
	TEST(overlaps_are_told_in_the_order_of_the_tree);
	TEST(what_is_not_the_default_follows_in_a_fixed_order);
	TEST(a_name_that_is_not_the_key_has_the_key_in_its_meta);
	TEST(parts_have_a_meta_of_the_whole);
	TEST(values_are_their_python_text_and_a_newline);
	TEST(json_is_everything_below_without_tensor_data);
	TEST(a_dict_that_holds_itself_has_a_json_that_ends);
	TEST(a_transposed_tensor_is_read_in_c_order);
	TEST(reads_end_at_the_end);
	TEST(a_stored_contiguous_tensor_is_a_place_in_the_file);
	TEST(npy_is_a_header_of_whole_64_bytes_and_the_same_elements);
	TEST(elements_as_text_are_one_a_line_and_stop_when_told);
	TEST(a_broken_tensor_is_an_error_that_names_it_and_the_others_are_fine);
	TEST(a_directory_is_no_file);
	TEST(what_stat_says_is_what_is_read);
	TEST(info_globals_status_and_log_speak);
	TEST(xattrs_tell_everything_about_a_tensor);
	TEST(xattrs_are_listed_as_far_as_they_are_there);
	TEST(totals_count_each_tensor_once);
	TEST(a_file_that_is_no_checkpoint_is_named_in_the_error);
	TEST(too_many_names_are_refused_in_words);
	return tap_done();
}
