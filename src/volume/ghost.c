/* ghost.c - the .meta of a key that has just left, for the one who took it away.
 *
 * `rm -r dir` and `mv` of everything in a directory have read the names before they begin: after NAME
 * they ask for NAME.meta, which went along with it. To the process that took NAME away it still
 * answers, as an empty file that can be removed or moved once more without anything happening. To
 * everybody else it is not there.
 *
 * The other way round, `tar x` removes a NAME.meta that is there and makes it anew. Removing it changes
 * nothing, but the process that did so does not see it until it makes it: it would try for ever.
 */
#include "edit.h"

#include <string.h>

static _Thread_local pid_t caller;

void volume_caller(pid_t pid)
{
	caller = pid;
}

static struct str meta_stem(const struct volume *v, struct str name)
{
	if (!v->edit || !caller || name.n <= 5 || !str_ends(name, STR(".meta")))
		return (struct str){NULL, 0};
	return str_cut(name, name.n - 5);
}

static struct ghost *find(const struct volume *v, uint64_t dir, struct str stem, bool hides)
{
	for (unsigned i = 0; i < GHOSTS; i++) {
		struct ghost *g = &v->edit->ghosts[i];
		if (g->pid == caller && g->dir == dir && g->hides == hides &&
				str_eq(stem, (struct str){g->name, g->n}))
			return g;
	}
	return NULL;
}

static void add(struct volume *v, uint64_t dir, struct str stem, bool hides)
{
	struct ghost *g = &v->edit->ghosts[v->edit->next_ghost];
	if (!caller || stem.n >= sizeof g->name || find(v, dir, stem, hides))
		return;
	*g = (struct ghost){.pid = caller, .dir = dir, .n = (uint16_t)stem.n, .hides = hides};
	memcpy(g->name, stem.p, stem.n);
	v->edit->next_ghost = (v->edit->next_ghost + 1) % GHOSTS;
}

void ghost_add(struct volume *v, uint64_t dir, struct str name)
{
	struct ghost *g = caller ? find(v, dir, name, true) : NULL;
	if (g)
		g->pid = 0; /* its .meta was removed before it */
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
	v->edit->ghosts[ino_index(ino)].pid = 0;
}

void ghost_hide(struct volume *v, uint64_t dir, struct str name)
{
	struct str stem = meta_stem(v, name);
	if (stem.n)
		add(v, dir, stem, true);
}

bool ghost_hides(const struct volume *v, uint64_t dir, struct str name)
{
	struct str stem = meta_stem(v, name);
	return stem.n && find(v, dir, stem, true);
}

void ghost_show(struct volume *v, uint64_t dir, struct str name)
{
	struct str stem = meta_stem(v, name);
	struct ghost *g = stem.n ? find(v, dir, stem, true) : NULL;
	if (g)
		g->pid = 0;
}
