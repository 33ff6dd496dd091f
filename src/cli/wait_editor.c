/* wait_editor.c - `fusermount3 -u mnt && pthfs -o rw model.pth mnt`: the first returns before the edits
 * are committed, and the second must not fail for that.
 */
#include "wait_editor.h"

#include "mountinfo.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POLL_US 20000
#define POLLS 500 /* 10 s */

/* Does somebody show this file read-write? */
static bool is_mounted_rw(const char *path)
{
	struct mount_table t;
	char *real = realpath(path, NULL);
	bool found = false;

	if (!real || mount_table_load(&t, NULL) < 0) {
		free(real);
		return true;
	}
	for (size_t i = 0; i < t.n && !found; i++)
		found = mount_is_ours(&t.at[i]) && mount_is_rw(&t.at[i]) &&
			strcmp(t.at[i].source, real) == 0;
	mount_table_release(&t);
	free(real);
	return found;
}

int volume_open_soon(const char *path, const struct volume_opts *o, struct volume **ret,
		struct err *e)
{
	int rc = volume_open(path, o, ret, e), unseen = 0;

	for (int i = 0; i < POLLS && rc == ERR_REFUSED && o->mode == VOLUME_RW; i++) {
		/* The lock may have been on the file that another has replaced since. */
		unseen = volume_is_edited(path) ? 0 : unseen + 1;
		if (unseen > 2 || is_mounted_rw(path))
			break;
		usleep(POLL_US);
		rc = volume_open(path, o, ret, e);
	}
	return rc;
}
