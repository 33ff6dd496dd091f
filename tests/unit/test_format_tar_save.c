/* The tar of torch before 0.1.7, changed and written back. */
#include "save_kit.h"

#define FILE_NAME "good-old-format.tar"

static void saving_without_changes_changes_no_byte(void)
{
	struct ckpt k;
	struct saved s;

	ckpt_data(&k, FILE_NAME);
	save_as(&k, &s, (struct save){0});
	OK(s.now.src && same_bytes(s.now.src, k.src));
	OK(places_are_right(&k, &s));
	saved_release(&s);
	ckpt_release(&k);
}

static void changed_bytes_are_patched_in_place(void)
{
	struct ckpt k;
	struct saved s;

	ckpt_data(&k, FILE_NAME);
	write_bytes(&k, 0, 1, "\x55", 1);
	save_as(&k, &s, (struct save){0});
	EQ_I64(plan_cost(&s.p, k.src), 1);
	OK(same_model(&k, &s.now));
	saved_release(&s);
	ckpt_release(&k);
}

static void renamed_key_makes_a_new_member(void)
{
	char name[1000];
	struct ckpt k;
	struct saved s;

	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = 0;
	ckpt_data(&k, FILE_NAME);
	EQ_I64(change_root(&k, UINT32_MAX, 0, name, OREF_NIL, OREF_NIL), 0);
	write_bytes(&k, 0, 1, "\x55", 1);
	save_as(&k, &s, (struct save){.pickle = true});
	OK(ckpt_at(&s.now, name) != NULL);
	EQ_I64(s.now.c->box->n, k.c->box->n);
	EQ_I64(s.p.size % 512, 0);
	OK(places_are_right(&k, &s));
	saved_release(&s);
	ckpt_release(&k);
}

static void objects_written_anew_are_the_same(void)
{
	struct ckpt k;
	struct saved s;

	ckpt_data(&k, FILE_NAME);
	save_as(&k, &s, (struct save){.pickle = true});
	OK(same_model(&k, &s.now));
	saved_release(&s);
	ckpt_release(&k);
}

int main(void)
{
	TEST(saving_without_changes_changes_no_byte);
	TEST(changed_bytes_are_patched_in_place);
	TEST(renamed_key_makes_a_new_member);
	TEST(objects_written_anew_are_the_same);
	return tap_done();
}
