/* err.c - one sentence per failure, and the table of codes.
 *
 * The table is err.def read twice: codes in err.h, errno and class here. A struct err may be NULL
 * everywhere, so that a caller who only wants the code needs none.
 *
 * What is deliberately not done: no stack of causes, no allocation. A sentence that does not fit
 * is cut.
 */
#include <pthfs/err.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	int code, sys;
	const char *name;
} classes[] = {
#define X(name, value, sys, text) {-(value), sys, text},
#include <pthfs/err.def>
#undef X
};

static int class_of(int code)
{
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		if (classes[i].code == code)
			return (int)i;
	return -1;
}

int err_errno(int code, const struct err *e)
{
	int i;

	if (code == ERR_OK)
		return 0;
	if (e && e->code == code && e->sys > 0)
		return e->sys;
	i = class_of(code);
	return i < 0 ? EIO : classes[i].sys;
}

const char *err_class(int code)
{
	int i = class_of(code);

	if (code == ERR_OK)
		return "fine";
	return i < 0 ? "unknown" : classes[i].name;
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return code;
	e->code = code;
	e->sys = err_errno(code, NULL);
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	return code;
}

int err_sys(struct err *e, int sys, const char *fmt, ...)
{
	char word[128];
	size_t n;
	va_list ap;

	if (!e)
		return ERR_SYS;
	e->code = ERR_SYS;
	e->sys = sys > 0 ? sys : EIO;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	/* The GNU strerror_r: returns the text, which need not be in `word`. */
	snprintf(e->text + n, sizeof e->text - n, ": %s", strerror_r(e->sys, word, sizeof word));
	return ERR_SYS;
}

int err_nomem(struct err *e)
{
	return err_set(e, ERR_NOMEM, "out of memory");
}

int err_as(struct err *e, int code)
{
	if (e) {
		e->code = code;
		e->sys = err_errno(code, NULL);
	}
	return code;
}

void err_prefix(struct err *e, const char *fmt, ...)
{
	char text[sizeof e->text];
	size_t n, more;
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text - 2, fmt, ap);
	va_end(ap);
	n = strlen(text);
	memcpy(text + n, ": ", 2);
	n += 2;
	more = strnlen(e->text, sizeof text - 1 - n);
	memcpy(text + n, e->text, more);
	text[n + more] = 0;
	memcpy(e->text, text, n + more + 1);
}
