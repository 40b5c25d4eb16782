/* The cells of a text screen: wrapping, scrolling and the control codes LF, CR, BS, TAB and of ECMA-48 "Control functions"
 * the sequences CSI n C, D, H, J and K; others are swallowed. Scrolling draws only the cells that differ, since writing to
 * video memory is slow and reading it is slower. */
#include "drivers/text_screen.h"

#define TAB_COLUMNS 8u
#define ESC 0x1b
#define PARAMETER_MAX 1000u

enum escape_state { ESCAPE_NONE, ESCAPE_STARTED, ESCAPE_CSI };

static void put_cell(struct text_screen *s, unsigned column, unsigned row, char c)
{
	char *cell = &s->cells[row * s->columns + column];

	if (*cell == c)
		return;
	*cell = c;
	s->ops.draw(s->ops.ctx, column, row, c);
}

static void blank(struct text_screen *s, unsigned row, unsigned from, unsigned to)
{
	for (unsigned column = from; column < to; column++)
		put_cell(s, column, row, ' ');
}

static void scroll(struct text_screen *s)
{
	for (unsigned row = 0; row + 1 < s->rows; row++) {
		for (unsigned column = 0; column < s->columns; column++)
			put_cell(s, column, row, s->cells[(row + 1) * s->columns + column]);
	}
	blank(s, s->rows - 1, 0, s->columns);
}

static void line_feed(struct text_screen *s)
{
	if (s->row + 1 < s->rows)
		s->row++;
	else
		scroll(s);
}

static void put_char(struct text_screen *s, char c)
{
	if (s->column == s->columns) {
		s->column = 0;
		line_feed(s);
	}
	put_cell(s, s->column++, s->row, c);
}

static unsigned at_most(unsigned value, unsigned max)
{
	return value < max ? value : max;
}

static void control(struct text_screen *s, char c)
{
	switch (c) {
	case '\n': /* as a terminal with the usual line discipline sees it: to the beginning of the next line */
		s->column = 0;
		line_feed(s);
		break;
	case '\r':
		s->column = 0;
		break;
	case '\b':
		s->column -= s->column > 0;
		break;
	case '\t':
		s->column = at_most((s->column / TAB_COLUMNS + 1) * TAB_COLUMNS, s->columns - 1);
		break;
	case ESC:
		s->escape = ESCAPE_STARTED;
		break;
	default:
		break;
	}
}

static void erase_display(struct text_screen *s)
{
	unsigned first = s->row + 1;

	if (s->parameter == 2)
		first = 0;
	else
		blank(s, s->row, s->column, s->columns);
	for (unsigned row = first; row < s->rows; row++)
		blank(s, row, 0, s->columns);
}

static void csi_final(struct text_screen *s, char c)
{
	unsigned n = s->parameter != 0 ? s->parameter : 1;

	switch (c) {
	case 'C':
		s->column = at_most(s->column + n, s->columns - 1);
		break;
	case 'D':
		s->column -= at_most(n, s->column);
		break;
	case 'H': /* only home is understood */
		s->column = 0;
		s->row = 0;
		break;
	case 'J':
		erase_display(s);
		break;
	case 'K':
		blank(s, s->row, s->parameter == 2 ? 0 : s->column, s->columns);
		break;
	default:
		break;
	}
}

static void escape_char(struct text_screen *s, char c)
{
	if (s->escape == ESCAPE_STARTED) {
		s->escape = c == '[' ? ESCAPE_CSI : ESCAPE_NONE;
		s->parameter = 0;
	} else if (c >= '0' && c <= '9') {
		s->parameter = at_most(s->parameter * 10 + (unsigned)(c - '0'), PARAMETER_MAX);
	} else if (c >= '@' && c <= '~') {
		s->escape = ESCAPE_NONE;
		csi_final(s, c);
	} else if (c < ' ') { /* not part of a sequence: it was none */
		s->escape = ESCAPE_NONE;
		control(s, c);
	}
}

static void one_char(struct text_screen *s, char c)
{
	if (s->escape != ESCAPE_NONE)
		escape_char(s, c);
	else if (c >= ' ' && c <= '~')
		put_char(s, c);
	else if ((unsigned char)c >= 0x80)
		put_char(s, '?');
	else
		control(s, c);
}

/* Make an empty screen, cleared.
 * ops: is copied.  columns, rows: at least 1.  cells: columns * rows bytes that live as long. */
void text_screen_init(struct text_screen *s, const struct text_screen_ops *ops, unsigned columns, unsigned rows,
		      char *cells)
{
	*s = (struct text_screen){.ops = *ops, .columns = columns, .rows = rows, .cells = cells};
	/* What is on the screen is unknown, so that every cell differs from a blank. */
	for (unsigned i = 0; i < columns * rows; i++)
		cells[i] = '\0';
	text_screen_clear(s);
}

/* Write text. Never fails.  Context: one caller at a time; also a panic. */
void text_screen_write(struct text_screen *s, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		one_char(s, text[i]);
	if (s->ops.cursor != NULL)
		s->ops.cursor(s->ops.ctx, at_most(s->column, s->columns - 1), s->row);
}

/* Blank the screen; the cursor goes home. */
void text_screen_clear(struct text_screen *s)
{
	for (unsigned row = 0; row < s->rows; row++)
		blank(s, row, 0, s->columns);
	s->column = s->row = 0;
	text_screen_write(s, "", 0);
}
