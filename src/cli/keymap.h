/* keymap.h - new keys for old: a prefix off or on, or a regular expression. */
#ifndef PTHFS_CLI_KEYMAP_H
#define PTHFS_CLI_KEYMAP_H

#include <pthfs/err.h>
#include <pthfs/str.h>
#include <regex.h>
#include <stdbool.h>

enum keymap_kind { KEYMAP_NONE, KEYMAP_STRIP, KEYMAP_ADD, KEYMAP_REGEX };

struct keymap {
	enum keymap_kind kind;
	char *text;     /* the prefix with its dot; the replacement as it was written */
	regex_t re;
	bool all;       /* g */
};

/* "module" and "module." are the same prefix. */
int keymap_prefix(struct keymap *m, enum keymap_kind kind, const char *prefix, struct err *e);
/* "S/R/", "S/R/g", also as "/S/R/" and "s/S/R/"; any punctuation in the place of the slash. */
int keymap_regex(struct keymap *m, const char *expr, struct err *e);
void keymap_release(struct keymap *m);
/* A volume_key_fn: false when the key stays as it is. */
bool keymap_apply(void *ctx, struct str key, struct buf *out);

#endif
