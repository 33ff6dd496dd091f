/* What is no checkpoint is named, with what to do; texts are not taken for pickles. */
#include "ckpt.h"

static const char *why(const void *bytes, size_t n)
{
	static char text[512];
	struct ckpt k;

	ckpt_file(&k, bytes, n);
	snprintf(text, sizeof text, "%d %s", k.rc, k.e.text);
	ckpt_release(&k);
	return text;
}

#define NAMED(literal, words)                                                                      \
	do {                                                                                       \
		const char *said = why(LIT(literal));                                              \
		HAS(said, "-8 "); /* ERR_NOT_CKPT */                                               \
		HAS(said, words);                                                                  \
	} while (0)

static void other_files_are_named(void)
{
	NAMED("", "empty file");
	NAMED("\x89PNG\r\n\x1a\n....", "PNG");
	NAMED("\xff\xd8\xff\xe0....", "JPEG");
	NAMED("\x1f\x8b\x08....", "gunzip");
	NAMED("\xfd"
	      "7zXZ\0....",
			"unxz");
	NAMED("BZh91AY", "bunzip2");
	NAMED("7z\xbc\xaf\x27\x1c..", "7z x");
	NAMED("\x7f"
	      "ELF\2\1\1",
			"ELF");
	NAMED("%PDF-1.4", "PDF");
	NAMED("\x89HDF\r\n\x1a\n", "HDF5");
	NAMED("GGUF\3\0\0\0", "GGUF");
	NAMED("\x93NUMPY\1\0", "numpy.load");
	NAMED("\x1c\0\0\0PTMF\0\0", "flatbuffer");
	NAMED("\x08\0\0\0\0\0\0\0{\"a\":{}}", "safetensors");
	NAMED("\x08\x08\x12\x07pytorch\x1a\x03", "ONNX");
	NAMED("PK\5\6\0\0\0\0", "empty zip");
}

static void web_page_in_the_place_of_a_download(void)
{
	NAMED("<!DOCTYPE html>\n<html><body>404", "web page");
	NAMED("\n  <HTML>", "download it again");
}

static void git_lfs_pointer_tells_object_and_size(void)
{
	NAMED("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 132735\n",
			"git lfs pull");
	NAMED("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 132735\n",
			"sha256:4d7a21");
	NAMED("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 132735\n",
			"132735 bytes");
}

static void zero_bytes_are_an_interrupted_download(void)
{
	static const char zeros[100000];

	HAS(why(zeros, sizeof zeros), "zero bytes");
	HAS(why(zeros, sizeof zeros), "100.0 KB");
}

static void zip_behind_something_else_says_where_it_begins(void)
{
	NAMED("#!/bin/sh\nxxx\1PK\3\4....", "offset 14");
}

static void texts_are_not_pickles(void)
{
	NAMED("{\"a\": 1}\n", "JSON");
	NAMED("I like checkpoints\n", "text file");
	NAMED("(c) Copyright 2024\nSomebody\n", "text file");
	NAMED("Nothing here\n", "text file");
	NAMED("N.\n", "text file");
	NAMED("I12\n.# and more\n", "text file");
	NAMED("K", "text file");
}

static void pickles_without_a_magic_are_recognised(void)
{
	struct ckpt k;

	ckpt_file(&k, LIT("(dp0\nS'a'\np1\nI1\ns."));
	EQ_I64(k.rc, 0);
	EQ_STR(ckpt_text(&k, "a"), "1");
	EQ_STR(k.c ? k.c->format : "", "pickle");
	ckpt_release(&k);
	ckpt_file(&k, LIT("}q\1U\1aK\1s."));
	EQ_STR(ckpt_text(&k, "a"), "1");
	ckpt_release(&k);
}

static void directory_is_refused_in_words(void)
{
	struct checkpoint *c = NULL;
	struct err e = {0};

	EQ_I64(checkpoint_open("/", NULL, &c, &e), ERR_NOT_CKPT);
	HAS(e.text, "directory");
	EQ_I64(checkpoint_open("/nonexistent/x.pt", NULL, &c, &e), ERR_ABSENT);
}

int main(void)
{
	TEST(other_files_are_named);
	TEST(web_page_in_the_place_of_a_download);
	TEST(git_lfs_pointer_tells_object_and_size);
	TEST(zero_bytes_are_an_interrupted_download);
	TEST(zip_behind_something_else_says_where_it_begins);
	TEST(texts_are_not_pickles);
	TEST(pickles_without_a_magic_are_recognised);
	TEST(directory_is_refused_in_words);
	return tap_done();
}
