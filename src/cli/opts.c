/* opts.c - mount options: one table, one walk.
 *
 * Three kinds of words come after -o: ours, libfuse's, and those of mount(8) and fstab that mean
 * nothing here (`user`, `_netdev`, `x-systemd.automount`) and must not be errors. What is in none
 * of them is refused by name, because a misspelt option that is passed over hurts later.
 *
 * mount.fuse3 always adds "dev,suid" or their opposites, and mount(8) always says "rw" where
 * nobody said "ro": together they are how we know that "rw" is nobody's wish. "edit" is the word
 * that means it everywhere.
 */
#include "opts.h"

#include <grp.h>
#include <math.h>
#include <pthfs/cleanup.h>
#include <pwd.h>
#include <stddef.h>
#include <string.h>

enum kind { IGNORE, PASS, FLAG, NUMBER, OCTAL, SECONDS, USER, GROUP, VALIDATE, DEVICE };

static const struct rule {
	const char *name; /* a trailing '=' asks for a value, a trailing '*' is any ending */
	enum kind kind;
	size_t at; /* in struct mount_opts */
} rules[] = {
#define AT(member) offsetof(struct mount_opts, member)
		{"salvage", FLAG, AT(volume.salvage)},
		{"inplace", FLAG, AT(volume.inplace)},
		{"compact", FLAG, AT(volume.compact)},
		{"validate=", VALIDATE, AT(volume.validate)},
		{"device=", DEVICE, AT(volume.device)},
		{"show_hidden", FLAG, AT(volume.show_hidden)},
		{"max_names=", NUMBER, AT(volume.max_names)},
		{"noxattr", FLAG, AT(fs.noxattr)},
		{"quiet", FLAG, AT(fs.quiet)},
		{"verbose", FLAG, AT(verbose)},
		{"nonempty", FLAG, AT(nonempty)},
		{"uid=", USER, AT(fs.uid)},
		{"gid=", GROUP, AT(fs.gid)},
		{"umask=", OCTAL, AT(umask)},
		{"fmask=", OCTAL, AT(fmask)},
		{"dmask=", OCTAL, AT(dmask)},
		{"direct_io", FLAG, AT(fs.direct_io)},
		{"entry_timeout=", SECONDS, AT(fs.entry_timeout)},
		{"attr_timeout=", SECONDS, AT(fs.attr_timeout)},
		{"negative_timeout=", SECONDS, AT(fs.negative_timeout)},
		{"max_read=", NUMBER, AT(fs.max_read)},
		{"clone_fd", FLAG, AT(fs.clone_fd)},
		{"max_threads=", NUMBER, AT(fs.max_threads)},
		{"max_idle_threads=", NUMBER, AT(fs.max_idle_threads)},
		{"debug", FLAG, AT(fs.debug)},
		{"ro", FLAG, AT(ro)},
		{"rw", FLAG, AT(rw)},
		{"edit", FLAG, AT(edit)},
		{"remount", FLAG, AT(remount)},
		{"dev", FLAG, AT(dev)},
		{"nodev", FLAG, AT(dev)},
		{"suid", FLAG, AT(suid)},
		{"nosuid", FLAG, AT(suid)},
		{"allow_other", PASS, 0},
		{"allow_root", PASS, 0},
		{"auto_unmount", PASS, 0},
		{"fsname=", PASS, 0},
		{"subtype=", PASS, 0},
		{"context=", PASS, 0},
		{"fscontext=", PASS, 0},
		{"defcontext=", PASS, 0},
		{"rootcontext=", PASS, 0},
		{"noexec", PASS, 0},
		{"sync", PASS, 0},
		{"dirsync", PASS, 0},
		{"noatime", PASS, 0},
		{"nodiratime", IGNORE, 0},
		/* libfuse's, and always so here */
		{"default_permissions", IGNORE, 0},
		{"kernel_cache", IGNORE, 0},
		{"auto_cache", IGNORE, 0},
		{"noauto_cache", IGNORE, 0},
		{"ac_attr_timeout=", IGNORE, 0},
		{"use_ino", IGNORE, 0},
		{"readdir_ino", IGNORE, 0},
		{"hard_remove", IGNORE, 0},
		{"noforget", IGNORE, 0},
		{"remember=", IGNORE, 0},
		{"nopath", IGNORE, 0},
		{"intr", IGNORE, 0},
		{"intr_signal=", IGNORE, 0},
		{"big_writes", IGNORE, 0},
		/* mount(8)'s and fstab's */
		{"defaults", IGNORE, 0},
		{"auto", IGNORE, 0},
		{"noauto", IGNORE, 0},
		{"user", IGNORE, 0},
		{"user=", IGNORE, 0},
		{"users", IGNORE, 0},
		{"nouser", IGNORE, 0},
		{"owner", IGNORE, 0},
		{"group", IGNORE, 0},
		{"nofail", IGNORE, 0},
		{"_netdev", IGNORE, 0},
		{"_rnetdev", IGNORE, 0},
		{"exec", IGNORE, 0},
		{"async", IGNORE, 0},
		{"atime", IGNORE, 0},
		{"diratime", IGNORE, 0},
		{"relatime", IGNORE, 0},
		{"norelatime", IGNORE, 0},
		{"strictatime", IGNORE, 0},
		{"nostrictatime", IGNORE, 0},
		{"lazytime", IGNORE, 0},
		{"nolazytime", IGNORE, 0},
		{"iversion", IGNORE, 0},
		{"noiversion", IGNORE, 0},
		{"mand", IGNORE, 0},
		{"nomand", IGNORE, 0},
		{"silent", IGNORE, 0},
		{"loud", IGNORE, 0},
		{"nosymfollow", IGNORE, 0},
		{"comment=", IGNORE, 0},
		{"x-*", IGNORE, 0},
		{"X-*", IGNORE, 0},
#undef AT
};

