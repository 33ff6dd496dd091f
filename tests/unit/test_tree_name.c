/* Keys to file names and back, and numbers for names that are taken. */
#include "tree_kit.h"

static struct buf out;

static struct str name_of(struct str key)
{
	out.n = 0;
	name_of_text(key, &out);
	return buf_view(&out);
}

#define NAME_IS(key, wanted)                                                                       \
	do {                                                                                       \
		struct str name_ = name_of(key);                                                   \
		EQ_MEM(name_.p, name_.n, wanted, strlen(wanted));                                  \
	} while (0)

static void ordinary_keys_stay_as_they_are(void)
{
	NAME_IS(STR("conv1.weight"), "conv1.weight");
	NAME_IS(STR("a b~c*?\\\"'$"), "a b~c*?\\\"'$");
	NAME_IS(STR("-rf"), "-rf");
	NAME_IS(STR(".hidden"), ".hidden");
	NAME_IS(STR("..."), "...");
	NAME_IS(STR("größe.重み.\xf0\x9f\x94\xa5"), "größe.重み.\xf0\x9f\x94\xa5");
}

static void what_no_file_name_can_hold_is_percent_encoded(void)
{
	NAME_IS(STR("a/b"), "a%2Fb");
	NAME_IS(STR("/"), "%2F");
	NAME_IS(STR("a\0b"), "a%00b");
	NAME_IS(STR("\x01\n\x1f\x7f"), "%01%0A%1F%7F");
	NAME_IS(STR("\x1b[31m"), "%1B[31m");
	NAME_IS(STR("\x80"), "%80");
	NAME_IS(STR("x\xc3"), "x%C3");
	NAME_IS(STR("\xc0\xaf"), "%C0%AF");             /* an overlong slash */
	NAME_IS(STR("\xed\xa0\x80"), "%ED%A0%80");      /* a lone surrogate */
	NAME_IS(STR("\xf4\x90\x80\x80"), "%F4%90%80%80"); /* beyond the last character */
}

static void only_whole_dots_and_the_empty_key_are_special(void)
{
	NAME_IS(STR(""), "%");
	NAME_IS(STR("."), "%2E");
	NAME_IS(STR(".."), "%2E%2E");
	NAME_IS(STR("./"), ".%2F");
	NAME_IS(STR("../x"), "..%2Fx");
}

static void a_percent_sign_is_encoded_only_where_it_would_read_as_an_escape(void)
{
	NAME_IS(STR("%"), "%"); /* as the empty key: the later one gets a number */
	NAME_IS(STR("100%"), "100%");
	NAME_IS(STR("%zz"), "%zz");
	NAME_IS(STR("%4"), "%4");
	NAME_IS(STR("%41"), "%2541");
	NAME_IS(STR("%2f"), "%252f");
	NAME_IS(STR("%%41"), "%%2541");
	NAME_IS(STR("%/1"), "%%2F1");
}

/* Bytes that make escapes, characters and their fragments likely. */
static struct str random_key(uint64_t *state, char *key, size_t max)
{
	static const char likely[] = "a.%%/0F\x00\x7f\xc3\xa9\xed\xa0\x80\xf0\x9f\x94\xa5~\\";
	size_t n = kit_random(state) % max;

	for (size_t i = 0; i < n; i++) {
		uint64_t r = kit_random(state);

		key[i] = r & 8 ? likely[(r >> 8) % (sizeof likely - 1)] : (char)(r >> 16);
	}
	return (struct str){key, n};
}

static bool is_file_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f || s.p[i] == '/')
			return false;
	return s.n > 0 && s.n <= NAME_LIMIT && str_utf8(s) && !str_is(s, ".") && !str_is(s, "..");
}

static void random_keys_become_legal_names_that_lead_back_to_them(void)
{
	struct buf back;
	uint64_t state = 42;
	char key[64];

	buf_init(&back, 4096);
	for (int i = 0; i < 20000; i++) {
		struct str k = random_key(&state, key, sizeof key), name = name_of(k);

		OK(is_file_name(name));
		back.n = 0;
		if (str_is(k, "%"))
			continue;
		OK(name_to_text(name, &back));
		EQ_MEM(back.p, back.n, k.p, k.n);
	}
	buf_release(&back);
}

