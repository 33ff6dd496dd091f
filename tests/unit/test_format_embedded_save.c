/* Arrays inside of the pickle of a zip, changed and written back. */
#include "save_kit.h"

static void changed_arrays_of_a_zip_come_back(void)
{
	struct ckpt k;
	struct saved s;

	ckpt_data(&k, "good-numpy.pt");
	for (uint32_t i = 0; i < k.c->model.storages.n && n_writes < WRITES_MAX; i++)
		if (k.c->model.storages.at[i].data.len) {
			EQ_I64(checkpoint_may_write(k.c, i, &k.e), 0);
			write_bytes(&k, i, 0, "\xfe", 1);
		}
	OK(n_writes > 4);
	save_as(&k, &s, (struct save){0});
	OK(same_model(&k, &s.now));
	OK(places_are_right(&k, &s));
	saved_release(&s);
	ckpt_release(&k);
}

static void arrays_of_a_zip_that_is_made_compact_come_back(void)
{
	struct ckpt k;
	struct saved s;

	ckpt_data(&k, "good-numpy.pt");
	write_bytes(&k, 0, 0, "\xfe", 1);
	save_as(&k, &s, (struct save){.compact = true});
	OK(same_model(&k, &s.now));
	saved_release(&s);
	ckpt_release(&k);
}

int main(void)
{
	TEST(changed_arrays_of_a_zip_come_back);
	TEST(arrays_of_a_zip_that_is_made_compact_come_back);
	return tap_done();
}
