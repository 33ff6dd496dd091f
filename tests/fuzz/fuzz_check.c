/* Any bytes as a tensor of any dtype, shape and name: its numbers must add up, its picture must be
 * UTF-8 and below 256 KiB.
 *
 * Byte 0 is the dtype, byte 1 the number of dimensions (0 to 5), the next ones their sizes, then a
 * byte for the length of the name, the name, and the elements. The shape need not be theirs.
 */
#include <math.h>
#include <stdlib.h>

#include <pthfs/check.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool fine)
{
	if (!fine)
		abort();
}

static uint8_t take(struct str *in)
{
	uint8_t byte = in->n ? (uint8_t)*in->p : 0;

	*in = str_skip(*in, 1);
	return byte;
}

static void numbers_add_up(const struct content *c, enum dtype dt)
{
	struct stats s;
	uint64_t sum = 0;

	check(stats_of(c, dt, &s, NULL) == 0);
	check(hist_fill(c, dt, &s, NULL) == 0);
	for (unsigned k = 0; k < HIST_BINS; k++)
		sum += s.hist[k];
	check(sum == s.finite && (s.bins != 0) == (s.finite != 0));
	check(s.zeros <= s.count && s.bins <= HIST_BINS);
	if (s.has_numbers) {
		check(s.nan + s.pos_inf + s.neg_inf + s.finite == s.count);
		check(s.min <= s.max && s.abs_max == fmax(fabs(s.min), fabs(s.max)));
		check(!isfinite(s.mean) || (s.mean >= s.min - s.abs_max * 1e-9 &&
				s.mean <= s.max + s.abs_max * 1e-9));
	}
}

static void picture_is_bounded(const struct content *c, enum dtype dt, const int64_t *shape,
		unsigned ndim, struct str title)
{
	struct buf out;

	buf_init(&out, 256 << 10);
	check(svg_of(c, dt, shape, ndim, title, &out, NULL) == 0);
	check(!out.failed && str_utf8(buf_view(&out)));
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = {(const char *)data, size}, title;
	enum dtype dt = (enum dtype)(take(&in) % DTYPE_COUNT);
	unsigned ndim = take(&in) % 6;
	int64_t shape[6];
	struct content c = {0};

	for (unsigned k = 0; k < ndim; k++)
		shape[k] = take(&in);
	title = str_cut(str_skip(in, 1), take(&in));
	in = str_skip(in, title.n);
	if (in.n)
		check(content_source(source_mem_borrow(in.p, in.n), &c) == 0);
	numbers_add_up(&c, dt);
	picture_is_bounded(&c, dt, shape, ndim, title);
	content_release(&c);
	return 0;
}
