/* zip_save_may.c - which storages of a zip can be written.
 *
 *	has a record, stored       patched where it is
 *	deflated, or byte-swapped  its record is written anew behind the others
 *	new                        has no record yet
 *	inside of the pickle       as plain_may_write() says; not in TorchScript, whose pickles are
 *	                           of a kind that pthfs does not write
 */
#include <string.h>

#include "save_in.h"

int zip_may_write(const struct checkpoint *ck, uint32_t storage, struct err *e)
{
	const struct storage *st = &ck->model.storages.at[storage];

	if (st->inside != OBJ_NONE && strcmp(ck->format, "torchscript") == 0)
		return err_set(e, ERR_UNSUPPORTED,
				"its bytes are part of the pickle of a TorchScript archive, which "
				"pthfs cannot write");
	if (st->inside != OBJ_NONE)
		return plain_may_write(ck, storage, e);
	if (!st->data.src && (st->nbytes || st->broken))
		return err_set(e, ERR_UNSUPPORTED, "its bytes are not there%s%s",
				st->broken ? ": " : "", st->broken ? st->broken : "");
	return 0;
}
