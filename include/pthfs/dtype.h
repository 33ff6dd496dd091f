/* dtype.h - element types: torch's names and sizes. (formats/torch-objects.md section 2) */
#ifndef PTHFS_DTYPE_H
#define PTHFS_DTYPE_H

#include <pthfs/str.h>

/* X(ID, torch name, bytes an element, bytes a byte-swap unit, NumPy descr on a little-endian
 * machine, storage class or "" for untyped ones, ScalarType number, flags) */
enum dtype {
	DTYPE_NONE, /* unknown */
#define X(id, name, size, swap, npy, storage, scalar, flags) DTYPE_##id,
#include <pthfs/dtype.def>
#undef X
	DTYPE_COUNT,
};

enum dtype_flags {
	DT_FLOAT = 1,
	DT_COMPLEX = 2,
	DT_SIGNED = 4,
	DT_INT = 8,
	DT_BOOL = 16,
	DT_QUANT = 32,   /* qint8, quint8, ...: shown as the integers they are stored in */
	DT_SUBBYTE = 64, /* several elements a byte: raw bytes only */
	DT_UNTYPED = 128 /* has no storage class of its own: never byte-swapped by torch */
};

struct dtype_info {
	const char *name;    /* "float32", as torch spells it without "torch." */
	uint8_t size;        /* bytes an element (a pack of elements for DT_SUBBYTE) */
	uint8_t swap;        /* unit of byte swapping: complex64 has 4 */
	const char *npy;     /* "<f4"; types NumPy lacks are opaque: "<V2" */
	const char *storage; /* "FloatStorage"; "" when it has none */
	int scalar;          /* ScalarType number */
	unsigned flags;
};

const struct dtype_info *dtype_info(enum dtype t); /* never NULL */
enum dtype dtype_by_name(struct str name);         /* "float32"; also "half", "long", ... */
enum dtype dtype_by_storage(struct str name);      /* "FloatStorage"; DTYPE_UINT8 for UntypedStorage */
enum dtype dtype_by_npy(struct str kind_size);     /* "f4", "i8", "b1", "c8"; DTYPE_NONE otherwise */
/* The integer type in which a quantized type is stored: qint8 -> int8. */
enum dtype dtype_int_repr(enum dtype t);

#endif
