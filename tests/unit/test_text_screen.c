/* Text screens: the cells by hand-checked transcripts and against a plain model under random input, the VGA's memory and
 * cursor, and the framebuffer's pixels in every layout. */
#include "drivers/fb_text.h"
#include "drivers/font8x16.h"
#include "drivers/text_screen.h"
#include "drivers/vga_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { COLUMNS = 10, ROWS = 4 };

struct shown {
	char cells[COLUMNS * ROWS]; /* as drawn, not as the screen believes */
	unsigned column, row, draws;
};

static void draw(void *ctx, unsigned column, unsigned row, char c)
{
	struct shown *s = ctx;

	assert_true(column < COLUMNS && row < ROWS);
	assert_true(c >= ' ' && c <= '~');
	s->cells[row * COLUMNS + column] = c;
	s->draws++;
}

static void cursor(void *ctx, unsigned column, unsigned row)
{
	struct shown *s = ctx;

	assert_true(column < COLUMNS && row < ROWS);
	s->column = column;
	s->row = row;
}

static struct shown shown;
static char cells[2 * COLUMNS * ROWS];
static struct text_screen screen;

static void start(void)
{
	const struct text_screen_ops ops = {draw, cursor, &shown};

	memset(&shown, 'x', sizeof(shown));
	text_screen_init(&screen, &ops, COLUMNS, ROWS, cells);
	shown.draws = 0;
}

/* Write text and compare the screen, rows joined by '|' with blanks at their ends cut off, and the cursor. */
static void expect(const char *text, const char *want, unsigned column, unsigned row)
{
	char got[COLUMNS * ROWS + ROWS];
	size_t n = 0;

	text_screen_write(&screen, text, strlen(text));
	text_screen_show(&screen);
	for (unsigned r = 0; r < ROWS; r++) {
		size_t end = n;

		for (unsigned c = 0; c < COLUMNS; c++) {
			got[n + c] = shown.cells[r * COLUMNS + c];
			if (got[n + c] != ' ')
				end = n + c + 1;
		}
		n = end;
		got[n++] = r + 1 < ROWS ? '|' : '\0';
	}
	assert_string_equal(got, want);
	assert_int_equal(shown.column, column);
	assert_int_equal(shown.row, row);
}

static void test_lines(void **state)
{
	(void)state;
	start();
	expect("", "|||", 0, 0);
	expect("hello\nworld", "hello|world||", 5, 1);
	expect("\rW", "hello|World||", 1, 1);
	expect("\nab\b\bc\tX", "hello|World|cb      X|", 9, 2);
	start();
	expect("0123456789", "0123456789|||", 9, 0); /* the line wraps with the next character only */
	expect("\n", "0123456789|||", 0, 1);
	expect("0123456789A", "0123456789|0123456789|A|", 1, 2);
	expect("\b\b\b", "0123456789|0123456789|A|", 0, 2);
	start();
	expect("1\n2\n3\n4\n5", "2|3|4|5", 1, 3);
	expect("\n\n", "4|5||", 0, 3);
	expect("\t\t\t", "4|5||", 9, 3);
}

static void test_scroll_draws_little(void **state)
{
	(void)state;
	start();
	expect("aaa\naaa\naaa\naab", "aaa|aaa|aaa|aab", 3, 3);
	shown.draws = 0;
	expect("\n", "aaa|aaa|aab|", 0, 3);
	assert_int_equal(shown.draws, 4); /* one letter changed, three went */
}

static void test_escapes(void **state)
{
	(void)state;
	start();
	expect("abcdef\x1b[3DX", "abcXef|||", 4, 0);
	expect("\x1b[K", "abcX|||", 4, 0);
	expect("\r\x1b[2CY\x1b[31;1mZ\x1b[0m", "abYZ|||", 4, 0);
	expect("\x1b[99D\x1b[99C", "abYZ|||", 9, 0);
	expect("\n1\n2\x1b[H", "abYZ|1|2|", 0, 0);
	expect("\n\x1b[J", "abYZ|||", 0, 1);
	expect("q\x1b[2J", "|||", 1, 1);
	expect("\x1b[?25hr", "| r||", 2, 1); /* private ones are swallowed */
}

static void test_odd_bytes(void **state)
{
	(void)state;
	start();
	expect("a\x01\x7f\x80\xff"
	       "b",
	       "a??b|||", 4, 0);
	expect("\x1b", "a??b|||", 4, 0);
	expect("[4294967296999D", "a??b|||", 0, 0);
	expect("\x1b[\nx", "a??b|x||", 1, 1);
}

static void test_random(void **state)
{
	static const char alphabet[] = "ab \n\r\b\t\x1b[0123456789;?CDHJKmz\x80";
	char text[64];

	(void)state;
	start();
	srand(7);
	for (unsigned i = 0; i < 50000; i++) {
		size_t len = (size_t)rand() % sizeof(text);

		for (size_t k = 0; k < len; k++)
			text[k] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
		text_screen_write(&screen, text, len);
		if (i % 3 == 0)
			continue;
		text_screen_show(&screen);
		assert_memory_equal(shown.cells, cells, sizeof(shown.cells)); /* what is shown is what was written */
	}
}

static unsigned crtc_index, crtc[32];

static void vga_out8(void *ctx, uint16_t port, uint8_t value)
{
	(void)ctx;
	if (port == 0x3d4)
		crtc_index = value;
	else
		crtc[crtc_index] = value;
}

