/* mountinfo.c - reading the table of mounts, and taking a mount away.
 *
 *	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
 *	id parent maj:min root point options [optional ...] - type source super-options
 *
 * Blanks, tabs, newlines and backslashes in the fields are \ooo. Nothing here asks a mounted file
 * system anything, so that a dead or a stuck one does not hold us up.
 */
#include "mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pthfs/cleanup.h>
#include <pthfs/str.h>
#include <pthfs/vec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static void unescape(char *s)
{
	char *out = s;

	while (*s) {
		if (s[0] == '\\' && strspn(s + 1, "01234567") >= 3) {
			*out++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 4;
		} else {
			*out++ = *s++;
		}
	}
	*out = '\0';
}

static char *next_field(char **line)
{
	static char none[1];
	char *field = strsep(line, " ");

	return field ? field : none;
}

static bool parse_line(char *line, struct mount *m)
{
	char *rest = strstr(line, " - ");
	char *point, *type, *source;

	if (!rest || sscanf(line, "%d %d %u:%u", &m->id, &m->parent, &m->maj, &m->min) != 4)
		return false;
	*rest = '\0';
	rest += 3;
	for (int i = 0; i < 4; i++)
		next_field(&line);
	point = next_field(&line);
	type = next_field(&rest);
	source = next_field(&rest);
	unescape(point);
	unescape(source);
	m->point = point;
	m->type = type;
	m->source = source;
	m->super = next_field(&rest);
	return true;
}

static char *read_all(const char *path)
{
	FILE *f = fopen(path, "re");
	struct buf b;
	char part[4096];
	size_t n;

	buf_init(&b, 64 << 20);
	while (f && (n = fread(part, 1, sizeof part, f)) > 0)
		buf_put(&b, part, n);
	if (f)
		fclose(f);
	buf_putc(&b, '\0');
	if (!b.failed)
		return buf_steal(&b, &n);
	buf_release(&b);
	return NULL;
}

int mount_table_load(struct mount_table *t, struct err *e)
{
	VEC(struct mount) list = {0};
	char *text = read_all("/proc/self/mountinfo");
	char *rest = text, *line;
	struct mount m;

	if (!text)
		return err_nomem(e);
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (!parse_line(line, &m))
			continue;
		if (vec_push(&list, m) < 0) {
			vec_release(&list);
			free(text);
			return err_nomem(e);
		}
	}
	*t = (struct mount_table){.at = list.at, .n = list.n, .text = text};
	return 0;
}

void mount_table_release(struct mount_table *t)
{
	free(t->at);
	free(t->text);
	*t = (struct mount_table){0};
}

const struct mount *mount_at(const struct mount_table *t, const char *point)
{
	for (size_t i = t->n; i-- > 0;)
		if (strcmp(t->at[i].point, point) == 0)
			return &t->at[i];
	return NULL;
}

const struct mount *mount_by_id(const struct mount_table *t, int id)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->at[i].id == id)
			return &t->at[i];
	return NULL;
}

/* A descriptor that stands for the path without opening it knows its mount. */
const struct mount *mount_holding(const struct mount_table *t, const char *path)
{
	_cleanup_(closep) int fd = open(path, O_PATH | O_CLOEXEC);
	_cleanup_(freep) char *info = NULL;
	char name[64];
	const char *id;

	if (fd < 0)
		return NULL;
	snprintf(name, sizeof name, "/proc/self/fdinfo/%d", fd);
	info = read_all(name);
	id = info ? strstr(info, "mnt_id:") : NULL;
	return id ? mount_by_id(t, (int)strtol(id + 7, NULL, 10)) : NULL;
}

bool mount_is_ours(const struct mount *m)
{
	return strcmp(m->type, "fuse.pthfs") == 0;
}

bool mount_is_rw(const struct mount *m)
{
	return strcmp(m->super, "rw") == 0 || strncmp(m->super, "rw,", 3) == 0;
}

long mount_number(const struct mount *m, const char *key)
{
	const char *p = m->super;

	while ((p = strstr(p, key)) != NULL) {
		if (p == m->super || p[-1] == ',')
			return strtol(p + strlen(key), NULL, 10);
		p++;
	}
	return -1;
}

char *path_resolve(const char *path)
{
	_cleanup_(freep) char *up = NULL;
	_cleanup_(freep) char *dir = NULL;
	_cleanup_(freep) char *last = NULL;
	char *whole = realpath(path, NULL);

	if (whole || errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
		return whole;
	/* A mount that is dead, or not for us: its parent still has a name for it. */
	up = strdup(path);
	last = strdup(path);
	dir = up ? realpath(dirname(up), NULL) : NULL;
	if (!dir || !last)
		return NULL;
	if (asprintf(&whole, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, basename(last)) < 0)
		return NULL;
	return whole;
}

/* fusermount3 -u [-z] POINT; its standard error is collected. */
static int run_fusermount(const char *point, bool lazy, char *said, size_t size)
{
	char *argv[] = {"fusermount3", lazy ? "-uz" : "-u", "--", (char *)point, NULL};
	_cleanup_(closep) int out = -1;
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	said[0] = '\0';
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	out = ends[0];
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], 2);
		setenv("LC_ALL", "C", 1);
		execvp(argv[0], argv);
		dprintf(2, "only root can unmount without fusermount3: install the package fuse3");
		_exit(127);
	}
	close(ends[1]);
	n = pid < 0 ? -1 : read(out, said, size - 1);
	if (n > 0)
		said[n] = '\0';
	said[strcspn(said, "\n")] = '\0';
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int mount_detach(const char *point, bool lazy, struct err *e)
{
	char said[300];
	const char *why = said;

	if (umount2(point, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
		return 0;
	if (errno != EPERM)
		return err_sys(e, errno, "cannot unmount %s", point);
	if (run_fusermount(point, lazy, said, sizeof said) == 0)
		return 0;
	if (strstr(said, "busy"))
		return err_sys(e, EBUSY, "cannot unmount %s", point);
	if (strncmp(why, "fusermount3: ", 13) == 0)
		why += 13;
	return err_set(e, ERR_SYS, "cannot unmount %s: %s", point, why);
}
