/* npy.c - the header that makes a tensor a NumPy file.
 *
 *	"\x93NUMPY" 01 00  u16 length  {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
 *	                               spaces up to a multiple of 64 bytes in all, and a newline
 *
 * Format 1.0 always suffices: 64 dimensions of 19 digits are 1.4 KB of the 64 KB it can say. Types
 * that NumPy lacks are opaque ('<V2'); quantized ones are the integers they are stored in. The
 * shape is that of the bytes that follow, which for expanded and packed tensors is not the
 * tensor's own.
 */
#include "shown.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <pthfs/content.h>

#define PREFIX 10 /* magic, version and length */
#define ALIGN 64
#define HEADER_MAX 4096

static const uint16_t one = 1;

/* dtype.def speaks of little-endian machines. */
static char order_here(char c)
{
	return c == '<' && *(const unsigned char *)&one != 1 ? '>' : c;
}

static void npy_header(const struct tensor *t, struct buf *b)
{
	const char *descr = dtype_info(t->dtype)->npy;
	struct shown v;
	size_t len;

	tensor_shown(t, &v);
	buf_put(b, "\x93NUMPY\x01\x00\x00\x00", PREFIX);
	buf_printf(b, "{'descr': '%c%s', 'fortran_order': False, 'shape': (", order_here(descr[0]),
			descr + 1);
	for (unsigned k = 0; k < v.ndim; k++)
		buf_printf(b, "%s%" PRId64 "%s", k ? " " : "", v.shape[k],
				k + 1 < v.ndim || v.ndim == 1 ? "," : "");
	buf_puts(b, "), }");
	while ((b->n + 1) % ALIGN && !b->failed)
		buf_putc(b, ' ');
	buf_putc(b, '\n');
	if (b->failed)
		return;
	len = b->n - PREFIX;
	b->p[PREFIX - 2] = (char)(len & 0xff);
	b->p[PREFIX - 1] = (char)(len >> 8);
}

uint64_t npy_header_len(const struct tensor *t)
{
	const char *descr = dtype_info(t->dtype)->npy;
	char number[24];
	struct shown v;
	uint64_t n = PREFIX + sizeof "{'descr': '', 'fortran_order': False, 'shape': (), }" - 1 +
			strlen(descr) + 1;

	tensor_shown(t, &v);
	for (unsigned k = 0; k < v.ndim; k++)
		n += (uint64_t)snprintf(number, sizeof number, "%" PRId64, v.shape[k]);
	n += v.ndim == 1 ? 1 : v.ndim > 1 ? 2 * (v.ndim - 1) : 0;
	return (n + ALIGN - 1) / ALIGN * ALIGN;
}

int content_npy(const struct model *m, uint32_t t, struct content *ret, struct err *e)
{
	struct content data, head;
	struct buf b;
	int rc = content_tensor(m, t, &data, e);

	if (rc < 0)
		return rc;
	buf_init(&b, HEADER_MAX);
	npy_header(&m->tensors.at[t], &b);
	rc = content_text(&b, &head, e);
	if (rc < 0) {
		content_release(&data);
		return rc;
	}
	head.at[1] = data.at[0];
	head.own[1] = data.own[0];
	head.n += data.n;
	head.size += data.size;
	*ret = head;
	return 0;
}
