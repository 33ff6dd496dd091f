/* type.c - the name of the Python type that an object would have. */
#include "node.h"
#include "print.h"
#include "pybuiltin.h"

static const char *const kind_names[] = {
	[OBJ_KIND_NONE] = "NoneType",
	[OBJ_KIND_BOOL] = "bool",
	[OBJ_KIND_INT] = "int",
	[OBJ_KIND_LONG] = "int",
	[OBJ_KIND_FLOAT] = "float",
	[OBJ_KIND_STR] = "str",
	[OBJ_KIND_BYTES] = "bytes",
	[OBJ_KIND_BYTEARRAY] = "bytearray",
	[OBJ_KIND_TUPLE] = "tuple",
	[OBJ_KIND_LIST] = "list",
	[OBJ_KIND_SET] = "set",
	[OBJ_KIND_FROZENSET] = "frozenset",
	[OBJ_KIND_DICT] = "dict",
	[OBJ_KIND_GLOBAL] = "global",
	[OBJ_KIND_CALL] = "object",
	[OBJ_KIND_NEW] = "object",
	[OBJ_KIND_PERSID] = "persistent",
	[OBJ_KIND_EXT] = "extension",
	[OBJ_KIND_TENSOR] = "Tensor",
};

bool py_is_dtype(const struct graph *g, oref r)
{
	static const char *const stems[] = {"float", "bfloat", "int", "uint", "complex", "bool",
		"qint", "quint", "half", "double", "long", "short", "bits"};
	struct str module, name;

	if (!obj_global(g, r, &module, &name) || !str_is(module, "torch"))
		return false;
	for (size_t i = 0; i < sizeof stems / sizeof *stems; i++)
		if (str_starts(name, str_of(stems[i])))
			return true;
	return false;
}

/* The last part of a dotted name. */
static struct str last_part(struct str name)
{
	for (size_t i = name.n; i > 0; i--)
		if (name.p[i - 1] == '.')
			return str_skip(name, i);
	return name;
}

static void put_class(const struct graph *g, oref r, struct buf *out)
{
	struct str module, name, inner;
	const oref *args;
	uint32_t n;

	if (!py_class_name(g, r, &module, &name)) {
		buf_puts(out, "object");
		return;
	}
	if (str_is(module, "torch._utils") && str_starts(name, STR("_rebuild_"))) {
		buf_puts(out, str_starts(name, STR("_rebuild_parameter")) ? "Parameter" : "Tensor");
		return;
	}
	/* An enum member: getattr(class, 'NAME'). */
	if (str_is(name, "getattr") && py_plain_args(g, r, &args, &n) && n == 2 &&
		obj_global(g, args[0], &module, &inner))
		name = inner;
	put_escaped(last_part(name), 0, out);
}

void obj_type_name(const struct graph *g, oref r, struct buf *out)
{
	enum obj_kind kind = obj_kind(g, r);
	bool latin1;
	oref text;

	if (obj_flags(g, r) & OBJ_PY2STR)
		buf_puts(out, "str");
	else if (py_is_dtype(g, r))
		buf_puts(out, "dtype");
	else if (!kind_is_call(kind))
		buf_puts(out, kind_names[kind]);
	else if (py_bytes(g, r, &text, &latin1))
		buf_puts(out, py_is_bytearray(g, r) ? "bytearray" : "bytes");
	else
		put_class(g, r, out);
}
