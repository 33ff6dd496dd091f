/* unpickled.h - a pickle out of a C string, for tests. */
#ifndef UNPICKLED_H
#define UNPICKLED_H

#include <pthfs/pickle.h>
#include <pthfs/print.h>
#include <stdio.h>

struct unpickled {
	struct source *src;
	struct reader reader;
	struct graph g;
	struct pickle_info info;
	struct err e;
	oref top;
	int rc; /* of pickle_load() */
};

static inline void unpickle(struct unpickled *u, const void *bytes, size_t n)
{
	*u = (struct unpickled){.src = source_mem_borrow(bytes, n), .top = OREF_NIL};
	u->rc = reader_init(&u->reader, u->src, 0, n, &u->e);
	if (u->rc == 0)
		u->rc = graph_init(&u->g, &u->e);
	if (u->rc == 0)
		u->rc = pickle_load(&u->reader, &u->g, &u->top, &u->info, &u->e);
}

#define UNPICKLE(u, literal) unpickle((u), (literal), sizeof(literal) - 1)

static inline void unpickled_release(struct unpickled *u)
{
	graph_release(&u->g);
	reader_release(&u->reader);
	source_unref(u->src);
}

/* The repr of the pickle in a string literal, NULs and all; errors as their sentence. */
#define REPR(literal) repr_of((literal), sizeof(literal) - 1)

static inline const char *repr_of(const void *bytes, size_t n)
{
	static char text[4096];
	struct unpickled u;
	struct buf out;

	unpickle(&u, bytes, n);
	buf_init(&out, sizeof text - 1);
	if (u.rc == 0)
		u.rc = obj_repr(&u.g, u.top, &out, &u.e);
	snprintf(text, sizeof text, "%.*s", u.rc ? (int)sizeof u.e.text : (int)out.n,
		u.rc    ? u.e.text
		: out.n ? out.p
			: "");
	buf_release(&out);
	unpickled_release(&u);
	return text;
}

#endif
