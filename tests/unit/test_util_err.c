/* Error sentences, codes and errnos. */
#include <errno.h>
#include <pthfs/err.h>

#include "tap.h"

static void a_set_error_has_code_errno_and_sentence(void)
{
	struct err e = {0};

	EQ_I64(err_set(&e, ERR_DAMAGED, "offset %d: %s", 12, "bad"), ERR_DAMAGED);
	EQ_I64(e.code, ERR_DAMAGED);
	EQ_I64(e.sys, EIO);
	EQ_STR(e.text, "offset 12: bad");
}

static void without_a_struct_the_code_still_comes_back(void)
{
	EQ_I64(err_set(NULL, ERR_REFUSED, "x"), ERR_REFUSED);
	EQ_I64(err_sys(NULL, ENOSPC, "x"), ERR_SYS);
	EQ_I64(err_nomem(NULL), ERR_NOMEM);
	err_prefix(NULL, "x");
}

static void a_system_error_keeps_its_errno_and_says_it(void)
{
	struct err e;

	EQ_I64(err_sys(&e, ENOSPC, "cannot write %s", "f"), ERR_SYS);
	EQ_I64(e.sys, ENOSPC);
	EQ_STR(e.text, "cannot write f: No space left on device");
	EQ_I64(err_errno(ERR_SYS, &e), ENOSPC);
	EQ_I64(err_errno(ERR_SYS, NULL), EIO);
}

static void an_errno_of_another_error_is_not_taken(void)
{
	struct err e;

	err_sys(&e, ENOSPC, "x");
	EQ_I64(err_errno(ERR_ABSENT, &e), ENOENT);
}

static void absent_damaged_and_refused_are_three_errnos(void)
{
	EQ_I64(err_errno(ERR_ABSENT, NULL), ENOENT);
	EQ_I64(err_errno(ERR_DAMAGED, NULL), EIO);
	EQ_I64(err_errno(ERR_REFUSED, NULL), EPERM);
	EQ_I64(err_errno(ERR_UNSUPPORTED, NULL), EOPNOTSUPP);
	EQ_I64(err_errno(ERR_OK, NULL), 0);
	EQ_I64(err_errno(-999, NULL), EIO);
	EQ_STR(err_class(ERR_ABSENT), "not there");
	EQ_STR(err_class(ERR_LIMIT), "over a limit");
	EQ_STR(err_class(-999), "unknown");
}

static void a_prefix_goes_in_front_and_keeps_the_code(void)
{
	struct err e;

	err_set(&e, ERR_LIMIT, "too large");
	err_prefix(&e, "%s.pt", "a");
	err_prefix(&e, "outer");
	EQ_STR(e.text, "outer: a.pt: too large");
	EQ_I64(e.code, ERR_LIMIT);
}

static void another_code_brings_its_own_errno(void)
{
	struct err e;

	err_set(&e, ERR_DAMAGED, "cut short");
	EQ_I64(err_as(&e, ERR_INVALID), ERR_INVALID);
	EQ_I64(err_errno(ERR_INVALID, &e), EINVAL);
	EQ_STR(e.text, "cut short");
	EQ_I64(err_as(NULL, ERR_LIMIT), ERR_LIMIT);
}

static void a_sentence_too_long_is_cut_and_terminated(void)
{
	struct err e;
	char wide[1000];

	memset(wide, 'w', sizeof wide - 1);
	wide[sizeof wide - 1] = 0;
	err_set(&e, ERR_DAMAGED, "%s", wide);
	EQ_I64(strlen(e.text), sizeof e.text - 1);
	err_prefix(&e, "front");
	EQ_I64(strlen(e.text), sizeof e.text - 1);
	OK(strncmp(e.text, "front: www", 10) == 0);
	err_prefix(&e, "%s", wide);
	OK(strlen(e.text) <= sizeof e.text - 1);
	err_sys(&e, EIO, "%s", wide);
	EQ_I64(strlen(e.text), sizeof e.text - 1);
}

int main(void)
{
	TEST(a_set_error_has_code_errno_and_sentence);
	TEST(without_a_struct_the_code_still_comes_back);
	TEST(a_system_error_keeps_its_errno_and_says_it);
	TEST(an_errno_of_another_error_is_not_taken);
	TEST(absent_damaged_and_refused_are_three_errnos);
	TEST(a_prefix_goes_in_front_and_keeps_the_code);
	TEST(another_code_brings_its_own_errno);
	TEST(a_sentence_too_long_is_cut_and_terminated);
	return tap_done();
}
