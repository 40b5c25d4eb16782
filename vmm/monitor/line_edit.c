/* The line editor. The common case, a letter at the end, costs one byte of output; everything else redraws the line. */
#include "vmm/monitor/line_edit.h"

#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "vmm/monitor/utf8.h"

#define CTRL(c) ((c)-0x40)

enum { ESC_NONE, ESC_START, ESC_CSI, ESC_SS3 };

static void put(const struct line_editor *e, const char *s)
{
	terminal_write(e->term, s, strlen(s));
}

void line_edit_hide(const struct line_editor *e)
{
	put(e, "\r\x1b[K");
}

/* Where the character before `at`, or behind the one at `at`, begins. */
static size_t char_before(const struct line_editor *e, size_t at)
{
	while (at > 0 && utf8_continues(e->text[--at]))
		;
	return at;
}

static size_t char_after(const struct line_editor *e, size_t at)
{
	if (at < e->len)
		at++;
	while (at < e->len && utf8_continues(e->text[at]))
		at++;
	return at;
}

static unsigned columns(const char *text, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i++)
		n += !utf8_continues(text[i]);
	return n;
}

void line_edit_show(const struct line_editor *e)
{
	unsigned back = columns(e->text + e->cursor, e->len - e->cursor);
	char move[16];

	put(e, "\r");
	put(e, e->prompt);
	terminal_write(e->term, e->text, e->len);
	put(e, "\x1b[K");
	if (back > 0) {
		fmt_snprintf(move, sizeof(move), "\x1b[%uD", back);
		put(e, move);
	}
}

void line_edit_init(struct line_editor *e, const struct terminal *term, const char *prompt, line_complete_fn *complete,
		    void *complete_ctx)
{
	memset(e, 0, sizeof(*e));
	e->term = term;
	e->prompt = prompt;
	e->complete = complete;
	e->complete_ctx = complete_ctx;
}

static void line_set(struct line_editor *e, const char *text)
{
	(void)str_copy(e->text, text, sizeof(e->text));
	e->len = strlen(e->text);
	e->cursor = e->len;
	e->cut = false;
}

void line_edit_begin(struct line_editor *e)
{
	line_set(e, "");
	e->history_back = 0;
	e->escape = ESC_NONE;
	put(e, e->prompt);
}

static void line_insert(struct line_editor *e, char c)
{
	if (e->len + 1 >= sizeof(e->text)) {
		put(e, "\a");
		e->cut = true;
		return;
	}
	memmove(e->text + e->cursor + 1, e->text + e->cursor, e->len - e->cursor + 1);
	e->text[e->cursor++] = c;
	e->len++;
	if (e->cursor == e->len)
		terminal_write(e->term, &c, 1);
	else
		line_edit_show(e);
}

/* Remove [from, to) and leave the cursor at from. */
static void line_cut(struct line_editor *e, size_t from, size_t to)
{
	memmove(e->text + from, e->text + to, e->len - to + 1);
	e->len -= to - from;
	e->cursor = from;
	e->cut = false;
	line_edit_show(e);
}

static size_t word_start(const struct line_editor *e)
{
	size_t at = e->cursor;

	while (at > 0 && e->text[at - 1] == ' ')
		at--;
	while (at > 0 && e->text[at - 1] != ' ')
		at--;
	return at;
}

static char *history_slot(struct line_editor *e, unsigned back)
{
	return e->history[(e->history_count - back) % LINE_HISTORY];
}

static void history_add(struct line_editor *e)
{
	if (e->len == 0 || (e->history_count > 0 && str_eq(history_slot(e, 1), e->text)))
		return;
	(void)str_copy(e->history[e->history_count++ % LINE_HISTORY], e->text, LINE_MAX);
}

static void history_move(struct line_editor *e, int direction)
{
	unsigned most = e->history_count < LINE_HISTORY ? e->history_count : LINE_HISTORY;
	unsigned back = e->history_back + (unsigned)direction;

	if (back > most) /* also -1 */
		return;
	if (e->history_back == 0)
		(void)str_copy(e->saved, e->text, sizeof(e->saved));
	e->history_back = back;
	line_set(e, back == 0 ? e->saved : history_slot(e, back));
	line_edit_show(e);
}

/* What the candidates have in common, and how many there are. */
struct completion {
	char common[LINE_MAX];
	unsigned count;
	const struct terminal *list; /* print them, in the second round */
	const char *prefix;
};

static void completion_add(void *ctx, const char *word)
{
	struct completion *c = ctx;
	size_t i = 0;

	if (!str_starts(word, c->prefix))
		return;
	if (c->list != NULL) {
		terminal_write(c->list, "  ", 2);
		terminal_write(c->list, word, strlen(word));
	}
	if (c->count++ == 0) {
		(void)str_copy(c->common, word, sizeof(c->common));
		return;
	}
	while (c->common[i] != '\0' && c->common[i] == word[i])
		i++;
	c->common[i] = '\0';
}

