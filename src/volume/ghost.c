/* ghost.c - the .meta of a key that has just left, for the one who took it away.
 *
 * `rm -r dir` and `mv` of everything in a directory have read the names before they begin: after NAME
 * they ask for NAME.meta, which went along with it. To the process that took NAME away it still
 * answers, as an empty file that can be removed or moved once more without anything happening. To
 * everybody else it is not there.
 */
#include "edit.h"

#include <string.h>

static _Thread_local pid_t caller;

void volume_caller(pid_t pid)
{
	caller = pid;
}

void ghost_add(struct volume *v, uint64_t dir, struct str name)
{
	struct ghost *g = &v->edit->ghosts[v->edit->next_ghost];
	if (!caller || name.n >= sizeof g->name)
		return;
	*g = (struct ghost){.pid = caller, .dir = dir, .n = (uint16_t)name.n};
	memcpy(g->name, name.p, name.n);
	v->edit->next_ghost = (v->edit->next_ghost + 1) % GHOSTS;
}

bool ghost_find(const struct volume *v, uint64_t dir, struct str name, uint64_t *ret)
{
	struct str stem = str_cut(name, name.n > 5 ? name.n - 5 : 0);
	if (!v->edit || !caller || !stem.n || !str_ends(name, STR(".meta")))
		return false;
	for (unsigned i = 0; i < GHOSTS; i++) {
		const struct ghost *g = &v->edit->ghosts[i];
		if (g->pid != caller || g->dir != dir || !str_eq(stem, (struct str){g->name, g->n}))
			continue;
		*ret = ino_make(i, INO_GHOST);
		return true;
	}
	return false;
}

void ghost_remove(struct volume *v, uint64_t ino)
{
	v->edit->ghosts[ino_index(ino)].pid = 0;
}