static void random_long_keys_are_cut_between_characters(void)
{
	struct buf back;
	uint64_t state = 43;
	char key[600];
	int cut = 0;

	buf_init(&back, 4096);
	for (int i = 0; i < 3000; i++) {
		struct str k = random_key(&state, key, sizeof key), name = name_of(k);

		OK(is_file_name(name));
		back.n = 0;
		if (name_to_text(name, &back)) {
			EQ_MEM(back.p, back.n, k.p, k.n);
			continue;
		}
		EQ_I64(name.p[name.n - 17], '~');
		cut++;
	}
	OK(cut > 1000);
	buf_release(&back);
}

static void names_up_to_250_bytes_are_whole_so_that_meta_fits_behind(void)
{
	char key[256];
	struct str name;

	memset(key, 'k', sizeof key);
	name = name_of((struct str){key, 250});
	EQ_MEM(name.p, name.n, key, 250);
	OK(name.n + strlen(".meta") <= 255);
	name = name_of((struct str){key, 251});
	EQ_I64(name.n, 250);
	EQ_I64(name.p[233], '~');
	EQ_MEM(name.p, 233, key, 233);
}

static void cut_names_differ_when_their_keys_do_and_are_the_same_at_every_mount(void)
{
	char a[400], b[400], first[256];
	struct str name;

	memset(a, 'k', sizeof a);
	memcpy(b, a, sizeof b);
	b[399] = 'j';
	name = name_of((struct str){a, sizeof a});
	memcpy(first, name.p, name.n);
	EQ_MEM(first + 233, 17, "~d688e0188a4063f5", 17);
	name = name_of((struct str){b, sizeof b});
	EQ_I64(name.n, 250);
	OK(memcmp(first, name.p, 250) != 0);
}

static void no_character_or_escape_is_cut_in_two(void)
{
	char key[300];
	struct str name;

	memset(key, 'k', sizeof key);
	memcpy(key + 231, "\xf0\x9f\x94\xa5", 4);
	name = name_of((struct str){key, sizeof key});
	EQ_I64(name.n, 231 + 17);
	OK(str_utf8(name));
	key[231] = key[232] = '/';
	name = name_of((struct str){key, sizeof key});
	EQ_I64(name.n, 231 + 17);
	EQ_I64(name.p[231], '~');
}

static void names_that_no_key_has_lead_nowhere(void)
{
	static const char *const none[] = {"%41", "%2f", "a%2fb", "a%20b", ""};
	struct buf back;
	char cut[251];

	buf_init(&back, 4096);
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		OK(!name_to_text(str_of(none[i]), &back));
		EQ_I64(back.n, 0);
	}
	memset(cut, 'k', sizeof cut);
	memcpy(cut + 233, "~0123456789abcdef", 17);
	OK(!name_to_text((struct str){cut, 250}, &back));
	OK(!name_to_text((struct str){cut, 251}, &back));
	buf_release(&back);
}

static void keys_that_are_no_text_are_named_by_their_repr(void)
{
	struct graph g;
	oref pair[2];

	OK(graph_init(&g, NULL) == 0);
	pair[0] = obj_new_int(&g, 0, 0);
	pair[1] = obj_new_text(&g, OBJ_KIND_STR, STR("a/b"), 0);
	out.n = 0;
	name_of_key(&g, pair[0], &out);
	buf_putc(&out, ' ');
	name_of_key(&g, OBJ_NONE, &out);
	buf_putc(&out, ' ');
	name_of_key(&g, OBJ_TRUE, &out);
	buf_putc(&out, ' ');
	name_of_key(&g, obj_new_float(&g, 0.5, 0), &out);
	buf_putc(&out, ' ');
	name_of_key(&g, obj_new_text(&g, OBJ_KIND_BYTES, STR("x"), 0), &out);
	buf_putc(&out, ' ');
	name_of_key(&g, obj_new_seq(&g, OBJ_KIND_TUPLE, pair, 2, 0), &out);
	EQ_MEM(out.p, out.n, "0 None True 0.5 b'x' (0, 'a%2Fb')",
			strlen("0 None True 0.5 b'x' (0, 'a%2Fb')"));
	graph_release(&g);
}

