/* save_bytes.c - bytes, bytearrays and sets, which protocol 2 spells as calls.
 *
 *	bytes      c_codecs\nencode\n put, X text put, X latin1 put, 86 put, R
 *	           (the text has a character for each byte; none: c__builtin__\nbytes\n put ) R)
 *	bytearray  c__builtin__\nbytearray\n put, the bytes put, 85 put, R  (none: ) R)
 *
 * Python has the symbols and the text "latin1" once, so each is put once and got afterwards. When
 * the graph came from protocol 2 it has them as nodes, and those are the ones that are used: an
 * object that an editor adds then looks as if it had always been there.
 * Follows formats/pickle.md section 3.
 */
#include "saver.h"

#include <stdlib.h>

#include "machine.h"

#define LATIN1 "latin1"

static const struct {
	const char *module, *name;
} symbols[] = {
		[HELP_ENCODE] = {"_codecs", "encode"},
		[HELP_BYTES] = {"__builtin__", "bytes"},
		[HELP_BYTEARRAY] = {"__builtin__", "bytearray"},
		[HELP_SET] = {"__builtin__", "set"},
		[HELP_FROZENSET] = {"__builtin__", "frozenset"},
};

#define SYMBOLS (sizeof symbols / sizeof *symbols)

/* The second argument of _codecs.encode(text, "latin1"). */
static oref latin1_of(const struct graph *g, oref r)
{
	oref callable, args;
	const oref *items;
	uint32_t n;

	if (!obj_call(g, r, &callable, &args) ||
			!obj_is_global(g, callable, symbols[HELP_ENCODE].module,
					symbols[HELP_ENCODE].name))
		return OREF_NIL;
	items = obj_items(g, args, &n);
	return n == 2 && obj_kind(g, items[1]) == OBJ_KIND_STR && obj_is_text(g, items[1], LATIN1)
			       ? items[1]
			       : OREF_NIL;
}

static void find_symbol(struct saver *s, oref r)
{
	for (size_t i = 0; i < SYMBOLS; i++)
		if (s->helper[i].r == OREF_NIL &&
				obj_is_global(s->g, r, symbols[i].module, symbols[i].name))
			s->helper[i].r = r;
}

static void find_helpers(struct saver *s)
{
	/* From protocol 3 on these names are not Python's own any more. */
	for (oref r = 0; r < s->g->nodes.n && s->protocol < 3; r++) {
		enum obj_kind kind = obj_kind(s->g, r);

		if (kind == OBJ_KIND_GLOBAL)
			find_symbol(s, r);
		else if (kind == OBJ_KIND_CALL && s->helper[HELP_LATIN1].r == OREF_NIL)
			s->helper[HELP_LATIN1].r = latin1_of(s->g, r);
	}
	s->helpers_found = true;
}

static void put_text(struct saver *s, struct str text)
{
	save_op(s, OP_BINUNICODE, text.n, 4);
	save_bytes(s, text.p, text.n);
}

static void put_symbol(struct saver *s, enum helper which)
{
	struct buf line;

	buf_init(&line, 256);
	buf_printf(&line, "c%s\n%s\n", symbols[which].module, symbols[which].name);
	save_bytes(s, line.p, line.n);
	if (line.failed && s->rc == 0)
		s->rc = err_nomem(s->e);
	buf_release(&line);
}

void save_helper(struct saver *s, enum helper which)
{
	oref own;

	if (!s->helpers_found)
		find_helpers(s);
	own = s->helper[which].r;
	if (own != OREF_NIL) {
		if (save_has(s, own))
			save_get(s, s->memo[own]);
		else
			save_leaf(s, own, obj_kind(s->g, own));
		return;
	}
	if (s->helper[which].memo != NO_MEMO) {
		save_get(s, s->helper[which].memo);
		return;
	}
	if (which == HELP_LATIN1)
		put_text(s, STR(LATIN1));
	else
		put_symbol(s, which);
	s->helper[which].memo = save_put_new(s);
}

/* The next piece of a text from `at` on: what is in memory at once, the rest through tmp. */
static struct str text_piece(struct saver *s, oref r, uint64_t at, char *tmp, size_t cap)
{
	struct str text = {0};
	struct source *src;
	uint64_t off, len;

	if (obj_text(s->g, r, &text))
		return str_skip(text, (size_t)at);
	if (!obj_span(s->g, r, &src, &off, &len) || at >= len || s->rc < 0)
		return text;
	text = (struct str){tmp, len - at < cap ? (size_t)(len - at) : cap};
	s->rc = source_read(src, tmp, text.n, off + at, s->e);
	return text;
}

/* How long the text is in which each byte is one character. */
static uint64_t latin1_len(struct saver *s, oref r)
{
	char tmp[4096];
	struct str piece;
	uint64_t at = 0, n = 0;

	for (; (piece = text_piece(s, r, at, tmp, sizeof tmp)).n && s->rc == 0; at += piece.n)
		for (size_t i = 0; i < piece.n; i++)
			n += 1 + ((unsigned char)piece.p[i] >> 7);
	return n;
}

static void latin1_text(struct saver *s, oref r)
{
	char tmp[2048], utf8[2 * sizeof tmp];
	struct str piece;
	uint64_t at = 0;
	size_t n, i;

	for (; (piece = text_piece(s, r, at, tmp, sizeof tmp)).n && s->rc == 0; at += i) {
		for (n = i = 0; i < piece.n && i < sizeof tmp; i++) {
			unsigned char c = (unsigned char)piece.p[i];

			if (c >= 0x80)
				utf8[n++] = (char)(0xc0 | c >> 6);
			utf8[n++] = (char)(c < 0x80 ? c : 0x80 | (c & 0x3f));
		}
		save_bytes(s, utf8, n);
	}
}

/* All but the last put. */
static void call_of_bytes(struct saver *s, oref r)
{
	uint64_t n;

	if (obj_text_len(s->g, r) == 0) {
		save_helper(s, HELP_BYTES);
		save_byte(s, OP_EMPTY_TUPLE);
		save_byte(s, OP_REDUCE);
		return;
	}
	save_helper(s, HELP_ENCODE);
	n = latin1_len(s, r);
	if (n > UINT32_MAX)
		save_fail(s, ERR_UNSUPPORTED, r,
				"protocol 2 holds bytes as text of at most 4 GiB, these take more");
	save_op(s, OP_BINUNICODE, n, 4);
	latin1_text(s, r);
	save_put_new(s);
	save_helper(s, HELP_LATIN1);
	save_byte(s, OP_TUPLE2);
	save_put_new(s);
	save_byte(s, OP_REDUCE);
}

void save_bytes_leaf(struct saver *s, oref r)
{
	if (obj_kind(s->g, r) == OBJ_KIND_BYTES) {
		call_of_bytes(s, r);
		save_put(s, r);
		return;
	}
	if (obj_flags(s->g, r) & OBJ_READONLY)
		save_fail(s, ERR_UNSUPPORTED, r, "protocol 2 has no read-only bytearrays");
	save_helper(s, HELP_BYTEARRAY);
	if (obj_text_len(s->g, r)) {
		call_of_bytes(s, r);
		save_put_new(s);
		save_byte(s, OP_TUPLE1);
		save_put_new(s);
	} else {
		save_byte(s, OP_EMPTY_TUPLE);
	}
	save_byte(s, OP_REDUCE);
	save_put(s, r);
}
