/* _metadata follows the modules whose keys are called otherwise. */
#include "change_kit.h"

#define MAX_KEYS 16

/* A state_dict with keys and _metadata whose values are 1, 2, ..., and renames of its keys. The
 * lists are separated by blanks; "." stands for the empty module. */
struct plan_of_names {
	const char *keys, *modules, *now;
};

static size_t split(const char *list, struct str *out)
{
	size_t n = 0, len;

	for (; *list && n < MAX_KEYS; list += len + (list[len] == ' ')) {
		len = strcspn(list, " ");
		out[n++] = len == 1 && *list == '.' ? STR("") : (struct str){list, len};
	}
	return n;
}

/* OrderedDict({key: 0, ...}) with {'_metadata': OrderedDict({module: i, ...})} */
static void make(struct ckpt *k, const struct plan_of_names *p)
{
	struct str at[MAX_KEYS];
	struct buf b;
	size_t n;

	buf_init(&b, 1u << 16);
	buf_puts(&b, "ccollections\nOrderedDict\n)R(");
	n = split(p->keys, at);
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "\x8c%c%.*sK\1", (char)at[i].n, STR_FMT(at[i]));
	buf_puts(&b, "u}\x8c\x09_metadataccollections\nOrderedDict\n)R(");
	n = split(p->modules, at);
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "\x8c%c%.*sK%c", (char)at[i].n, STR_FMT(at[i]), (char)(i + 1));
	buf_puts(&b, "usb.");
	ckpt_zip(k, b.p, b.n);
	buf_release(&b);
	EQ_I64(k->rc, 0);
}

/* "module=1 ..." of what the root's _metadata is. */
static const char *metadata(const struct ckpt *k)
{
	static char text[4096];
	const struct graph *g = &k->c->model.graph;
	oref md = obj_get(g, obj_state(g, object_at(k, "")), "_metadata");
	const oref *at;
	uint32_t n;
	struct buf out;

	buf_init(&out, sizeof text - 1);
	at = obj_pairs(g, md, &n);
	for (uint32_t i = 0; i < n; i++) {
		buf_puts(&out, i ? " " : "");
		obj_value_text(g, at[2 * i], &out, NULL);
		buf_putc(&out, '=');
		obj_repr(g, at[2 * i + 1], &out, NULL);
	}
	snprintf(text, sizeof text, "%.*s", (int)out.n, out.n ? out.p : "");
	buf_release(&out);
	return text;
}

static void check(const char *file, int line, const struct plan_of_names *p, const char *want)
{
	struct str was[MAX_KEYS], now[MAX_KEYS];
	struct renamed r[MAX_KEYS];
	size_t n, renames = 0;
	struct ckpt k;

	make(&k, p);
	n = split(p->keys, was);
	if (split(p->now, now) != n)
		printf("# %s:%d: as many keys as before are needed\n", file, line);
	for (size_t i = 0; i < n; i++)
		if (!str_eq(was[i], now[i]))
			r[renames++] = (struct renamed){was[i], now[i]};
	EQ_I64(change_metadata(k.c, k.c->model.root, r, renames, now, n, &k.e), 0);
	tap_eq_mem(file, line, "metadata", metadata(&k), strlen(metadata(&k)), want, strlen(want));
	ckpt_release(&k);
}

#define BECOMES(keys_, modules_, now_, want)                                                       \
	check(__FILE__, __LINE__, &(struct plan_of_names){keys_, modules_, now_}, want)

static void stripped_prefix_takes_the_place_of_the_root(void)
{
	BECOMES("module.fc.weight module.fc.bias module.x", ". module module.fc",
			"fc.weight fc.bias x", "=2 fc=3");
}

static void added_prefix_keeps_a_root(void)
{
	BECOMES("fc.weight fc.bias", ". fc", "module.fc.weight module.fc.bias",
			"=1 module=1 module.fc=2");
}

static void modules_without_keys_go_along(void)
{
	BECOMES("module.0.weight", ". module module.0 module.1 module.2.act", "0.weight",
			"=2 0=3 1=4 2.act=5");
	BECOMES("enc.a.w dec.w", ". enc enc.a enc.relu dec", "body.a.w dec.w",
			"=1 body=2 body.a=3 body.relu=4 dec=5");
}

