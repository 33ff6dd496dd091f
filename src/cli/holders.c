/* holders.c - who keeps a mount busy, from /proc alone.
 *
 *	/proc/PID/{cwd,root,exe}   links whose path lies in the mount
 *	/proc/PID/fdinfo/N         names the mount of an open file by number
 *	/proc/PID/maps             names the device of a mapped file
 *
 * Nothing is asked of the mount itself. Processes of other users are seen by root only.
 */
#include "holders.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <pthfs/cleanup.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct finding {
	const char *how;
	char path[PATH_MAX];
};

static bool lies_in(const char *path, const char *point)
{
	size_t n = strlen(point);

	return strncmp(path, point, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static bool read_link(const char *pid, const char *what, char *ret)
{
	char name[PATH_MAX];
	ssize_t n;

	snprintf(name, sizeof name, "/proc/%s/%s", pid, what);
	n = readlink(name, ret, PATH_MAX - 1);
	if (n >= 0)
		ret[n] = '\0';
	return n >= 0;
}

static bool by_link(const char *pid, const struct mount *m, struct finding *ret)
{
	static const struct {
		const char *link, *how;
	} links[] = {
			{"cwd", "working directory"},
			{"root", "root directory"},
			{"exe", "runs"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		if (read_link(pid, links[i].link, ret->path) && lies_in(ret->path, m->point)) {
			ret->how = links[i].how;
			return true;
		}
	}
	return false;
}

static int mount_of_fd(const char *pid, const char *fd)
{
	char name[64];
	char line[128];
	int id = -1;
	FILE *f;

	snprintf(name, sizeof name, "/proc/%.20s/fdinfo/%.20s", pid, fd);
	f = fopen(name, "re");
	while (f && id < 0 && fgets(line, sizeof line, f))
		if (strncmp(line, "mnt_id:", 7) == 0)
			id = (int)strtol(line + 7, NULL, 10);
	if (f)
		fclose(f);
	return id;
}

static bool by_fd(const char *pid, const struct mount *m, struct finding *ret)
{
	char name[64], link[64];
	const struct dirent *d;
	bool found = false;
	DIR *dir;

	snprintf(name, sizeof name, "/proc/%.20s/fd", pid);
	dir = opendir(name);
	while (dir && !found && (d = readdir(dir)) != NULL) {
		if (!isdigit((unsigned char)d->d_name[0]) || mount_of_fd(pid, d->d_name) != m->id)
			continue;
		snprintf(link, sizeof link, "fd/%.20s", d->d_name);
		found = read_link(pid, link, ret->path);
		ret->how = "has open";
	}
	if (dir)
		closedir(dir);
	return found;
}

/* "7f..-7f.. r--s 00000000 00:2f 12   /mnt/model/fc.weight" */
static bool by_map(const char *pid, const struct mount *m, struct finding *ret)
{
	_cleanup_(freep) char *line = NULL;
	size_t cap = 0;
	char name[64];
	bool found = false;
	FILE *f;

	snprintf(name, sizeof name, "/proc/%.20s/maps", pid);
	f = fopen(name, "re");
	while (f && !found && getline(&line, &cap, f) >= 0) {
		unsigned int maj, min;
		int at = 0;

		if (sscanf(line, "%*s %*s %*s %x:%x %*u %n", &maj, &min, &at) != 2 || !at)
			continue;
		if (maj != m->maj || min != m->min)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(ret->path, sizeof ret->path, "%s", line + at);
		ret->how = "maps";
		found = true;
	}
	if (f)
		fclose(f);
	return found;
}

static void print_one(const char *pid, const struct finding *found, FILE *f)
{
	char name[64], comm[32] = "?";
	FILE *c;

	snprintf(name, sizeof name, "/proc/%.20s/comm", pid);
	c = fopen(name, "re");
	if (c && fgets(comm, sizeof comm, c))
		comm[strcspn(comm, "\n")] = '\0';
	if (c)
		fclose(c);
	fprintf(f, "  %s %s: %s %s\n", pid, comm, found->how, found->path);
}

unsigned int holders_print(const struct mount *m, FILE *f, unsigned int most)
{
	const struct dirent *d;
	struct finding found;
	unsigned int n = 0;
	DIR *dir = opendir("/proc");

	while (dir && (d = readdir(dir)) != NULL) {
		if (!isdigit((unsigned char)d->d_name[0]))
			continue;
		if (!by_link(d->d_name, m, &found) && !by_fd(d->d_name, m, &found) &&
				!by_map(d->d_name, m, &found))
			continue;
		if (n++ < most)
			print_one(d->d_name, &found, f);
	}
	if (dir)
		closedir(dir);
	return n;
}
