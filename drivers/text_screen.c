/* The cells of a text screen: wrapping, scrolling and the control codes LF, CR, BS, TAB and of ECMA-48 "Control functions"
 * the sequences CSI n C, D, H, J and K; others are swallowed. Only the cells that differ are drawn, since writing to video
 * memory is slow and reading it is slower. */
#include "drivers/text_screen.h"
#include "kernel/lib/string.h"

#define TAB_COLUMNS 8u
#define ESC 0x1b
#define PARAMETER_MAX 1000u

enum escape_state { ESCAPE_NONE, ESCAPE_STARTED, ESCAPE_CSI };

static void blank(struct text_screen *s, unsigned row, unsigned from, unsigned to)
{
	if (from < to)
		memset(&s->cells[row * s->columns + from], ' ', to - from);
}

static void scroll(struct text_screen *s)
{
	memmove(s->cells, s->cells + s->columns, (s->rows - 1) * s->columns);
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
	s->cells[s->row * s->columns + s->column++] = c;
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
 * ops: is copied.  columns, rows: at least 1.  cells: 2 * columns * rows bytes that live as long. */
void text_screen_init(struct text_screen *s, const struct text_screen_ops *ops, unsigned columns, unsigned rows,
		      char *cells)
{
	*s = (struct text_screen){.ops = *ops, .columns = columns, .rows = rows, .cells = cells};
	s->shown = cells + columns * rows;
	/* What is on the screen is unknown, so that every cell differs from a blank. */
	memset(s->shown, '\0', columns * rows);
	text_screen_clear(s);
}

/* The printable characters at the begin of the text that go into this line, all at once. Returns how many. */
static size_t put_run(struct text_screen *s, const char *text, size_t len)
{
	size_t room = s->columns - s->column, n = 0;

	if (s->escape != ESCAPE_NONE)
		return 0;
	while (n < len && n < room && text[n] >= ' ' && text[n] <= '~')
		n++;
	memcpy(&s->cells[s->row * s->columns + s->column], text, n);
	s->column += (unsigned)n;
	return n;
}

/* Write text, which text_screen_show() shows. Never fails.  Context: one caller at a time; also a panic. */
void text_screen_write(struct text_screen *s, const char *text, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = put_run(s, text + i, len - i);

		i += n;
		if (n == 0)
			one_char(s, text[i++]);
	}
}

/* A panic may have cut off the one before: a cell counts as shown when it has been drawn. */
static void show_row(struct text_screen *s, unsigned row)
{
	const char *cells = &s->cells[row * s->columns];
	char *shown = &s->shown[row * s->columns];

	if (memcmp(cells, shown, s->columns) == 0)
		return;
	for (unsigned column = 0; column < s->columns; column++) {
		if (shown[column] == cells[column])
			continue;
		s->ops.draw(s->ops.ctx, column, row, cells[column]);
		shown[column] = cells[column];
	}
}

/* Draw what has changed since the last time.  Context: as text_screen_write(). */
void text_screen_show(struct text_screen *s)
{
	for (unsigned row = 0; row < s->rows; row++)
		show_row(s, row);
	if (s->ops.cursor != NULL)
		s->ops.cursor(s->ops.ctx, at_most(s->column, s->columns - 1), s->row);
}

/* Blank the screen; the cursor goes home. */
void text_screen_clear(struct text_screen *s)
{
	for (unsigned row = 0; row < s->rows; row++)
		blank(s, row, 0, s->columns);
	s->column = s->row = 0;
	text_screen_show(s);
}
