/* save_leaf.c - objects that hold no others: numbers, text, symbols.
 *
 *	0..255 "K u1"   256..65535 "M u2"   other 32 bits "J i4"   more "8A n bytes"
 *	float "G", 8 bytes, big-endian, the bits as they are
 *	text "X u4 bytes" put, as the bytes are: lone surrogates, and what is no UTF-8, stay
 *	Python 2's byte strings keep their own opcodes, since readers choose how to decode them
 *
 * Symbols keep the exact text of their GLOBAL. In a graph of protocol 3 or later they are named as
 * in Python 3, and a reader of protocol 2 expects the names of Python 2: those of builtins and
 * copyreg are translated, as Python's pickler does; others it reads as they are. But a module that
 * is called as one of Python 2 was would be taken for its successor, and dots in a name are
 * followed only from protocol 4 on; both are refused.
 * Follows formats/pickle.md section 3.
 */
#include "saver.h"

#include <endian.h>
#include <inttypes.h>
#include <string.h>

#include "machine.h"

static void save_int(struct saver *s, int64_t v)
{
	unsigned n = 8;

	if (v >= 0 && v < 256) {
		save_op(s, OP_BININT1, (uint64_t)v, 1);
	} else if (v >= 0 && v < 65536) {
		save_op(s, OP_BININT2, (uint64_t)v, 2);
	} else if (v >= INT32_MIN && v <= INT32_MAX) {
		save_op(s, OP_BININT, (uint64_t)v, 4);
	} else {
		/* As few bytes as keep the sign; five at least. */
		while (v >> (8 * (n - 1) - 1) == (v < 0 ? -1 : 0))
			n--;
		save_op(s, OP_LONG1, n, 1);
		v = (int64_t)htole64((uint64_t)v);
		save_bytes(s, &v, n);
	}
}

static void save_float(struct saver *s, oref r)
{
	uint64_t bits = 0;
	double v = 0;

	obj_float(s->g, r, &v);
	memcpy(&bits, &v, sizeof bits);
	bits = htobe64(bits);
	save_byte(s, OP_BINFLOAT);
	save_bytes(s, &bits, sizeof bits);
}

/* The bytes of a text, in memory or not. */
static void save_text(struct saver *s, oref r)
{
	uint64_t off, len;
	struct source *src;
	struct str text;

	if (obj_text(s->g, r, &text))
		save_bytes(s, text.p, text.n);
	else if (obj_span(s->g, r, &src, &off, &len))
		save_run(s, src, off, len);
}

/* LONG1 and LONG4 gave it the shortest form, unless it was too long to look at. */
static void save_long(struct saver *s, oref r)
{
	uint64_t n = obj_text_len(s->g, r);

	if (n > INT32_MAX)
		save_fail(s, ERR_UNSUPPORTED, r, "an integer of %" PRIu64 " bytes", n);
	save_op(s, n < 256 ? OP_LONG1 : OP_LONG4, n, n < 256 ? 1 : 4);
	save_text(s, r);
}

static void save_str(struct saver *s, oref r)
{
	uint64_t n = obj_text_len(s->g, r);

	if (n > UINT32_MAX)
		save_fail(s, ERR_UNSUPPORTED, r,
				"protocol 2 holds at most 4 GiB of text in one piece, not %" PRIu64
				" bytes",
				n);
	save_op(s, OP_BINUNICODE, n, 4);
	save_text(s, r);
	save_put(s, r);
}

static void save_py2str(struct saver *s, oref r)
{
	uint64_t n = obj_text_len(s->g, r);

	if (n > INT32_MAX)
		save_fail(s, ERR_UNSUPPORTED, r, "a Python 2 string of %" PRIu64 " bytes", n);
	save_op(s, n < 256 ? OP_SHORT_BINSTRING : OP_BINSTRING, n, n < 256 ? 1 : 4);
	save_text(s, r);
	save_put(s, r);
}