static void module_that_moves_whole_is_renamed_in_its_place(void)
{
	BECOMES("a.w b.w c.w", ". a b c", "a.w z.w c.w", "=1 a=2 z=3 c=4");
	BECOMES("a.b.c.w x.w", ". a a.b a.b.c x", "n.b.c.w x.w", "=1 n=2 n.b=3 n.b.c=4 x=5");
}

static void module_of_which_keys_stay_is_there_twice(void)
{
	BECOMES("fc.weight fc.bias", ". fc", "head.weight fc.bias", "=1 fc=2 head=2");
}

static void parameter_called_otherwise_changes_nothing(void)
{
	BECOMES("fc.weight fc.bias", ". fc", "fc.w fc.bias", "=1 fc=2");
}

static void modules_that_change_places_take_their_metadata_along(void)
{
	BECOMES("a.w b.w", ". a b", "b.w a.w", "=1 a=3 b=2");
}

static void module_that_is_there_already_keeps_its_own(void)
{
	BECOMES("a.x b.y", ". a b", "b.x b.y", "=1 b=3");
}

static void module_around_others_leaves_the_outer_one(void)
{
	BECOMES("enc.w", ". enc", "enc.inner.w", "=1 enc=2 enc.inner=2");
}

static void half_stripped_prefix_moves_only_what_moved(void)
{
	BECOMES("module.a.w module.b.w", ". module module.a module.b", "a.w module.b.w",
			"=1 module=2 a=3 module.b=4");
}

static void names_that_only_begin_alike_are_others(void)
{
	BECOMES("fc.w fc1.w fc-2.w", ". fc fc1 fc-2", "head.w fc1.w fc-2.w",
			"=1 head=2 fc1=3 fc-2=4");
}

/* torch's consume_prefix_in_state_dict_if_present() gives this for the same file. */
static void a_dataparallel_file_is_stripped_as_torch_does(void)
{
	struct renamed r[MAX_KEYS];
	struct str now[MAX_KEYS];
	struct ckpt k;
	const struct value *v;
	uint32_t n;

	ckpt_data(&k, "good-dataparallel.pth");
	v = ckpt_at(&k, "");
	n = v->n;
	for (uint32_t i = 0; i < n && i < MAX_KEYS; i++) {
		obj_text(&k.c->model.graph, k.c->model.entries.at[v->first + i].key, &r[i].was);
		r[i].now = now[i] = str_skip(r[i].was, 7);
	}
	EQ_I64(n, 9);
	EQ_I64(change_metadata(k.c, k.c->model.root, r, n, now, n, &k.e), 0);
	EQ_STR(metadata(&k), "={'version': 1} conv={'version': 1} norm={'version': 2} "
			     "fc={'version': 1}");
	ckpt_release(&k);
}

static void no_metadata_is_no_trouble(void)
{
	static const struct str now[] = {{"b", 1}};
	static const struct renamed r = {{"a", 1}, {"b", 1}};
	struct ckpt k;

	ckpt_zip(&k, LIT("}" TEXT("\1", "a") "K\1s."));
	EQ_I64(change_metadata(k.c, k.c->model.root, &r, 1, now, 1, &k.e), 0);
	ckpt_release(&k);
}

int main(void)
{
	TEST(stripped_prefix_takes_the_place_of_the_root);
	TEST(added_prefix_keeps_a_root);
	TEST(modules_without_keys_go_along);
	TEST(module_that_moves_whole_is_renamed_in_its_place);
	TEST(module_of_which_keys_stay_is_there_twice);
	TEST(parameter_called_otherwise_changes_nothing);
	TEST(modules_that_change_places_take_their_metadata_along);
	TEST(module_that_is_there_already_keeps_its_own);
	TEST(module_around_others_leaves_the_outer_one);
	TEST(half_stripped_prefix_moves_only_what_moved);
	TEST(names_that_only_begin_alike_are_others);
	TEST(a_dataparallel_file_is_stripped_as_torch_does);
	TEST(no_metadata_is_no_trouble);
	return tap_done();
}
