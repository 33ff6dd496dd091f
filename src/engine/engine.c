/* engine.c - which engine, by the name of a device, and what is the same for all of them. */
#include "ops.h"

#include <string.h>

/* "cuda" is the first card, "cuda:N" the Nth. False: neither. */
static bool card_of(const char *device, unsigned *ret)
{
	unsigned n = 0;

	if (strncmp(device, "cuda", 4) != 0)
		return false;
	device += 4;
	if (*device == '\0') {
		*ret = 0;
		return true;
	}
	if (*device++ != ':' || *device == '\0' || strlen(device) > 4)
		return false;
	for (; *device; device++) {
		if (*device < '0' || *device > '9')
			return false;
		n = n * 10 + (unsigned)(*device - '0');
	}
	*ret = n;
	return true;
}

static int open_auto(struct engine **ret, struct buf *why)
{
	struct err e = {0};

	if (engine_cuda_ops.open(0, ret, &e) < 0) {
		if (why)
			buf_puts(why, e.text);
		*ret = engine_cpu();
	}
	return 0;
}

int engine_open(const char *device, struct engine **ret, struct buf *why, struct err *e)
{
	unsigned card;

	if (strcmp(device, "auto") == 0)
		return open_auto(ret, why);
	if (strcmp(device, "cpu") == 0)
		return engine_cpu_ops.open(0, ret, e);
	if (card_of(device, &card))
		return engine_cuda_ops.open(card, ret, e);
	return err_set(e, ERR_USAGE, "there is no device '%s': cpu, cuda, cuda:N or auto", device);
}

void engine_close(struct engine *g)
{
	if (g)
		g->ops->close(g);
}

const char *engine_name(const struct engine *g)
{
	return g->name;
}

int engine_stats(struct engine *g, const struct content *c, enum dtype dt, struct stats *ret,
		struct err *e)
{
	return g->ops->run(g, c, dt, ret, e);
}