void opts_init(struct mount_opts *o)
{
	*o = (struct mount_opts){
			.fs = {.uid = (uid_t)-1,
					.gid = (gid_t)-1,
					.entry_timeout = -1,
					.attr_timeout = -1,
					.negative_timeout = -1},
			.umask = OPT_UNSET,
			.fmask = OPT_UNSET,
			.dmask = OPT_UNSET,
	};
	buf_init(&o->fuse, 1 << 16);
}

void opts_release(struct mount_opts *o)
{
	buf_release(&o->fuse);
}

/* The value behind the '=' of a rule that asks for one, "" for one that does not; else NULL. */
static const char *rule_value(const struct rule *rule, const char *word)
{
	size_t n = strlen(rule->name);
	char last = rule->name[n - 1];

	if (last == '=')
		return strncmp(word, rule->name, n) == 0 ? word + n : NULL;
	if (last == '*')
		return strncmp(word, rule->name, n - 1) == 0 ? "" : NULL;
	return strcmp(word, rule->name) == 0 ? "" : NULL;
}

static bool number(const char *value, int base, uint32_t max, uint32_t *ret)
{
	unsigned long n;
	char *end;

	if (!*value || strspn(value, "0123456789") != strlen(value))
		return false;
	n = strtoul(value, &end, base);
	if (*end || n > max)
		return false;
	*ret = (uint32_t)n;
	return true;
}

static bool seconds(const char *value, double *ret)
{
	char *end;
	double n = strtod(value, &end);

	if (!*value || *end || !isfinite(n) || n < 0)
		return false;
	*ret = n;
	return true;
}

static bool user_id(const char *value, uint32_t *ret)
{
	const struct passwd *pw;

	if (number(value, 10, UINT32_MAX - 1, ret))
		return true;
	pw = *value ? getpwnam(value) : NULL;
	if (pw)
		*ret = pw->pw_uid;
	return pw != NULL;
}

static bool group_id(const char *value, uint32_t *ret)
{
	const struct group *gr;

	if (number(value, 10, UINT32_MAX - 1, ret))
		return true;
	gr = *value ? getgrnam(value) : NULL;
	if (gr)
		*ret = gr->gr_gid;
	return gr != NULL;
}

static bool validate(const char *value, enum validate *ret)
{
	static const char *const words[] = {"warn", "off", "strict"}; /* enum validate */

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(value, words[i]) == 0) {
			*ret = (enum validate)i;
			return true;
		}
	}
	return false;
}

/* Kept for as long as the command runs: there is one of them, as with every option the last. */
static bool device(const char *value, const char **ret)
{
	static char kept[16];
	uint32_t card;

	if (strcmp(value, "cpu") != 0 && strcmp(value, "cuda") != 0 && strcmp(value, "auto") != 0 &&
			(strncmp(value, "cuda:", 5) != 0 || !number(value + 5, 10, 255, &card)))
		return false;
	if (strlen(value) >= sizeof kept)
		return false;
	memcpy(kept, value, strlen(value) + 1);
	*ret = kept;
	return true;
}