static void test_vga(void **state)
{
	static struct vga_text v;
	static uint16_t memory[VGA_TEXT_COLUMNS * VGA_TEXT_ROWS];
	const struct hw_io hw = {.out8 = vga_out8};

	(void)state;
	memset(memory, 0x5a, sizeof(memory));
	vga_text_init(&v, &hw, memory);
	for (size_t i = 0; i < VGA_TEXT_COLUMNS * VGA_TEXT_ROWS; i++)
		assert_int_equal(memory[i], 0x0720);
	text_screen_write(&v.screen, "\n\n\n\nHi", 6);
	assert_int_equal(memory[4 * 80], 0x0720); /* later */
	text_screen_show(&v.screen);
	assert_int_equal(memory[4 * 80], 0x0700 | 'H');
	assert_int_equal(memory[4 * 80 + 1], 0x0700 | 'i');
	assert_int_equal(crtc[14] << 8 | crtc[15], 4 * 80 + 2);
}

static uint32_t pixel(const uint8_t *memory, const struct fb_mode *m, unsigned x, unsigned y)
{
	const uint8_t *p = memory + (size_t)y * m->pitch_bytes + (size_t)x * (m->bits_per_pixel / 8u);

	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

static void fb_case(const struct fb_mode *m, uint32_t ink)
{
	size_t bytes = fb_mode_bytes(m);
	uint8_t *memory = malloc(bytes);
	static struct fb_text f;
	static char fb_cells[20000];
	unsigned left = m->width % 8 / 2, top = m->height % 16 / 2;

	memset(memory, 0x77, bytes);
	assert_int_equal(fb_text_init(&f, m, memory, fb_cells, sizeof(fb_cells)), 0);
	assert_int_equal(f.screen.columns, m->width / 8);
	text_screen_write(&f.screen, " A", 2);
	text_screen_show(&f.screen);
	for (unsigned y = 0; y < 16; y++) {
		for (unsigned x = 0; x < 8; x++) {
			bool set = font_row('A', y) >> (7 - x) & 1;

			assert_int_equal(pixel(memory, m, left + 8 + x, top + y), set ? ink : 0);
			assert_int_equal(pixel(memory, m, left + x, top + y), 0);
		}
	}
	/* fill it and beyond: the sanitizer watches the edges */
	for (unsigned i = 0; i < f.screen.columns * (f.screen.rows + 2); i++)
		text_screen_write(&f.screen, "#", 1);
	text_screen_show(&f.screen);
	assert_int_equal(pixel(memory, m, left + f.screen.columns * 8 - 8 + 2, top + 1),
			 font_row('#', 1) & 0x20 ? ink : 0);
	free(memory);
}

static void test_framebuffer(void **state)
{
	struct fb_mode m = {800, 600, 3200, 32, 16, 8, 8, 8, 0, 8};
	struct fb_mode bad;
	static struct fb_text f;
	uint8_t memory[1];
	char few[200];

	(void)state;
	fb_case(&m, 0xbfbfbf);
	m = (struct fb_mode){803, 613, 2410, 24, 16, 8, 8, 8, 0, 8};
	fb_case(&m, 0xbfbfbf);
	m = (struct fb_mode){640, 480, 2560, 32, 0, 5, 5, 6, 11, 5}; /* odd, but said clearly */
	fb_case(&m, 23u | 47u << 5 | 23u << 11);
	m = (struct fb_mode){64, 64, 256, 32, 200, 8, 31, 8, 0, 0}; /* nonsense: white */
	fb_case(&m, 0xffffff);
	m = (struct fb_mode){800, 600, 3200, 32, 16, 8, 8, 8, 0, 8};
	assert_int_equal(fb_text_init(&f, &m, memory, few, 199), ERR_NOMEM);
	bad = m;
	bad.bits_per_pixel = 8;
	assert_int_equal(fb_text_init(&f, &bad, memory, few, sizeof(few)), ERR_NOSUP);
	bad = m;
	bad.pitch_bytes = 3199;
	assert_int_equal(fb_text_init(&f, &bad, memory, few, sizeof(few)), ERR_NOSUP);
	bad = m;
	bad.height = 15;
	assert_int_equal(fb_text_init(&f, &bad, memory, few, sizeof(few)), ERR_NOSUP);
	bad = m;
	bad.width = 0x40000001; /* times four wraps in 32 bits */
	bad.pitch_bytes = 8;
	assert_int_equal(fb_text_init(&f, &bad, memory, few, sizeof(few)), ERR_NOSUP);
}

/* Every printable character has a shape of its own, inside its cell, with air above and beside. */
static void test_font(void **state)
{
	(void)state;
	for (char a = '!'; a <= '~'; a++) {
		unsigned any = 0;

		for (unsigned y = 0; y < FONT_HEIGHT; y++) {
			any |= font_row(a, y);
			assert_int_equal(font_row(a, y) & 0x83, 0);
		}
		assert_int_not_equal(any, 0);
		assert_int_equal(font_row(a, 0), 0);
		for (char b = ' '; b < a; b++) {
			unsigned differ = 0;

			for (unsigned y = 0; y < FONT_HEIGHT; y++)
				differ |= font_row(a, y) ^ font_row(b, y);
			assert_int_not_equal(differ, 0);
		}
	}
	assert_int_equal(font_row('\x01', 3), font_row('?', 3));
	assert_int_equal(font_row('\xff', 3), font_row('?', 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),       cmocka_unit_test(test_scroll_draws_little),
		cmocka_unit_test(test_escapes),     cmocka_unit_test(test_odd_bytes),
		cmocka_unit_test(test_random),      cmocka_unit_test(test_vga),
		cmocka_unit_test(test_framebuffer), cmocka_unit_test(test_font),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
