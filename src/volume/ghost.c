/* ghost.c - the .meta of a key that has just left, for the one who took it away.
 *
 * `rm -r dir` and `mv` of everything in a directory have read the names before they begin: after NAME
 * they ask for NAME.meta, which went along with it. To the process that took NAME away it still
 * answers, as an empty file that can be removed or moved once more without anything happening. To
 * everybody else it is not there.
 *
 * The other way round, `tar x` removes a file that is there and makes it anew. Of a NAME.meta, a part of
 * a sparse tensor or an attribute of an object removing changes nothing, but the process that did so
 * does not see it until it makes it: it would try for ever.
 */
#include "edit.h"

#include <string.h>

static _Thread_local pid_t caller;

void volume_caller(pid_t pid)
{
	caller = pid;
}

pid_t ghost_caller(void)
{
	return caller;
}

static struct str meta_stem(const struct volume *v, struct str name)
{
	if (!v->edit || !caller || name.n <= 5 || !str_ends(name, STR(".meta")))
		return (struct str){NULL, 0};
	return str_cut(name, name.n - 5);
}

/* A ghost by the name of its key, what is hidden by its own. */
static struct ghost *find(const struct volume *v, uint64_t dir, struct str name, bool hides)
{
	for (unsigned i = 0; i < GHOSTS; i++) {
		struct ghost *g = &v->edit->ghosts[i];
		if (v->edit->ghost_pid[i] == caller && g->dir == dir && g->hides == hides &&
				str_eq(name, (struct str){g->name, g->n}))
			return g;
	}
	return NULL;
}

static void add(struct volume *v, uint64_t dir, struct str name, bool hides)
{
	struct ghost *g = &v->edit->ghosts[v->edit->next_ghost];
	if (!caller || name.n >= sizeof g->name || find(v, dir, name, hides))
		return;
	v->edit->ghost_pid[v->edit->next_ghost] = caller;
	*g = (struct ghost){.dir = dir, .n = (uint16_t)name.n, .hides = hides};
	memcpy(g->name, name.p, name.n);
	v->edit->next_ghost = (v->edit->next_ghost + 1) % GHOSTS;
}

void ghost_add(struct volume *v, uint64_t dir, struct str name)
{
	char meta[256 + 5];
	if (name.n > 250)
		return;
	memcpy(meta, name.p, name.n);
	memcpy(meta + name.n, ".meta", 5);
	if (ghost_hides(v, dir, (struct str){meta, name.n + 5}))
		ghost_show(v, dir, (struct str){meta, name.n + 5}); /* it was removed before its key */
	else
		add(v, dir, name, false);
}

bool ghost_find(const struct volume *v, uint64_t dir, struct str name, uint64_t *ret)
{
	struct str stem = meta_stem(v, name);
	struct ghost *g = stem.n ? find(v, dir, stem, false) : NULL;
	if (g)
		*ret = ino_make((uint64_t)(g - v->edit->ghosts), INO_GHOST);
	return g != NULL;
}

void ghost_remove(struct volume *v, uint64_t ino)
{
	v->edit->ghost_pid[ino_index(ino)] = 0;
}

void ghost_over(struct volume *v, uint64_t dir, struct str name)
{
	struct ghost *g = caller ? find(v, dir, name, false) : NULL;
	if (g)
		v->edit->ghost_pid[g - v->edit->ghosts] = 0;
}

void ghost_hide(struct volume *v, uint64_t dir, struct str name)
{
	add(v, dir, name, true);
}

bool ghost_hides(const struct volume *v, uint64_t dir, struct str name)
{
	return v->edit && caller && find(v, dir, name, true);
}

void ghost_show(struct volume *v, uint64_t dir, struct str name)
{
	struct ghost *g = caller ? find(v, dir, name, true) : NULL;
	if (g)
		v->edit->ghost_pid[g - v->edit->ghosts] = 0;
}
