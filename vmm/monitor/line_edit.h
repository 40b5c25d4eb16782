/* A line editor for a terminal that knows the VT100's few escape sequences: arrows, Home, End, Delete, the Emacs control
 * keys, history, Tab completion. Text is UTF-8, a character a column. Pure: bytes are fed in, what the terminal shall show
 * goes to a terminal. */
#pragma once

#include "vmm/monitor/terminal.h"

#define LINE_MAX 1280u /* a `create` with the longest command line for a guest fits */
#define LINE_HISTORY 16u

enum line_event {
	LINE_EDITING,
	LINE_READY,    /* a line is in text; fetch it, then line_edit_begin() for the next */
	LINE_TOO_LONG, /* the same, but what had no room is missing: not to be carried out */
	LINE_CANCELED  /* Ctrl-C: the line is to be forgotten */
};

/* Calls add(ctx2, word) for each word that could stand where the word being completed stands. `line` is the text before
 * that word, `prefix` what is there of it. A word that ends in '=' is one to go on with: no blank follows it. */
typedef void line_complete_fn(void *ctx, const char *line, const char *prefix,
			      void (*add)(void *ctx2, const char *word), void *ctx2);

struct line_editor {
	const struct terminal *term;
	const char *prompt;
	line_complete_fn *complete; /* may be NULL */
	void *complete_ctx;
	size_t len, cursor;     /* bytes; the cursor stands at the first byte of a character */
	unsigned history_count; /* lines ever remembered */
	unsigned history_back;  /* 0: the line being typed; n: n lines back */
	uint8_t escape;         /* where in an escape sequence the input is */
	uint8_t escape_number;
	bool after_cr;        /* a LF that follows a CR is part of it */
	bool cut;             /* a character had no room, and the line has not been edited since */
	char text[LINE_MAX];  /* terminated always */
	char saved[LINE_MAX]; /* the line being typed, while the history is looked at */
	char history[LINE_HISTORY][LINE_MAX];
};

void line_edit_init(struct line_editor *e, const struct terminal *term, const char *prompt, line_complete_fn *complete,
		    void *complete_ctx);

/* Show the prompt and start an empty line. */
void line_edit_begin(struct line_editor *e);

enum line_event line_edit_feed(struct line_editor *e, uint8_t byte);

/* Take the prompt and the line off the screen, so that something else can be printed; and show them again. */
void line_edit_hide(const struct line_editor *e);
void line_edit_show(const struct line_editor *e);