static void a_key_so_long_that_it_stays_in_the_file_is_cut_like_any_other(void)
{
	enum { LEN = 70000 };
	struct graph g;
	char *text = malloc(LEN);
	struct source *s;

	OK(graph_init(&g, NULL) == 0);
	memset(text, 'k', LEN);
	s = source_mem_take(text, LEN);
	out.n = 0;
	name_of_key(&g, obj_new_span(&g, OBJ_KIND_STR, s, 0, LEN, 0), &out);
	EQ_I64(out.n, 250);
	EQ_MEM(out.p, 5, "kkkkk", 5);
	EQ_I64(out.p[233], '~');
	source_unref(s);
	graph_release(&g);
}

static void a_numbered_name_keeps_within_the_limit_and_its_characters_whole(void)
{
	char name[256];

	name_numbered(STR("a"), 2, &out);
	EQ_MEM(out.p, out.n, "a~2", 3);
	memset(name, 'k', sizeof name);
	name_numbered((struct str){name, 250}, 10, &out);
	EQ_I64(out.n, 250);
	EQ_MEM(out.p + 247, 3, "~10", 3);
	memcpy(name + 246, "\xc3\xa9\xc3\xa9", 4);
	name_numbered((struct str){name, 250}, 10, &out);
	EQ_I64(out.n, 246 + 3); /* 247 would be half of the letter */
	memcpy(name + 246, "%2F", 3);
	name_numbered((struct str){name, 249}, 2, &out);
	EQ_I64(out.n, 246 + 2);
	EQ_MEM(out.p + 246, 2, "~2", 2);
}

/* --- sets of names ------------------------------------------------------------------------------ */

static struct name_set set;
static struct arena arena;

static void set_up(void)
{
	memset(&set, 0, sizeof set);
	arena_init(&arena, 0);
}

static void tear_down(void)
{
	name_set_release(&set);
	arena_release(&arena);
}

static void add(const char *name)
{
	OK(name_set_add(&set, &arena, str_of(name)) == 0);
}

static void the_later_of_two_names_gets_a_number_and_no_real_name_is_taken(void)
{
	static const char *const wanted[] = {"a", "a~3", "a~2", "a~4", "b", "a~2~2"};

	set_up();
	add("a");
	add("a");
	add("a~2");
	add("a");
	add("b");
	add("a~2");
	OK(name_set_number(&set, &arena) == 0);
	EQ_I64(set.at.n, 6);
	for (uint32_t i = 0; i < 6; i++) {
		EQ_MEM(set.at.at[i].p, set.at.at[i].n, wanted[i], strlen(wanted[i]));
		EQ_I64(name_set_find(&set, str_of(wanted[i])), i);
	}
	EQ_I64(name_set_find(&set, STR("a~5")), IDMAP_NONE);
	tear_down();
}

/* Names ~2 .. ~20001 are real, and as many keys want to be "a": the tries must not multiply. */
static void twenty_thousand_names_that_are_made_to_collide_take_no_square_of_time(void)
{
	enum { N = 20000 };
	char name[32];
	int wrong = 0;

	set_up();
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof name, "a~%d", i + 2);
		add(name);
		add("a");
	}
	OK(name_set_number(&set, &arena) == 0);
	for (uint32_t i = 0; i < 2 * N; i++)
		wrong += name_set_find(&set, set.at.at[i]) != i;
	EQ_I64(wrong, 0);
	tear_down();
}

int main(void)
{
	buf_init(&out, 4096);
	TEST(ordinary_keys_stay_as_they_are);
	TEST(what_no_file_name_can_hold_is_percent_encoded);
	TEST(only_whole_dots_and_the_empty_key_are_special);
	TEST(a_percent_sign_is_encoded_only_where_it_would_read_as_an_escape);
	TEST(random_keys_become_legal_names_that_lead_back_to_them);
	TEST(random_long_keys_are_cut_between_characters);
	TEST(names_up_to_250_bytes_are_whole_so_that_meta_fits_behind);
	TEST(cut_names_differ_when_their_keys_do_and_are_the_same_at_every_mount);
	TEST(no_character_or_escape_is_cut_in_two);
	TEST(names_that_no_key_has_lead_nowhere);
	TEST(keys_that_are_no_text_are_named_by_their_repr);
	TEST(a_key_so_long_that_it_stays_in_the_file_is_cut_like_any_other);
	TEST(a_numbered_name_keeps_within_the_limit_and_its_characters_whole);
	TEST(the_later_of_two_names_gets_a_number_and_no_real_name_is_taken);
	TEST(twenty_thousand_names_that_are_made_to_collide_take_no_square_of_time);
	buf_release(&out);
	return tap_done();
}
