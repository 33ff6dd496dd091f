/* zip_other.c - words for the zips that cannot be mounted: other things, and cut ones.
 *
 * A truncated zip has lost its directory, but torch.save writes data.pkl first: its local header
 * stands at offset 0, and the pickle says how many bytes the storages should have. So the sentence
 * can tell how much is missing without searching the file. (formats/torch-zip.md sections 2, 7)
 */
#include "containers.h"

#include <pthfs/cleanup.h>

enum { LOCAL_HEADER = 30 };

static const struct member *ending(const struct box *b, const char *suffix)
{
	for (uint32_t i = 0; i < b->n; i++)
		if (str_ends(b->at[i].name, str_of(suffix)))
			return &b->at[i];
	return NULL;
}

static const struct {
	const char *suffix, *what;
} other_zips[] = {
		{".data/extern_modules", "a torch.package archive, which is read with "
					 "torch.package.PackageImporter"},
		{"/model.json", "a TorchScript archive of torch 1.0 to 1.3: load it with such a "
				"torch and save "
				"it again"},
		{"[Content_Types].xml", "an Office document"},
		{"AndroidManifest.xml", "an Android package"},
		{"META-INF/MANIFEST.MF", "a Java archive"},
		{"model.weights.h5", "a Keras model"},
		{".npy", "a NumPy .npz archive, which numpy.load reads"},
};

int zip_name_other(const struct box *b, struct err *e)
{
	static const char *const inner[] = {".pth", ".pt", ".ckpt", ".bin", ".safetensors"};
	const struct member *m;

	if (b->n == 0)
		return err_set(e, ERR_NOT_CKPT, "an empty zip: it holds no records");
	if (box_find(b, STR("data.pkl")))
		return err_set(e, ERR_NOT_CKPT,
				"data.pkl lies in no folder of the zip, so torch does not find it: "
				"pack the "
				"files again, below one folder");
	for (size_t i = 0; i < ARRAY_SIZE(other_zips); i++)
		if (ending(b, other_zips[i].suffix))
			return err_set(e, ERR_NOT_CKPT, "not a checkpoint but %s",
					other_zips[i].what);
	for (size_t i = 0; i < ARRAY_SIZE(inner); i++) {
		m = ending(b, inner[i]);
		if (m)
			return err_set(e, ERR_NOT_CKPT,
					"a zip around a checkpoint: unpack it and mount its \"%s\"",
					STR_SHOW(m->name));
	}
	return err_set(e, ERR_NOT_CKPT,
			"a zip without data.pkl, so not a checkpoint of torch: it holds %u "
			"records, first "
			"\"%s\"",
			b->n, STR_SHOW(b->at[0].name));
}

/* Where data.pkl begins, when it is the first record of a torch zip and stored. */
static bool first_pickle(struct source *file, uint64_t *ret)
{
	unsigned char head[LOCAL_HEADER];
	char name[512];
	unsigned n;

	if (file->size < sizeof head || source_read(file, head, sizeof head, 0, NULL) < 0)
		return false;
	n = le16(head + 26);
	if (le16(head + 8) != 0 || n > sizeof name || n > file->size - sizeof head ||
			source_read(file, name, n, sizeof head, NULL) < 0)
		return false;
	if (!str_ends((struct str){name, n}, STR("/data.pkl")))
		return false;
	*ret = sizeof head + n + le16(head + 28);
	return *ret <= file->size;
}

/* Bytes of all storages that a pickle names, and what a file needs to hold them behind it. */
static int announced(struct source *file, uint64_t off, uint64_t *ret_need, uint64_t *ret_sum)
{
	struct format_opts none = {0};
	struct checkpoint c = {.file = file};
	struct loader l;
	struct reader r;
	uint64_t sum = 0, end = 0;
	oref root;
	int rc = model_init(&c.model, NULL);

	if (rc < 0)
		return rc;
	loader_init(&l, &c, &none, NULL);
	l.persid_items = 5;
	rc = reader_init(&r, file, off, file->size - off, NULL);
	if (rc == 0) {
		rc = pickle_load(&r, l.g, &root, NULL, NULL);
		end = r.pos;
		reader_release(&r);
	}
	if (rc == 0)
		rc = persid_scan(&l);
	for (size_t i = 0; rc == 0 && i < l.m->storages.n; i++)
		if (__builtin_add_overflow(sum, l.m->storages.at[i].nbytes, &sum))
			rc = ERR_DAMAGED;
	loader_release(&l);
	model_release(&c.model);
	*ret_sum = sum;
	if (rc == 0 && __builtin_add_overflow(sum, end, ret_need))
		rc = ERR_DAMAGED;
	return rc;
}

void zip_describe_truncated(struct source *file, struct err *e)
{
	uint64_t off, need = 0, sum = 0;

	if (!e || !first_pickle(file, &off))
		return;
	if (announced(file, off, &need, &sum) < 0)
		err_set(e, ERR_TRUNCATED,
				"the file is truncated: its %s end inside its pickle, so nothing "
				"can be read; "
				"get it again",
				STR_SIZE(file->size));
	else if (need <= file->size)
		err_set(e, ERR_TRUNCATED,
				"the file is truncated: %s are there, and its pickle announces %s "
				"of tensors, "
				"so what is missing is most likely only the directory at its end; "
				"get it "
				"again, or mount what is there with -o salvage",
				STR_SIZE(file->size), STR_SIZE(sum));
	else
		err_set(e, ERR_TRUNCATED,
				"the file is truncated: %s are there, but its pickle announces %s "
				"of tensors, "
				"so at least %s are missing; get it again, or mount what is there "
				"with -o "
				"salvage",
				STR_SIZE(file->size), STR_SIZE(sum), STR_SIZE(need - file->size));
}
