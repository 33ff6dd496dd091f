/* stats_out.h - how `pthfs stats` prints: a table, or JSON; at once, or sorted. */
#ifndef PTHFS_CLI_STATS_OUT_H
#define PTHFS_CLI_STATS_OUT_H

#include <pthfs/inspect.h>
#include <pthfs/vec.h>

struct stats_sort {
	const char *name;
	double (*by)(const struct stats *s); /* NULL: by name */
	bool turned;
};
/* "max", "-max"; NULL: there is no such column. */
const struct stats_sort *stats_sort_by(const char *word);

/* A tensor that waits for its place. */
struct stats_row {
	char *name, *dtype, *shape, *json;
	struct stats *stats; /* NULL: not read */
};

struct stats_out {
	bool json, hist;
	const struct stats_sort *sort;
	struct volume *v;
	const char *device;
	uint64_t tensors, unread;
	/* private: */
	size_t w_name, w_dtype, w_shape;
	bool colour, utf8;
	struct json j;
	struct buf text, item;
	VEC(struct stats_row) rows;
};

void stats_out_begin(struct stats_out *o, const char *glob);
int stats_out_item(void *ctx, const struct stats_item *it); /* a stats_fn */
int stats_out_end(struct stats_out *o, const struct stats *total, struct err *e);
void stats_out_release(struct stats_out *o);

#endif