/* Modules that Python 3 takes for others when it reads protocols 0 to 2. */
static bool python2_module(struct str module)
{
	static const char names[] =
			" BaseHTTPServer CGIHTTPServer ConfigParser Cookie Dialog DocXMLRPCServer "
			"FileDialog HTMLParser Queue ScrolledText SimpleDialog SimpleHTTPServer "
			"SimpleXMLRPCServer SocketServer StringIO Tix Tkconstants Tkdnd Tkinter "
			"UserDict "
			"UserList UserString __builtin__ _abcoll _elementtree _winreg anydbm "
			"cPickle "
			"cStringIO commands cookielib copy_reg dbhash dbm dumbdbm dummy_thread "
			"exceptions "
			"gdbm htmlentitydefs httplib markupbase repr robotparser test.test_support "
			"thread "
			"tkColorChooser tkCommonDialog tkFileDialog tkFont tkMessageBox "
			"tkSimpleDialog ttk "
			"urllib2 urlparse whichdb xmlrpclib ";
	struct str rest = STR(names);

	while (rest.n > module.n + 1) {
		rest = str_skip(rest, 1);
		if (str_starts(rest, module) && rest.p[module.n] == ' ' && module.n)
			return true;
		rest = str_skip(rest, (size_t)((char *)memchr(rest.p, ' ', rest.n) - rest.p));
	}
	return false;
}

static bool has(struct str s, char c)
{
	return s.n && memchr(s.p, c, s.n);
}

/* The names of Python 2 that Python 3 reads as these. */
static void old_names(struct str *module, struct str *name)
{
	static const char *const renamed[][2] = {{"int", "long"}, {"str", "unicode"},
			{"range", "xrange"}, {"chr", "unichr"}};

	if (str_is(*module, "copyreg"))
		*module = STR("copy_reg");
	if (!str_is(*module, "builtins"))
		return;
	*module = STR("__builtin__");
	for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++)
		if (str_is(*name, renamed[i][0])) {
			*name = str_of(renamed[i][1]);
			return;
		}
}

void save_global(struct saver *s, oref r)
{
	struct str module, name;

	if (!obj_global(s->g, r, &module, &name))
		save_fail(s, ERR_UNSUPPORTED, r, "a symbol whose name is too long");
	else if (has(module, '\n') || has(name, '\n'))
		save_fail(s, ERR_UNSUPPORTED, r,
				"protocol 2 holds no line breaks in names, as in %s.%s",
				STR_SHOW(module), STR_SHOW(name));
	else if (s->protocol >= 3 && python2_module(module))
		save_fail(s, ERR_UNSUPPORTED, r,
				"readers of protocol 2 take the module \"%s\" for another one",
				STR_SHOW(module));
	else if (s->protocol >= 4 && has(name, '.'))
		save_fail(s, ERR_UNSUPPORTED, r,
				"readers of protocol 2 do not find the nested name %s.%s",
				STR_SHOW(module), STR_SHOW(name));
	if (s->rc < 0)
		return;
	if (s->protocol >= 3)
		old_names(&module, &name);
	save_byte(s, OP_GLOBAL);
	save_bytes(s, module.p, module.n);
	save_byte(s, '\n');
	save_bytes(s, name.p, name.n);
	save_byte(s, '\n');
	save_put(s, r);
}

/* Extension codes are of protocol 2; the registry they are of is the reader's own. Never put. */
static void save_ext(struct saver *s, oref r)
{
	int64_t code = -1;

	obj_int(s->g, r, &code);
	if (code < 0)
		save_fail(s, ERR_UNSUPPORTED, r, "protocol 2 has no out-of-band buffers");
	else if (code < 256)
		save_op(s, OP_EXT1, (uint64_t)code, 1);
	else if (code < 65536)
		save_op(s, OP_EXT2, (uint64_t)code, 2);
	else
		save_op(s, OP_EXT4, (uint64_t)code, 4);
}

void save_leaf(struct saver *s, oref r, enum obj_kind kind)
{
	int64_t v = 0;

	switch (kind) {
	case OBJ_KIND_NONE:
		save_byte(s, OP_NONE);
		break;
	case OBJ_KIND_BOOL:
		save_byte(s, r == OBJ_TRUE ? OP_NEWTRUE : OP_NEWFALSE);
		break;
	case OBJ_KIND_INT:
		obj_int(s->g, r, &v);
		save_int(s, v);
		break;
	case OBJ_KIND_LONG:
		save_long(s, r);
		break;
	case OBJ_KIND_FLOAT:
		save_float(s, r);
		break;
	case OBJ_KIND_EXT:
		save_ext(s, r);
		break;
	case OBJ_KIND_STR:
		save_str(s, r);
		break;
	case OBJ_KIND_GLOBAL:
		save_global(s, r);
		break;
	case OBJ_KIND_BYTES:
	case OBJ_KIND_BYTEARRAY:
		if (obj_flags(s->g, r) & OBJ_PY2STR)
			save_py2str(s, r);
		else
			save_bytes_leaf(s, r);
		break;
	default:
		save_fail(s, ERR_UNSUPPORTED, r, "a tensor of a format without a pickle");
	}
}
