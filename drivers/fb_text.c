/* Text on a linear framebuffer, with our own font. The mode is the loader's (Multiboot2 "Framebuffer info"); indexed colour
 * and 15 or 16 bits are refused. */
#include "drivers/fb_text.h"
#include "drivers/font8x16.h"

/* Light grey on black; brightness of each colour in 1/256. */
#define INK_LEVEL 0xc0u

static void set_pixel(const struct fb_text *f, volatile uint8_t *at, uint32_t value)
{
	if (f->pixel_bytes == 4) {
		*(volatile uint32_t *)at = value;
		return;
	}
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
	at[2] = (uint8_t)(value >> 16);
}

static void fb_draw(void *ctx, unsigned column, unsigned row, char c)
{
	const struct fb_text *f = ctx;
	volatile uint8_t *line = f->memory + (uint64_t)(f->top + row * FONT_HEIGHT) * f->pitch_bytes +
				 (uint64_t)(f->left + column * FONT_WIDTH) * f->pixel_bytes;

	for (unsigned y = 0; y < FONT_HEIGHT; y++, line += f->pitch_bytes) {
		uint8_t bits = font_row(c, y);

		for (unsigned x = 0; x < FONT_WIDTH; x++)
			set_pixel(f, line + x * f->pixel_bytes, bits >> (7 - x) & 1 ? f->ink : 0);
	}
}

/* A colour's share of the pixel; 0 when its place is nonsense. */
static uint32_t shade(uint8_t at, uint8_t bits, uint8_t pixel_bits)
{
	if (bits == 0 || at >= pixel_bits || bits > pixel_bits - at)
		return 0;
	return (uint32_t)(((1ull << bits) - 1) * INK_LEVEL / 256) << at;
}

/* How long the framebuffer is. */
uint64_t fb_mode_bytes(const struct fb_mode *mode)
{
	return (uint64_t)mode->pitch_bytes * mode->height;
}

static bool mode_usable(const struct fb_mode *m)
{
	if (m->bits_per_pixel != 24 && m->bits_per_pixel != 32)
		return false;
	if (m->width < FONT_WIDTH || m->height < FONT_HEIGHT)
		return false;
	if ((uint64_t)m->width * (m->bits_per_pixel / 8) > m->pitch_bytes)
		return false;
	return m->bits_per_pixel == 24 || m->pitch_bytes % 4 == 0;
}

/* Take over the screen, cleared. Larger than the cells suffice for, its lower part stays unused.
 * cells: two bytes for each character.
 * Returns 0; ERR_NOSUP (no such mode), ERR_NOMEM (cells do not suffice for a line). */
int fb_text_init(struct fb_text *f, const struct fb_mode *mode, volatile uint8_t *memory, char *cells,
		 size_t cells_bytes)
{
	const struct text_screen_ops ops = {.draw = fb_draw, .ctx = f};
	unsigned columns = mode->width / FONT_WIDTH, rows = mode->height / FONT_HEIGHT;

	if (!mode_usable(mode))
		return ERR_NOSUP;
	if (2ull * columns > cells_bytes)
		return ERR_NOMEM;
	if (rows > cells_bytes / (2 * columns))
		rows = (unsigned)(cells_bytes / (2 * columns));
	*f = (struct fb_text){
		.memory = memory, .pitch_bytes = mode->pitch_bytes, .pixel_bytes = mode->bits_per_pixel / 8u};
	f->ink = shade(mode->red_at, mode->red_bits, mode->bits_per_pixel) |
		 shade(mode->green_at, mode->green_bits, mode->bits_per_pixel) |
		 shade(mode->blue_at, mode->blue_bits, mode->bits_per_pixel);
	if (f->ink == 0)
		f->ink = 0xffffff;
	f->left = mode->width % FONT_WIDTH / 2;
	f->top = mode->height % FONT_HEIGHT / 2;
	text_screen_init(&f->screen, &ops, columns, rows, cells);
	return 0;
}