/* Tab: fill in what is certain; when that is nothing, show what is possible. */
static void line_complete(struct line_editor *e)
{
	struct completion c = {.count = 0};
	char before[LINE_MAX], prefix[LINE_MAX];
	size_t start = e->cursor;

	if (e->complete == NULL)
		return;
	while (start > 0 && e->text[start - 1] != ' ')
		start--;
	memcpy(before, e->text, start);
	before[start] = '\0';
	memcpy(prefix, e->text + start, e->cursor - start);
	prefix[e->cursor - start] = '\0';
	c.prefix = prefix;
	e->complete(e->complete_ctx, before, prefix, completion_add, &c);
	if (c.count == 0) {
		put(e, "\a");
		return;
	}
	if (c.count > 1 && strlen(c.common) == strlen(prefix)) {
		struct completion show = {.list = e->term, .prefix = prefix};

		put(e, "\r\n");
		e->complete(e->complete_ctx, before, prefix, completion_add, &show);
		put(e, "\r\n");
		line_edit_show(e);
		return;
	}
	for (const char *p = c.common + strlen(prefix); *p != '\0'; p++)
		line_insert(e, *p);
	if (c.count == 1 && (e->cursor == 0 || e->text[e->cursor - 1] != '='))
		line_insert(e, ' ');
}

static void cursor_to(struct line_editor *e, size_t at)
{
	e->cursor = at;
	line_edit_show(e);
}

/* The last byte of ESC [ ... or ESC O ...: arrows, Home, End, Delete. */
static void escape_final(struct line_editor *e, uint8_t byte)
{
	unsigned number = e->escape_number;

	e->escape = ESC_NONE;
	if (byte == 'A')
		history_move(e, 1);
	else if (byte == 'B')
		history_move(e, -1);
	else if (byte == 'C')
		cursor_to(e, char_after(e, e->cursor));
	else if (byte == 'D')
		cursor_to(e, char_before(e, e->cursor));
	else if (byte == 'H' || (byte == '~' && (number == 1 || number == 7)))
		cursor_to(e, 0);
	else if (byte == 'F' || (byte == '~' && (number == 4 || number == 8)))
		cursor_to(e, e->len);
	else if (byte == '~' && number == 3)
		line_cut(e, e->cursor, char_after(e, e->cursor));
}

static void escape_feed(struct line_editor *e, uint8_t byte)
{
	if (e->escape == ESC_START) {
		e->escape = byte == '[' ? ESC_CSI : byte == 'O' ? ESC_SS3 : ESC_NONE;
		e->escape_number = 0;
	} else if (byte >= '0' && byte <= '9') {
		e->escape_number = (uint8_t)(e->escape_number * 10 + (byte - '0'));
	} else if (byte == ';') {
		e->escape_number = 0;
	} else {
		escape_final(e, byte);
	}
}

static enum line_event line_done(struct line_editor *e, enum line_event event)
{
	put(e, event == LINE_CANCELED ? "^C\r\n" : "\r\n");
	if (event == LINE_READY)
		history_add(e);
	return event == LINE_READY && e->cut ? LINE_TOO_LONG : event;
}

static void line_control(struct line_editor *e, uint8_t byte)
{
	switch (byte) {
	case CTRL('A'):
		cursor_to(e, 0);
		break;
	case CTRL('E'):
		cursor_to(e, e->len);
		break;
	case CTRL('B'):
		cursor_to(e, char_before(e, e->cursor));
		break;
	case CTRL('F'):
		cursor_to(e, char_after(e, e->cursor));
		break;
	case CTRL('P'):
		history_move(e, 1);
		break;
	case CTRL('N'):
		history_move(e, -1);
		break;
	case CTRL('K'):
		line_cut(e, e->cursor, e->len);
		e->cursor = e->len;
		break;
	case CTRL('U'):
		line_cut(e, 0, e->cursor);
		break;
	case CTRL('W'):
		line_cut(e, word_start(e), e->cursor);
		break;
	case CTRL('L'):
		put(e, "\x1b[H\x1b[2J");
		line_edit_show(e);
		break;
	case CTRL('D'):
		line_cut(e, e->cursor, char_after(e, e->cursor));
		break;
	case '\t':
		line_complete(e);
		break;
	case CTRL('H'):
	case 0x7f:
		if (e->cursor > 0)
			line_cut(e, char_before(e, e->cursor), e->cursor);
		break;
	case CTRL('['):
		e->escape = ESC_START;
		break;
	default:
		break;
	}
}

enum line_event line_edit_feed(struct line_editor *e, uint8_t byte)
{
	bool after_cr = e->after_cr;

	e->after_cr = byte == '\r';
	if (e->escape != ESC_NONE) {
		escape_feed(e, byte);
		return LINE_EDITING;
	}
	if (byte == '\r' || (byte == '\n' && !after_cr))
		return line_done(e, LINE_READY);
	if (byte == CTRL('C'))
		return line_done(e, LINE_CANCELED);
	if (byte >= 0x20 && byte != 0x7f)
		line_insert(e, (char)byte);
	else
		line_control(e, byte);
	return LINE_EDITING;
}
