/* VGA text mode: each cell is a character and its attribute in memory, the cursor is in the CRT controller. After IBM's VGA
 * Technical Reference "Alphanumeric Modes" and "CRT Controller Registers". The mode is the loader's. */
#include "drivers/vga_text.h"

#define CRTC_INDEX 0x3d4u
#define CRTC_DATA 0x3d5u
#define CRTC_CURSOR_HIGH 0x0eu
#define CRTC_CURSOR_LOW 0x0fu

#define ATTRIBUTE_GREY_ON_BLACK 0x0700u

static void vga_draw(void *ctx, unsigned column, unsigned row, char c)
{
	const struct vga_text *v = ctx;

	v->memory[row * VGA_TEXT_COLUMNS + column] = (uint16_t)(ATTRIBUTE_GREY_ON_BLACK | (unsigned char)c);
}

static void vga_cursor(void *ctx, unsigned column, unsigned row)
{
	const struct vga_text *v = ctx;
	unsigned at = row * VGA_TEXT_COLUMNS + column;

	hw_out8(v->hw, CRTC_INDEX, CRTC_CURSOR_HIGH);
	hw_out8(v->hw, CRTC_DATA, at >> 8);
	hw_out8(v->hw, CRTC_INDEX, CRTC_CURSOR_LOW);
	hw_out8(v->hw, CRTC_DATA, at & 0xff);
}

/* Take over the screen, cleared. */
void vga_text_init(struct vga_text *v, const struct hw_io *hw, volatile uint16_t *memory)
{
	const struct text_screen_ops ops = {.draw = vga_draw, .cursor = vga_cursor, .ctx = v};

	v->hw = hw;
	v->memory = memory;
	text_screen_init(&v->screen, &ops, VGA_TEXT_COLUMNS, VGA_TEXT_ROWS, v->cells);
}
