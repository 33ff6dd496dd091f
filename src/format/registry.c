/* registry.c - the table of formats, and opening a checkpoint with the one that bids most.
 *
 * A bid is the number of bits that were verified in the first 512 bytes. A bid below SURE is a
 * guess (a pickle of protocol 0 begins like many texts): when its load fails, the file is named
 * for what else it may be. The extension of the name is never looked at.
 */
#include "change_in.h"
#include "containers.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <pthfs/cleanup.h>

#define HEAD 512
#define SURE 12 /* bits */

static const struct format_ops *const formats[] = {
		&torch_zip_ops,
		&torch_legacy_ops,
		&torch_tar_ops,
		&pickle_ops,
};

static int new_checkpoint(struct source *file, struct checkpoint **ret, struct err *e)
{
	struct checkpoint *c = calloc(1, sizeof *c);

	if (!c)
		return err_nomem(e);
	if (model_init(&c->model, e) < 0) {
		free(c);
		return ERR_NOMEM;
	}
	c->file = source_ref(file);
	c->version = c->producer = STR("");
	*ret = c;
	return 0;
}

void checkpoint_free(struct checkpoint *c)
{
	if (!c)
		return;
	/* Sources of the model may read through the box. */
	model_release(&c->model);
	box_free(c->box);
	vec_release(&c->globals);
	change_names_free(c->names);
	source_unref(c->file);
	free(c);
}

static int load_with(const struct format_ops *f, struct source *file, const struct format_opts *o,
		struct checkpoint **ret, struct err *e)
{
	struct checkpoint *c = NULL;
	int rc = new_checkpoint(file, &c, e);

	if (rc < 0)
		return rc;
	c->format = f->name;
	rc = f->load(file, o, c, e);
	if (rc < 0) {
		checkpoint_free(c);
		return rc;
	}
	*ret = c;
	return 0;
}

int checkpoint_load(struct source *file, const struct format_opts *o, struct checkpoint **ret,
		struct err *e)
{
	const struct format_opts none = {0};
	const struct format_ops *best = NULL;
	unsigned char head[HEAD];
	size_t n = file->size < HEAD ? (size_t)file->size : HEAD;
	int bid, most = 0, rc = source_read(file, head, n, 0, e);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		bid = formats[i]->bid(head, n, file->size);
		if (bid > most) {
			most = bid;
			best = formats[i];
		}
	}
	if (!best)
		return sniff_other(file, e);
	rc = load_with(best, file, o ? o : &none, ret, e);
	if (rc < 0 && rc != ERR_NOMEM && rc != ERR_SYS && most < SURE)
		return sniff_other(file, e);
	return rc;
}

int checkpoint_open(const char *path, const struct format_opts *o, struct checkpoint **ret,
		struct err *e)
{
	struct source *file;
	struct stat st;
	int rc;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(e, ERR_NOT_CKPT,
				"a directory: give the checkpoint file in it (directories as "
				"torch.distributed "
				"writes them are not supported yet)");
	rc = source_file_open(path, &file, e);
	if (rc < 0)
		return rc;
	rc = checkpoint_load(file, o, ret, e);
	source_unref(file);
	return rc;
}