/* Once more with its backslashes, for libfuse to take off. */
static void pass_on(struct buf *b, const char *word)
{
	if (b->n)
		buf_putc(b, ',');
	for (; *word; word++) {
		if (*word == ',' || *word == '\\')
			buf_putc(b, '\\');
		buf_putc(b, *word);
	}
}

static bool apply(
		struct mount_opts *o, const struct rule *rule, const char *word, const char *value)
{
	void *at = (char *)o + rule->at;

	switch (rule->kind) {
	case IGNORE:
		return true;
	case PASS:
		pass_on(&o->fuse, word);
		return !o->fuse.failed;
	case FLAG:
		*(bool *)at = true;
		return true;
	case NUMBER:
		return number(value, 10, UINT32_MAX - 1, at);
	case OCTAL:
		return number(value, 8, 0777, at);
	case SECONDS:
		return seconds(value, at);
	case USER:
		return user_id(value, at);
	case GROUP:
		return group_id(value, at);
	case VALIDATE:
		return validate(value, at);
	case DEVICE:
		return device(value, at);
	}
	return false;
}

/* What a value should have been. */
static const char *wanted(enum kind kind)
{
	switch (kind) {
	case NUMBER:
		return "a number";
	case OCTAL:
		return "an octal mask up to 777";
	case SECONDS:
		return "a number of seconds";
	case USER:
		return "a user's name or number";
	case GROUP:
		return "a group's name or number";
	case VALIDATE:
		return "off, warn or strict";
	case DEVICE:
		return "cpu, cuda, cuda:N or auto";
	default:
		return "a value that fits";
	}
}

static int parse_word(struct mount_opts *o, const char *word, struct err *e)
{
	if (!*word)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		const char *value = rule_value(&rules[i], word);

		if (!value)
			continue;
		if (apply(o, &rules[i], word, value))
			return 0;
		return err_set(e, ERR_USAGE, "mount option %s'%s': that is not %s", rules[i].name,
				value, wanted(rules[i].kind));
	}
	if (o->sloppy)
		return 0;
	return err_set(e, ERR_USAGE, "unknown mount option '%s' (pthfs mount --help lists them)",
			word);
}

int opts_parse(struct mount_opts *o, const char *list, struct err *e)
{
	_cleanup_(freep) char *word = malloc(strlen(list) + 1);
	size_t n = 0;
	int r = 0;

	if (!word)
		return err_nomem(e);
	for (const char *p = list; r == 0; p++) {
		if (*p == '\\' && p[1]) {
			word[n++] = *++p;
		} else if (*p && *p != ',') {
			word[n++] = *p;
		} else {
			word[n] = '\0';
			n = 0;
			r = parse_word(o, word, e);
			if (!*p)
				break;
		}
	}
	return r;
}

static mode_t mask_of(uint32_t own, uint32_t both)
{
	uint32_t mask = own == OPT_UNSET ? both : own;

	return mask == OPT_UNSET ? (mode_t)-1 : mask;
}

static int finish_editing(struct mount_opts *o, struct err *e)
{
	bool wanted = o->edit || (o->rw && !opts_from_mount(o));

	if (wanted && o->ro)
		return err_set(e, ERR_USAGE, "-o ro and -o %s contradict each other",
				o->edit ? "edit" : "rw");
	if (wanted && o->volume.salvage)
		return err_set(e, ERR_USAGE,
				"-o salvage: what is left of a damaged file is not edited; mount it "
				"read-only and copy out what is there");
	if (!wanted && (o->volume.inplace || o->volume.compact))
		return err_set(e, ERR_USAGE, "-o %s says how to commit: it needs -o rw%s",
				o->volume.inplace ? "inplace" : "compact",
				opts_from_mount(o) ? " (with mount and in fstab: edit)" : "");
	if (wanted) {
		o->volume.mode = VOLUME_RW;
		o->fs.rw = true;
	}
	return 0;
}

int opts_finish(struct mount_opts *o, struct err *e)
{
	o->fs.fmask = mask_of(o->fmask, o->umask);
	o->fs.dmask = mask_of(o->dmask, o->umask);
	if (o->remount)
		return err_set(e, ERR_USAGE,
				"a mount cannot be changed with remount: unmount it and mount "
				"again");
	if (finish_editing(o, e) < 0)
		return ERR_USAGE;
	buf_putc(&o->fuse, '\0');
	if (o->fuse.failed)
		return err_nomem(e);
	o->fs.fuse_opts = o->fuse.p;
	return 0;
}
