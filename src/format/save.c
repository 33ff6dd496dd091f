/* save.c - a changed model back into its own format: which saver, and what may be changed at all.
 *
 *	"torch zip", "torchscript"   zip_save()      bytes of TorchScript only
 *	"torch legacy"               legacy_save()
 *	"torch tar"                  tar_save()
 *	"pickle"                     plain_save()
 *
 * A file of which only a part was found (salvage) is never written: what was not found would be
 * gone for good.
 */
#include <pthfs/save.h>

#include <stdlib.h>
#include <string.h>

#include <pthfs/cleanup.h>

#include "save_in.h"

static const struct saver {
	const char *format;
	int (*save)(const struct save *s, struct plan *p, uint64_t *places,
			struct save_report *rep, struct err *e);
	int (*may_write)(const struct checkpoint *ck, uint32_t storage, struct err *e);
} savers[] = {
		{"torch zip", zip_save, zip_may_write},
		{"torchscript", zip_save, zip_may_write},
		{"torch legacy", legacy_save, legacy_may_write},
		{"torch tar", tar_save, tar_may_write},
		{"pickle", plain_save, plain_may_write},
};

static const struct saver *saver_of(const struct checkpoint *ck)
{
	for (size_t i = 0; i < ARRAY_SIZE(savers); i++)
		if (strcmp(savers[i].format, ck->format) == 0)
			return &savers[i];
	return NULL;
}

static int may_save(const struct checkpoint *ck, struct err *e)
{
	if (ck->truncated || (ck->box && ck->box->salvaged))
		return err_set(e, ERR_UNSUPPORTED,
				"this file is damaged or cut, and only what was found of it is "
				"shown: writing it would lose the rest for good; copy out what is "
				"there");
	if (!saver_of(ck))
		return err_set(e, ERR_UNSUPPORTED, "files of the format \"%s\" cannot be written",
				ck->format);
	return 0;
}

static int may_change(const struct checkpoint *ck, struct err *e)
{
	if (strcmp(ck->format, "torchscript") == 0)
		return err_set(e, ERR_UNSUPPORTED,
				"the code in a TorchScript archive refers to its names, types and "
				"values: only the bytes of tensors can be changed");
	return 0;
}

int checkpoint_may_change(const struct checkpoint *ck, struct err *e)
{
	int rc = may_save(ck, e);

	return rc < 0 ? rc : may_change(ck, e);
}

int checkpoint_may_write(const struct checkpoint *ck, uint32_t storage, struct err *e)
{
	int rc = may_save(ck, e);

	if (rc < 0)
		return rc;
	if (storage >= ck->model.storages.n)
		return err_set(e, ERR_ABSENT, "there is no storage %u", storage);
	return saver_of(ck)->may_write(ck, storage, e);
}

int checkpoint_save(const struct save *s, struct plan *ret, uint64_t **places,
		struct save_report *rep, struct err *e)
{
	size_t n = s->ck->model.storages.n;
	_cleanup_(freep) uint64_t *at = malloc((n ? n : 1) * sizeof *at);
	struct save_report report = {0};
	struct plan p;
	int rc = may_save(s->ck, e);

	if (rc == 0 && (s->pickle || s->compact))
		rc = may_change(s->ck, e);
	if (rc < 0)
		return rc;
	if (!at)
		return err_nomem(e);
	memset(at, 0xff, n * sizeof *at);
	plan_init(&p);
	rc = saver_of(s->ck)->save(s, &p, at, &report, e);
	if (rc < 0) {
		plan_release(&p);
		return rc;
	}
	*ret = p;
	*places = steal_ptr(&at);
	*rep = report;
	return 0;
}
