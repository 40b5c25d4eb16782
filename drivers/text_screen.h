/* A screen of characters with a cursor: what the VGA text mode and the framebuffer console have in common. Text with the few
 * control codes that a line editor and a log use goes in, and is shown later, when there is time: a line that scrolls the
 * screen changes most of its cells. */
#pragma once

#include "kernel/lib/compiler.h"

struct text_screen_ops {
	/* Show a printable character of ASCII in a cell. */
	void (*draw)(void *ctx, unsigned column, unsigned row, char c);
	/* The cursor is here now; NULL where none is shown. */
	void (*cursor)(void *ctx, unsigned column, unsigned row);
	void *ctx;
};

/* All of it is the screen's own. */
struct text_screen {
	struct text_screen_ops ops;
	unsigned columns;
	unsigned rows;
	unsigned column; /* of the cursor; columns: behind the last, the line wraps with the next character */
	unsigned row;
	char *cells;        /* what the text says, row by row */
	char *shown;        /* what is on the screen, so that it need not be read */
	unsigned escape;    /* how far into an escape sequence */
	unsigned parameter; /* its number */
};

void text_screen_init(struct text_screen *s, const struct text_screen_ops *ops, unsigned columns, unsigned rows,
		      char *cells);
void text_screen_write(struct text_screen *s, const char *text, size_t len);
void text_screen_show(struct text_screen *s);
void text_screen_clear(struct text_screen *s);
