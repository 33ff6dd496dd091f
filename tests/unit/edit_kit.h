/* edit_kit.h - a copy of a committed checkpoint, open for editing, in a folder of its own. What
 * programs do with files is one call each here.
 */
#ifndef EDIT_KIT_H
#define EDIT_KIT_H

#include "volume_kit.h"

#include <fcntl.h>
#include <unistd.h>

static char edit_dir[64], edit_file[4200];

static inline void run_shell(const char *command)
{
	if (system(command) != 0)
		tap_bad++;
}

/* The same copy once more: what is there is what a former volume left. */
static enum validate edit_validate; /* of the volumes that are opened from here on */
static inline int open_again(enum volume_mode mode)
{
	struct volume_opts o = {.mode = mode, .validate = edit_validate, .device = "cpu"};
	struct err e = {0};
	vol = NULL;
	int rc = volume_open(edit_file, &o, &vol, &e);
	if (rc < 0)
		printf("# %s\n", e.text);
	return rc;
}

static inline void open_copy(const char *name)
{
	const char *root = getenv("PTHFS_SRC");
	char command[9000];

	strcpy(edit_dir, "/tmp/pthfs-unit-XXXXXX");
	if (!mkdtemp(edit_dir))
		exit(1);
	snprintf(edit_file, sizeof edit_file, "%s/%s", edit_dir, name);
	snprintf(command, sizeof command, "cp '%s/tests/data/%s' '%s'", root ? root : ".", name, edit_file);
	run_shell(command);
	if (open_again(VOLUME_RW) < 0) {
		printf("Bail out! cannot open a copy of %s\n", name);
		exit(1);
	}
}

static inline void close_copy(void)
{
	char command[128];
	volume_close(vol);
	vol = NULL;
	snprintf(command, sizeof command, "rm -rf '%s'", edit_dir);
	run_shell(command);
}

/* > PATH: open, write all, close. The error of the close (or of the first call that failed). */
static inline int write_all(const char *path, const void *bytes, size_t n)
{
	struct vattr a;
	struct vfile *f = NULL;
	struct err e = {0};
	struct str name;
	uint64_t dir;
	int rc = volume_parent(vol, path, &dir, &name, &e);
	if (rc == 0 && volume_lookup(vol, dir, name, &a, NULL) == 0)
		rc = volume_file_edit(vol, a.ino, true, &f, &e);
	else if (rc == 0)
		rc = volume_create(vol, dir, name, &a, &f, &e);
	if (rc == 0)
		rc = volume_file_write(f, bytes, n, 0, &e);
	if (rc == 0)
		rc = volume_file_flush(f, &e);
	volume_file_close(f);
	return rc;
}

static inline int write_text(const char *path, const char *text)
{
	return write_all(path, text, strlen(text));
}

/* dd conv=notrunc */
static inline int write_at(const char *path, const void *bytes, size_t n, uint64_t off)
{
	struct vfile *f = NULL;
	struct err e = {0};
	int rc = volume_file_edit(vol, ino_at(path), false, &f, &e);
	if (rc == 0)
		rc = volume_file_write(f, bytes, n, off, &e);
	if (rc == 0)
		rc = volume_file_flush(f, &e);
	volume_file_close(f);
	return rc;
}

static inline int move(const char *from, const char *to)
{
	struct str a, b;
	struct err e = {0};
	uint64_t dir, to_dir;
	int rc = volume_parent(vol, from, &dir, &a, &e);
	if (rc == 0)
		rc = volume_parent(vol, to, &to_dir, &b, &e);
	return rc < 0 ? rc : volume_rename(vol, dir, a, to_dir, b, true, &e);
}

static inline int remove_name(const char *path)
{
	struct str name;
	struct err e = {0};
	uint64_t dir;
	int rc = volume_parent(vol, path, &dir, &name, &e);
	return rc < 0 ? rc : volume_unlink(vol, dir, name, &e);
}

static inline bool is_there(const char *path)
{
	struct vattr a;
	return volume_resolve(vol, path, &a, NULL) == 0;
}

static inline int commit_now(bool unmounting)
{
	struct commit_opts o = {.unmounting = unmounting};
	struct commit_result r;
	struct err e = {0};
	int rc = volume_commit(vol, &o, &r, &e);
	if (rc < 0)
		printf("# %s\n", e.text);
	return rc;
}

/* The bytes of a file, whatever they are. */
static inline const char *bytes_at(const char *path, char *out, size_t size)
{
	if (read_ino(ino_at(path), out, size) < 0)
		tap_bad++;
	return out;
}
#define BYTES(path) bytes_at((path), (char[65536]){0}, 65536)

/* What a crash leaves: the journal as far as it was synced, and no commit. */
static inline void crash(void)
{
	struct err e = {0};
	volume_sync(vol, NULL, &e);
	volume_close(vol);
	vol = NULL;
}

#endif
